//! Tests of the parent module.

use super::*;
use crate::sql::split;
use crate::sql::testing::{Random, noise};

fn rules(sql: &str) -> Vec<&'static str> {
    lint(&[sql])[0].iter().map(|finding| finding.rule).collect()
}

/// Statements that DSQL accepts, according to its user guide and to recorded responses.
const ACCEPTED: &str = include_str!("accepted.sql");

#[test]
fn no_statement_that_dsql_accepts_is_reported() {
    for piece in split(ACCEPTED).unwrap() {
        assert_eq!(lint(&[piece.text]), [[]], "line {}: {}", piece.line, piece.text);
    }
}

#[test]
fn a_statement_that_dsql_rejects_is_reported_with_its_rule_and_a_suggestion() {
    for (sql, expected) in [
        ("CREATE INDEX i ON t (a)", "index_async"),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", "index_concurrently"),
        ("CREATE TABLE t (id serial PRIMARY KEY)", "serial_type"),
        ("CREATE TABLE t (a text[])", "array_type"),
        ("CREATE TEMP TABLE t (a int)", "temp_table"),
        ("ALTER TABLE t ADD COLUMN a int NOT NULL", "add_column_constraint"),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "at_unsupported_alter_column_set_not_null"),
        ("ALTER TABLE t ADD PRIMARY KEY (id)", "at_unsupported_add_primary_key"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "check_not_valid"),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", "validate_constraint_async"),
        ("TRUNCATE t", "truncate"),
        ("CREATE TYPE mood AS ENUM ('sad')", "unsupported_create_type"),
        ("CREATE SEQUENCE s", "sequence_cache_missing"),
    ] {
        let found = &lint(&[sql])[0];

        assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), [expected], "{sql}");
        assert_eq!(found[0].severity, FindingSeverity::Rejected);
        assert!(!found[0].message.is_empty() && !found[0].suggestion.is_empty());
        assert!(is_rule(expected));
    }
    assert!(!is_rule("index_asink"));
}

#[test]
fn a_finding_knows_its_line_in_the_statement() {
    for sql in [
        "CREATE TABLE t (\n  -- tags and serial\n  id serial PRIMARY KEY,\n  tags text[]\n)",
        "CREATE SCHEMA s\n  CREATE TABLE t (\n  id serial,\n  tags text[])",
    ] {
        let found: Vec<_> = lint(&[sql])[0].iter().map(|f| (f.rule, f.line)).collect();

        assert_eq!(found, [("serial_type", 2), ("array_type", 3)]);
    }
}

#[test]
fn a_statement_that_the_linter_cannot_parse_is_not_reported_as_rejected() {
    let found = &lint(&["CREATE TABLE t (a int NOT)"])[0];

    assert_eq!(found[0].rule, "parse_error");
    assert_eq!(found[0].severity, FindingSeverity::Unparsed);
    assert!(found[0].message.starts_with("The linter cannot parse the statement: "));
    assert!(!found[0].message.contains(" at Line"), "{}", found[0].message);
    assert_eq!(found[0].character, Some(23));
}

/// Each is valid in PostgreSQL, and dsql-lint cannot parse it.
#[test]
fn what_the_parser_of_dsql_lint_does_not_know_hides_nothing() {
    for (sql, expected) in [
        ("CREATE DOMAIN d int", vec![]),
        ("INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1)", vec![]),
        ("INSERT INTO t OVERRIDING USER VALUE SELECT 1", vec![]),
        ("INSERT INTO t VALUES (1) ON CONFLICT (lower(a)) DO NOTHING", vec![]),
        ("INSERT INTO t VALUES (1) ON CONFLICT (a) WHERE b > 0 DO UPDATE SET b = 1", vec![]),
        ("UPDATE t SET a[1] = 2, b = 3", vec![]),
        ("CREATE TABLE t (a int UNIQUE NULLS NOT DISTINCT)", vec![]),
        ("CREATE TABLE t (a int UNIQUE NULLS NOT DISTINCT, b serial)", vec!["serial_type"]),
        ("CREATE TABLE t (a int, CHECK (a > 0) NO INHERIT, b int[])", vec!["array_type"]),
        ("CREATE INDEX i ON ONLY t (a)", vec!["index_async"]),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SEARCH DEPTH FIRST \
             BY a SET b CYCLE a SET c USING d SELECT * FROM r",
            vec![],
        ),
        ("SELECT a IS JSON OBJECT WITH UNIQUE KEYS FROM t", vec![]),
        (
            "CREATE TRIGGER g BEFORE TRUNCATE ON t EXECUTE PROCEDURE f(1.5)",
            vec!["unsupported_create_trigger"],
        ),
        ("CREATE TEMP TABLE t (a int UNIQUE NULLS NOT DISTINCT)", vec!["temp_table"]),
        ("CREATE SCHEMA s CREATE TABLE t (id serial) GRANT SELECT ON t TO r", vec!["serial_type"]),
        ("CREATE SCHEMA s CREATE UNLOGGED TABLE t (a int)", vec!["unsupported_unlogged_table"]),
        ("CREATE SCHEMA s GRANT ALL ON t TO r CREATE SEQUENCE q", vec!["sequence_cache_missing"]),
    ] {
        assert_eq!(rules(sql), expected, "{sql}");
    }
}

