//! What dsql-lint 0.2.22 refuses or cannot read, and DSQL accepts.
//!
//! Each entry with its source. An entry goes when dsql-lint has caught up; the test below then
//! fails, because it asks dsql-lint itself.

use super::form::{StatementForm, beginning};
use crate::sql::tokens::Tokens;

/// A finding that is wrong.
struct Accepted {
    /// The rule of dsql-lint.
    rule: &'static str,
    form: StatementForm,
    /// A statement that shows it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test lints it"))]
    example: &'static str,
}

/// Whether a finding of this rule about this statement is wrong.
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
    // SET NOT NULL are refused, see gaps.rs.
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
    fn dsql_lint_still_refuses_every_example_and_we_do_not() {
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
    fn what_else_the_same_statements_can_do_is_still_reported() {
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
