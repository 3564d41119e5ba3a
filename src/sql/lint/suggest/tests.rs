//! Tests of the parent module.

use std::fmt::Write as _;

use crate::sql::lint::{
    FindingSeverity, columns, dialects, disputed, gaps, keys, lint, names, queries,
};
use crate::sql::{StatementKind, classify};

const EXAMPLES: &str = include_str!("examples.txt");

/// Rules of dsql-lint that report nothing about a statement that runs by itself.
const NOT_OF_A_STATEMENT: &[&str] = &[
    "alter_add_primary_key_collapse",
    "alter_add_unique_collapse",
    "alter_column_set_compression_strip",
    "at_unsupported_add_check",
    "at_unsupported_alter_column_add_generated",
    "at_unsupported_drop_constraint",
    "at_unsupported_unique_using_index",
    "foreign_key",
    "identity_add_generated_collapse",
    "identity_not_null",
    "index_partial",
    "mixed_ddl_dml_transaction",
    "multi_ddl_transaction",
    "mysql_auto_increment_to_identity",
    "mysql_data_statement_dropped",
    "mysql_enum_to_varchar",
    "mysql_index_prefix_dropped",
    "mysql_index_renamed",
    "mysql_invalid_default_dropped",
    "mysql_on_update_dropped",
    "mysql_set_to_text",
    "mysql_unsigned_widened",
    "parse_error",
    "serial_sequence_idiom",
    // `accepted.rs` contains the only statement that it reports.
    "unsupported_alter_index",
];

/// Rules about statements that a migration must not contain, whatever the linter says.
const NOT_IN_A_MIGRATION: &[(&str, &str)] = &[
    ("set_transaction", "SET TRANSACTION READ ONLY"),
    ("transaction_isolation", "BEGIN ISOLATION LEVEL SERIALIZABLE"),
    ("unsupported_copy_from_file", "COPY t FROM '/x'"),
    ("unsupported_deallocate", "DEALLOCATE p"),
    ("unsupported_declare_cursor", "DECLARE c CURSOR FOR SELECT 1"),
    ("unsupported_discard", "DISCARD ALL"),
    ("unsupported_listen", "LISTEN c"),
    ("unsupported_load", "LOAD 'x'"),
    ("unsupported_lock_table", "LOCK TABLE t"),
    ("unsupported_notify", "NOTIFY c"),
    ("unsupported_prepare", "PREPARE p AS SELECT 1"),
    ("unsupported_release_savepoint", "RELEASE SAVEPOINT a"),
    ("unsupported_rollback_to_savepoint", "ROLLBACK TO SAVEPOINT a"),
    ("unsupported_savepoint", "SAVEPOINT a"),
    ("unsupported_unlisten", "UNLISTEN c"),
];

/// Rules whose findings are always warnings, with tests of their own.
const WARNINGS: &[&str] =
    &["lateral_outer_column", "unsupported_call", "unsupported_create_procedure", "unsupported_do"];

/// The rule, the statements before, and the rejected statement of each example.
fn examples() -> Vec<(&'static str, Vec<&'static str>, String)> {
    let columns: Vec<String> = (0..300).map(|number| format!("c{number} int")).collect();
    let (mut rule, mut before, mut examples) = ("", Vec::new(), Vec::new());
    for line in
        EXAMPLES.lines().filter(|line| !line.is_empty() && !line.starts_with("# ") && *line != "#")
    {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            (rule, before) = (name, Vec::new());
        } else if let Some(sql) = line.strip_prefix("+ ") {
            before.push(sql);
        } else {
            let sql = line.replace("MANY", &columns.join(", "));
            examples.push((rule, std::mem::take(&mut before), sql));
        }
    }
    examples
}

#[test]
fn each_rule_suggests_statements_that_the_linter_accepts_or_says_what_to_do() {
    let (mut shown, mut missing) = (String::new(), Vec::new());
    for (rule, before, sql) in examples() {
        let statements: Vec<&str> = before.iter().copied().chain([sql.as_str()]).collect();
        let findings = lint(&statements).pop().unwrap_or_default();
        let finding = findings.iter().find(|finding| finding.rule == rule);
        let Some(finding) = finding else {
            missing.push(format!("{rule}: {sql}: {findings:?}"));
            continue;
        };
        assert_eq!(finding.severity, FindingSeverity::Rejected, "{rule}");
        assert!(finding.suggestion.len() > 5, "{rule}");
        writeln!(shown, "[{rule}] {}\n{}", &sql[..sql.len().min(200)], finding.suggestion).unwrap();
        for statement in &finding.replacement {
            let is_allowed = matches!(classify(statement), StatementKind::Run(_));
            assert!(is_allowed, "{statement}");
            writeln!(shown, "    {};", statement.replace('\n', "\n    ")).unwrap();
        }
        for word in ["wait_for_job", "job_id", "application layer", "backfill"] {
            assert!(!finding.suggestion.contains(word), "{}", finding.suggestion);
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    insta::assert_snapshot!(shown);
}

#[test]
fn every_rule_has_an_example() {
    let examples = examples();
    let ours = [columns::NAMES, disputed::NAMES, gaps::NAMES, keys::NAMES, queries::NAMES];
    let all = names::NAMES.iter().chain(ours.into_iter().flatten()).chain([&dialects::NAME]);
    let has_example = |rule: &str| examples.iter().any(|(of, ..)| *of == rule);
    let is_exempt = |rule: &str| {
        NOT_OF_A_STATEMENT.contains(&rule)
            || WARNINGS.contains(&rule)
            || NOT_IN_A_MIGRATION.iter().any(|(of, _)| *of == rule)
    };
    let missing: Vec<_> = all.filter(|rule| has_example(rule) == is_exempt(rule)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (rule, sql) in NOT_IN_A_MIGRATION {
        assert!(matches!(classify(sql), StatementKind::Disallowed(_)), "{rule}");
    }
}
