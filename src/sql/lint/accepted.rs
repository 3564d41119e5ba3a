//! What dsql-lint 0.2.22 refuses or cannot read, and DSQL accepts.
//!
//! Each entry with its source. An entry goes when dsql-lint has caught up; the test below then
//! fails, because it asks dsql-lint itself.

/// A finding that is wrong.
struct Accepted {
    /// The rule of dsql-lint.
    rule: &'static str,
    /// What the statement begins with.
    begins: &'static [&'static str],
    /// Words that stand next to each other somewhere after that; none if all such statements are
    /// accepted.
    has: &'static [&'static str],
    /// Words that stand nowhere in it.
    lacks: &'static [&'static str],
    /// A statement that shows it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test lints it"))]
    example: &'static str,
}

/// Whether a finding of this rule about a statement of these words is wrong.
pub(super) fn accepts(rule: &str, words: &[String]) -> bool {
    ACCEPTED.iter().any(|accepted| accepted.rule == rule && accepted.fits(words))
}

impl Accepted {
    fn fits(&self, words: &[String]) -> bool {
        words.len() >= self.begins.len()
            && words.iter().zip(self.begins).all(|(word, begin)| word == begin)
            && (self.has.is_empty() || words.windows(self.has.len()).any(|part| part == self.has))
            && !self.lacks.iter().any(|lacking| words.iter().any(|word| word == lacking))
    }
}

const fn unreadable(
    begins: &'static [&'static str],
    has: &'static [&'static str],
    example: &'static str,
) -> Accepted {
    Accepted { rule: super::PARSE_ERROR, begins, has, lacks: &[], example }
}

static ACCEPTED: &[Accepted] = &[
    // Works on a cluster: winebarrel/pistachio, 2026-10-10; also in the grammar that AWS derived
    // by running statements on a cluster (awslabs/aurora-dsql-tools, dsql-lint/grammar).
    Accepted {
        rule: "unsupported_alter_index",
        begins: &["ALTER", "INDEX"],
        has: &["RENAME", "TO"],
        lacks: &[],
        example: "ALTER INDEX i RENAME TO j",
    },
    unreadable(&["ALTER", "INDEX"], &["RENAME", "TO"], "ALTER INDEX IF EXISTS i RENAME TO j"),
    // AWS user guide, "ALTER TABLE syntax support", and the grammar.
    unreadable(&["ALTER", "TABLE"], &["SET", "SCHEMA"], "ALTER TABLE t SET SCHEMA s"),
    unreadable(
        &["ALTER", "TABLE"],
        &["SET", "GENERATED"],
        "ALTER TABLE t ALTER COLUMN id SET GENERATED ALWAYS",
    ),
    unreadable(
        &["ALTER", "TABLE"],
        &["SET", "INCREMENT"],
        "ALTER TABLE t ALTER COLUMN id SET INCREMENT BY 2",
    ),
    unreadable(&["ALTER", "TABLE"], &["RESTART"], "ALTER TABLE t ALTER COLUMN id RESTART WITH 5"),
    // AWS user guide, "Supported subsets of SQL"; on a cluster: pistachio. Adding a constraint and
    // SET NOT NULL are refused, see gaps.rs.
    Accepted {
        rule: super::PARSE_ERROR,
        begins: &["ALTER", "DOMAIN"],
        has: &[],
        lacks: &["ADD", "VALIDATE"],
        example: "ALTER DOMAIN d RENAME TO e",
    },
    // Release notes of 2026-04-24: CREATE, GRANT nested in CREATE SCHEMA.
    unreadable(&["CREATE", "SCHEMA"], &[], "CREATE SCHEMA s CREATE TABLE t (id int PRIMARY KEY)"),
    // AWS user guide, "CREATE TABLE syntax support".
    unreadable(&["CREATE", "TABLE"], &["INCLUDING"], "CREATE TABLE t (LIKE u INCLUDING ALL)"),
    unreadable(&["CREATE", "TABLE"], &["EXCLUDING"], "CREATE TABLE t (LIKE u EXCLUDING ALL)"),
    // On a cluster: pistachio, and the grammar.
    unreadable(&["COMMENT", "ON"], &[], "COMMENT ON FUNCTION f(int) IS 'x'"),
    // Membership of roles: AWS user guide, "Database roles and IAM".
    Accepted {
        rule: super::PARSE_ERROR,
        begins: &["GRANT"],
        has: &[],
        lacks: &["ON"],
        example: "GRANT reader TO app",
    },
    Accepted {
        rule: super::PARSE_ERROR,
        begins: &["REVOKE"],
        has: &[],
        lacks: &["ON"],
        example: "REVOKE reader FROM app",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::words;
    use crate::sql::lint::{lint, names};

    #[test]
    fn dsql_lint_still_refuses_every_example_and_we_do_not() {
        for accepted in ACCEPTED {
            let theirs: Vec<_> = dsql_lint::lint_sql(accepted.example)
                .iter()
                .map(|finding| names::name(finding.rule))
                .collect();

            assert_eq!(theirs, [accepted.rule], "{}", accepted.example);
            assert!(accepted.fits(&words(accepted.example)), "{}", accepted.example);
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
