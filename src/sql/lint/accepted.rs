//! Statements that dsql-lint 0.2.22 rejects although DSQL accepts them.
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

static ACCEPTED: &[Accepted] = &[
    // Works on a cluster: winebarrel/pistachio, 2026-10-10; also in the grammar that AWS derived
    // by running statements on a cluster (awslabs/aurora-dsql-tools, dsql-lint/grammar).
    Accepted {
        rule: "unsupported_alter_index",
        form: beginning(&["ALTER", "INDEX"]).having(&["RENAME", "TO"]),
        example: "ALTER INDEX i RENAME TO j",
    },
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
            ("ALTER INDEX i SET TABLESPACE x", "unlisted_statement"),
            ("CREATE TABLE t (a int NOT)", "parse_error"),
            ("ALTER TABLE t ALTER COLUMN c TYPE text", "at_unsupported_alter_column_set_type"),
        ] {
            let found: Vec<_> = lint(&[sql])[0].iter().map(|finding| finding.rule).collect();
            assert_eq!(found, [rule], "{sql}");
        }
    }
}
