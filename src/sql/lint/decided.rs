//! What the words of a statement decide if dsql-lint cannot parse it.
//!
//! The rules are those that dsql-lint has for the statements that it can parse, and one for
//! statements of PostgreSQL that DSQL is not known to have. Sources as in `gaps.rs`.

use super::form::{StatementForm, beginning};
use super::{Finding, FindingSeverity, advice};
use crate::sql::tokens::Tokens;

/// A form of statements that DSQL rejects.
struct Decided {
    /// A rule of dsql-lint.
    rule: &'static str,
    form: StatementForm,
    /// The error message of DSQL, or what is not supported.
    message: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test lints it"))]
    example: &'static str,
}

/// The rule about statements of PostgreSQL that no source lists as supported.
pub(super) const UNLISTED: &str = "unlisted_statement";

/// Returns the findings about one statement.
pub(super) fn findings(statement: Tokens<'_>) -> Vec<Finding> {
    let decided = DECIDED.iter().filter(|decided| decided.form.matches(statement));
    decided
        .map(|decided| {
            finding(decided.rule, FindingSeverity::Rejected, decided.message.to_owned(), NO_FORM)
        })
        .collect()
}

/// Returns the finding about a statement that no source lists as supported.
pub(super) fn unlisted(statement: Tokens<'_>) -> Option<Finding> {
    let form = UNLISTED_FORMS.iter().find(|form| form.matches(statement))?;
    let message = format!(
        "{} is not in the grammar that AWS derived by running statements on a DSQL cluster.",
        form.words()
    );
    let suggestion = "If DSQL accepts the statement, no change is needed.";
    Some(finding(UNLISTED, FindingSeverity::Unlisted, message, suggestion))
}

fn finding(
    rule: &'static str,
    severity: FindingSeverity,
    message: String,
    suggestion: &str,
) -> Finding {
    let suggestion = advice::advice(rule).unwrap_or(suggestion).to_owned();
    let replacement = Vec::new();
    Finding { rule, severity, line: 0, character: None, message, suggestion, replacement }
}

/// The suggestion of rules for which `advice.rs` has none.
const NO_FORM: &str = "Remove the statement or the clause.";

const fn decided(
    rule: &'static str,
    form: StatementForm,
    message: &'static str,
    example: &'static str,
) -> Decided {
    Decided { rule, form, message, example }
}

const TABLE_AS: &str = "DSQL reports: unsupported statement: CreateTableAs.";
const NO_TRIGGER: &str = "DSQL reports: CREATE TRIGGER not supported.";

static DECIDED: &[Decided] = &[
    decided(
        "unsupported_vacuum",
        beginning(&["VACUUM"]),
        "DSQL reports: unsupported VACUUM statement.",
        "VACUUM ANALYZE t",
    ),
    decided(
        "unsupported_create_trigger",
        beginning(&["CREATE"]).with_kind("TRIGGER"),
        NO_TRIGGER,
        "CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE PROCEDURE f('a', 1.5)",
    ),
    decided(
        "unsupported_materialized_view",
        beginning(&["CREATE", "MATERIALIZED", "VIEW"]),
        TABLE_AS,
        "CREATE MATERIALIZED VIEW v AS SELECT 1 WITH NO DATA",
    ),
    decided(
        "unsupported_materialized_view",
        beginning(&["REFRESH", "MATERIALIZED", "VIEW"]),
        "DSQL does not support materialized views.",
        "REFRESH MATERIALIZED VIEW v",
    ),
    decided(
        "unsupported_alter_type",
        beginning(&["ALTER", "TYPE"]),
        "DSQL reports: ALTER TYPE not supported.",
        "ALTER TYPE y ALTER ATTRIBUTE a TYPE int",
    ),
    decided(
        "create_table_as",
        beginning(&["CREATE"]).with_kind("TABLE").having_outermost("AS"),
        TABLE_AS,
        "CREATE TABLE t AS EXECUTE q",
    ),
    decided(
        "temp_table",
        beginning(&["CREATE", "TEMP", "TABLE"]),
        "DSQL reports: TEMPORARY or TEMP table not supported for CREATE TABLE.",
        "CREATE TEMP TABLE t (a int) USING heap",
    ),
    decided(
        "temp_table",
        beginning(&["CREATE", "TEMPORARY", "TABLE"]),
        "DSQL reports: TEMPORARY or TEMP table not supported for CREATE TABLE.",
        "CREATE TEMPORARY TABLE t (a int) USING heap",
    ),
    decided(
        "unsupported_partition_of",
        beginning(&["CREATE", "TABLE"]).having(&["PARTITION", "OF"]),
        "DSQL reports: PARTITION OF clause not supported for CREATE TABLE.",
        "CREATE TABLE t PARTITION OF u (a DEFAULT 1) FOR VALUES IN (1)",
    ),
    decided(
        "partition_by",
        beginning(&["CREATE", "TABLE"]).having_outermost("PARTITION").having(&["PARTITION", "BY"]),
        "DSQL reports: PARTITION BY clause not supported for CREATE TABLE.",
        "CREATE TABLE t (a int) PARTITION BY HASH (a int4_ops)",
    ),
    decided(
        "inherits",
        beginning(&["CREATE", "TABLE"]).having_outermost("INHERITS"),
        "DSQL does not support INHERITS.",
        "CREATE TABLE t (CHECK (a > 0) NO INHERIT) INHERITS (u)",
    ),
];

