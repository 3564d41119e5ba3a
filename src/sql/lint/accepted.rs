//! Statements that dsql-lint 0.2.22 rejects or cannot parse although DSQL accepts them.
//!
//! Each entry has its source. When a later version of dsql-lint accepts a statement, the test below
//! fails, because it runs dsql-lint. Remove the entry then.

use super::form::{StatementForm, beginning};
use crate::sql::tokens::Tokens;

/// A form of statements about which a finding of dsql-lint is wrong.
struct Accepted {
    /// The rule that reports the finding.
    rule: &'static str,
    form: StatementForm,
    /// A statement of the form.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test lints it"))]
    example: &'static str,
}

/// Whether a finding of this rule about a statement is wrong.
pub(super) fn accepts(rule: &str, statement: Tokens<'_>) -> bool {
    ACCEPTED.iter().any(|accepted| accepted.rule == rule && accepted.form.matches(statement))
}

const fn unparsed(form: StatementForm, example: &'static str) -> Accepted {
    Accepted { rule: super::PARSE_ERROR, form, example }
}

static ACCEPTED: &[Accepted] = &[
    // Works on a cluster: winebarrel/pistachio, 2026-10-10; also in the grammar that AWS derived
    // by running statements on a cluster (awslabs/aurora-dsql-tools, dsql-lint/grammar).
    Accepted {
        rule: "unsupported_alter_index",
        form: beginning(&["ALTER", "INDEX"]).having(&["RENAME", "TO"]),
        example: "ALTER INDEX i RENAME TO j",
    },
    unparsed(
        beginning(&["ALTER", "INDEX"]).having(&["RENAME", "TO"]),
        "ALTER INDEX IF EXISTS i RENAME TO j",
    ),
    // AWS user guide, "ALTER TABLE syntax support", and the grammar.
    unparsed(
        beginning(&["ALTER", "TABLE"]).having(&["SET", "SCHEMA"]),
        "ALTER TABLE t SET SCHEMA s",
    ),
    unparsed(
        beginning(&["ALTER", "TABLE"]).having(&["SET", "GENERATED"]),
        "ALTER TABLE t ALTER COLUMN id SET GENERATED ALWAYS",
    ),
    unparsed(
        beginning(&["ALTER", "TABLE"]).having(&["SET", "INCREMENT"]),
        "ALTER TABLE t ALTER COLUMN id SET INCREMENT BY 2",
    ),
    unparsed(
        beginning(&["ALTER", "TABLE"]).having(&["RESTART"]),
        "ALTER TABLE t ALTER COLUMN id RESTART WITH 5",
    ),
    // AWS user guide, "Supported subsets of SQL"; on a cluster: pistachio. Adding a constraint and
    // SET NOT NULL are rejected.
    unparsed(
        beginning(&["ALTER", "DOMAIN"]).lacking(&["ADD", "VALIDATE"]),
        "ALTER DOMAIN d RENAME TO e",
    ),
    // Release notes of 2026-04-24: CREATE, GRANT nested in CREATE SCHEMA.
    unparsed(
        beginning(&["CREATE", "SCHEMA"]),
        "CREATE SCHEMA s CREATE TABLE t (id int PRIMARY KEY)",
    ),
    // AWS user guide, "CREATE TABLE syntax support".
    unparsed(
        beginning(&["CREATE", "TABLE"]).having(&["INCLUDING"]),
        "CREATE TABLE t (LIKE u INCLUDING ALL)",
    ),
    unparsed(
        beginning(&["CREATE", "TABLE"]).having(&["EXCLUDING"]),
        "CREATE TABLE t (LIKE u EXCLUDING ALL)",
    ),
    // On a cluster: pistachio, and the grammar.
    unparsed(beginning(&["COMMENT", "ON"]), "COMMENT ON FUNCTION f(int) IS 'x'"),
    // Membership of roles: AWS user guide, "Database roles and IAM".
    unparsed(beginning(&["GRANT"]).lacking(&["ON"]), "GRANT reader TO app"),
    unparsed(beginning(&["REVOKE"]).lacking(&["ON"]), "REVOKE reader FROM app"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lint::{lint, names};
    use crate::sql::tokens::TokenBuf;

    #[test]
    fn every_example_is_still_rejected_by_dsql_lint_and_accepted_here() {
        for accepted in ACCEPTED {
            let theirs: Vec<_> = dsql_lint::lint_sql(accepted.example)
                .iter()
                .map(|finding| names::name(finding.rule))
                .collect();

            assert_eq!(theirs, [accepted.rule], "{}", accepted.example);
            let example = TokenBuf::of(accepted.example);
            assert!(accepted.form.matches(example.all()), "{}", accepted.example);
            assert_eq!(lint(&[accepted.example]), [[]], "{}", accepted.example);
        }
    }

    #[test]
    fn other_problems_of_the_same_statements_are_still_reported() {
        for (sql, rule) in [
            ("ALTER INDEX i SET TABLESPACE x", "parse_error"),
            ("GRANT SELEKT ON t TO r", "parse_error"),
            ("CREATE TABLE t (a int NOT)", "parse_error"),
            ("ALTER TABLE t ALTER COLUMN c TYPE text", "at_unsupported_alter_column_set_type"),
        ] {
            let found: Vec<_> = lint(&[sql])[0].iter().map(|finding| finding.rule).collect();
            assert_eq!(found, [rule], "{sql}");
        }
    }
}