#[test]
fn what_earlier_statements_create_decides_about_later_ones() {
    for (statements, expected) in [
        (
            vec!["CREATE TABLE t (id int PRIMARY KEY, v jsonb)", "CREATE INDEX ASYNC ON t (v)"],
            vec!["key_type"],
        ),
        (
            vec![
                "CREATE TABLE t (id int)",
                "ALTER TABLE t ADD v json",
                "CREATE INDEX ASYNC ON t (v)",
            ],
            vec!["key_type"],
        ),
        (
            vec![
                "CREATE TABLE t (id int, v json)",
                "ALTER TABLE t RENAME TO u",
                "ALTER TABLE u RENAME COLUMN v TO w",
                "CREATE INDEX ASYNC ON public.u (w)",
            ],
            vec!["key_type"],
        ),
        (vec!["CREATE TABLE t (v json)", "DROP TABLE t", "CREATE INDEX ASYNC ON t (v)"], vec![]),
        (
            vec![
                "CREATE TABLE t (a int, b int, CONSTRAINT k PRIMARY KEY (a))",
                "ALTER TABLE t DROP a",
            ],
            vec!["primary_key_removal"],
        ),
        (
            vec![
                "CREATE TABLE t (a int CONSTRAINT k PRIMARY KEY)",
                "ALTER TABLE t DROP CONSTRAINT k",
            ],
            vec!["primary_key_removal"],
        ),
        (vec!["CREATE ROLE r", "AWS IAM GRANT r TO 'arn:aws:iam::1:role/x'"], vec!["iam_grant"]),
        (vec!["CREATE DOMAIN citext AS text", "CREATE TABLE t (a citext)"], vec![]),
        (vec!["CREATE TABLE t (a citext)"], vec!["unsupported_type"]),
    ] {
        let found = lint(&statements).pop().unwrap_or_default();
        let rules: Vec<_> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, expected, "{statements:?}");
    }
}

#[test]
fn the_collation_of_a_key_is_a_warning_unless_dsql_does_not_have_it() {
    use FindingSeverity::{Rejected, Unlisted};
    for (sql, expected) in [
        ("CREATE INDEX ASYNC i ON t (a COLLATE \"de\")", vec![("collation", Rejected)]),
        ("CREATE UNIQUE INDEX ASYNC i ON t (b, a COLLATE \"C\")", vec![("collation", Unlisted)]),
        (
            "CREATE INDEX ASYNC i ON t ((a COLLATE \"C\" || b)) WHERE (a COLLATE \"C\" > 'x')",
            vec![],
        ),
    ] {
        let found = lint(&[sql]).pop().unwrap_or_default();
        let found: Vec<_> = found.iter().map(|finding| (finding.rule, finding.severity)).collect();
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn each_statement_has_its_own_findings() {
    let found = lint(&["TRUNCATE t", "SELECT 1", "CREATE INDEX i ON t (a)"]);

    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(lint::<&str>(&[]), Vec::<Vec<Finding>>::new());
}

#[test]
fn transactions_are_not_linted() {
    assert_eq!(rules("BEGIN"), [""; 0]);
    assert_eq!(rules("COMMIT"), [""; 0]);
}

#[test]
fn noise_and_the_corpus_of_the_splitter_neither_panic_nor_overflow() {
    let mut random = Random::new(7);
    let noise: Vec<String> = (0..300).map(|_| noise(&mut random, 30)).collect();
    assert_eq!(lint(&noise).len(), 300);

    for corpus in [
        include_str!("../split/corpus/comments.sql"),
        include_str!("../split/corpus/dsql.sql"),
        include_str!("../split/corpus/functions.sql"),
        include_str!("../split/corpus/literals.sql"),
    ] {
        let pieces: Vec<&str> = split(corpus).unwrap().iter().map(|piece| piece.text).collect();
        assert_eq!(lint(&pieces).len(), pieces.len());
    }
}

#[test]
fn deep_and_long_statements_neither_overflow_nor_take_quadratic_time() {
    // Each is just under the limit. Without broken lines this takes minutes.
    let chain = format!("SELECT {}1", "1+".repeat(input::LARGEST / 2 - 10));
    let nested = format!("SELECT {}1{}", "(".repeat(9_900), ")".repeat(9_900));
    let rows = format!("INSERT INTO t VALUES {}(1)", "(1,'a'),".repeat(3_300));
    let columns: Vec<String> = (0..4_900).map(|number| format!("c{number} int")).collect();
    let wide = format!("CREATE TABLE t ({})", columns.join(","));
    let cases = format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(1_900), " END".repeat(1_900));
    for sql in [&chain, &nested, &rows, &wide, &cases] {
        assert!(LintInput::of(sql).is_some());
    }

    let found = lint(&[chain, nested, rows, wide, cases]);

    let is_expected = |finding: &Finding| {
        finding.severity == FindingSeverity::Unparsed || finding.rule == "too_many_columns"
    };
    assert!(found.iter().flatten().all(is_expected));
}