/// Statements and clauses of PostgreSQL that are not in the grammar. They are only a warning,
/// because DSQL may have learned them since.
static UNLISTED_FORMS: &[StatementForm] = &[
    beginning(&["ALTER", "COLLATION"]),
    beginning(&["ALTER", "CONVERSION"]),
    beginning(&["ALTER", "DATABASE"]),
    beginning(&["ALTER", "EVENT", "TRIGGER"]),
    beginning(&["ALTER", "FOREIGN"]),
    beginning(&["ALTER", "INDEX"]).lacking(&["RENAME"]),
    beginning(&["ALTER", "LANGUAGE"]),
    beginning(&["ALTER", "MATERIALIZED", "VIEW"]),
    beginning(&["ALTER", "OPERATOR"]),
    beginning(&["ALTER", "PUBLICATION"]),
    beginning(&["ALTER", "RULE"]),
    beginning(&["ALTER", "SERVER"]),
    beginning(&["ALTER", "SUBSCRIPTION"]),
    beginning(&["ALTER", "TABLE"]).having(&["CLUSTER", "ON"]),
    beginning(&["ALTER", "TABLE"]).having(&["DETACH", "PARTITION"]),
    beginning(&["ALTER", "TABLE"]).having(&["SET", "ACCESS", "METHOD"]),
    beginning(&["ALTER", "TABLE"]).having(&["SET", "LOGGED"]),
    beginning(&["ALTER", "TABLE"]).having(&["SET", "TABLESPACE"]),
    beginning(&["ALTER", "TABLE"]).having(&["SET", "UNLOGGED"]),
    beginning(&["ALTER", "TABLE"]).having(&["SET", "WITHOUT"]),
    beginning(&["ALTER", "TABLE"]).having(&["RESET", "("]),
    beginning(&["ALTER", "TABLE"]).having(&["SET", "("]),
    beginning(&["ALTER", "TABLE"]).having_outermost("INHERIT").lacking(&["CHECK"]),
    beginning(&["ALTER", "TABLE"]).having_outermost("OF"),
    beginning(&["ALTER", "TABLE", "ALL", "IN", "TABLESPACE"]),
    beginning(&["ALTER", "TABLESPACE"]),
    beginning(&["ALTER", "TEXT", "SEARCH"]),
    beginning(&["ALTER", "TRIGGER"]),
    beginning(&["ALTER", "USER", "MAPPING"]),
    beginning(&["CHECKPOINT"]),
    beginning(&["CLUSTER"]),
    beginning(&["CREATE", "ACCESS", "METHOD"]),
    beginning(&["CREATE", "CAST"]),
    beginning(&["CREATE", "COLLATION"]),
    beginning(&["CREATE", "CONVERSION"]),
    beginning(&["CREATE", "DEFAULT", "CONVERSION"]),
    beginning(&["CREATE", "EVENT", "TRIGGER"]),
    beginning(&["CREATE", "FOREIGN"]),
    beginning(&["CREATE"]).with_kind("LANGUAGE"),
    beginning(&["CREATE", "OPERATOR"]),
    beginning(&["CREATE", "PUBLICATION"]),
    beginning(&["CREATE"]).with_kind("RULE"),
    beginning(&["CREATE", "SERVER"]),
    beginning(&["CREATE", "SUBSCRIPTION"]),
    beginning(&["CREATE", "TABLE"]).having(&["EXCLUDE", "USING"]),
    beginning(&["CREATE", "TABLE"]).having_outermost("OF"),
    beginning(&["CREATE", "TRANSFORM"]),
    beginning(&["CREATE", "USER", "MAPPING"]),
    beginning(&["DROP", "ACCESS", "METHOD"]),
    beginning(&["DROP", "AGGREGATE"]),
    beginning(&["DROP", "CAST"]),
    beginning(&["DROP", "COLLATION"]),
    beginning(&["DROP", "CONVERSION"]),
    beginning(&["DROP", "DATABASE"]),
    beginning(&["DROP", "FOREIGN"]),
    beginning(&["DROP", "LANGUAGE"]),
    beginning(&["DROP", "OPERATOR"]),
    beginning(&["DROP", "OWNED"]),
    beginning(&["DROP", "PUBLICATION"]),
    beginning(&["DROP", "RULE"]),
    beginning(&["DROP", "SERVER"]),
    beginning(&["DROP", "SUBSCRIPTION"]),
    beginning(&["DROP", "TABLESPACE"]),
    beginning(&["DROP", "TEXT", "SEARCH"]),
    beginning(&["DROP", "TRANSFORM"]),
    beginning(&["DROP", "USER", "MAPPING"]),
    beginning(&["GRANT"]).having(&["ON", "FOREIGN"]),
    beginning(&["GRANT"]).having(&["ON", "LANGUAGE"]),
    beginning(&["GRANT"]).having(&["ON", "LARGE", "OBJECT"]),
    beginning(&["GRANT"]).having(&["ON", "TABLESPACE"]),
    beginning(&["IMPORT", "FOREIGN", "SCHEMA"]),
    beginning(&["REASSIGN", "OWNED"]),
    beginning(&["REINDEX"]),
    beginning(&["SECURITY", "LABEL"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lint::{PARSE_ERROR, lint, names};

    #[test]
    fn every_example_is_rejected_although_dsql_lint_cannot_parse_it() {
        for decided in DECIDED {
            let theirs: Vec<_> = dsql_lint::lint_sql(decided.example)
                .iter()
                .map(|finding| names::name(finding.rule))
                .collect();
            assert_eq!(theirs, [PARSE_ERROR], "{}", decided.example);

            let ours = &lint(&[decided.example])[0];
            let is_it = |found: &Finding| {
                found.rule == decided.rule && found.severity == FindingSeverity::Rejected
            };
            assert!(ours.iter().any(is_it), "{}: {ours:?}", decided.example);
            assert!(names::NAMES.contains(&decided.rule));
        }
    }

    #[test]
    fn a_statement_that_dsql_is_not_known_to_have_is_named_in_a_warning() {
        for (sql, words) in [
            ("CREATE PUBLICATION p FOR TABLE t", "CREATE PUBLICATION"),
            ("ALTER TABLE t DETACH PARTITION u", "ALTER TABLE … DETACH PARTITION"),
            ("ALTER TABLE t NO INHERIT u", "ALTER TABLE … INHERIT"),
            ("CREATE OR REPLACE RULE r AS ON DELETE TO t DO NOTHING", "CREATE … RULE"),
        ] {
            let found = &lint(&[sql])[0];
            assert_eq!(found.len(), 1, "{sql}: {found:?}");
            assert_eq!((found[0].rule, found[0].severity), (UNLISTED, FindingSeverity::Unlisted));
            assert!(found[0].message.starts_with(&format!("{words} is not")), "{:?}", found[0]);
        }
    }
}
