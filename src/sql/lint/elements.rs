//! Splits `CREATE SCHEMA` into the schema and the objects that are created with it, which dsql-lint
//! cannot parse in one statement.

use crate::sql::tokens::{StatementToken, Tokens};

/// Returns the parts of a statement: several for `CREATE SCHEMA` with other objects, otherwise one.
pub(super) fn parts(statement: Tokens<'_>) -> Vec<Tokens<'_>> {
    let mut parts = Vec::new();
    let mut rest = statement;
    while !rest.is_empty() {
        let tokens = rest.as_slice();
        let is_split = statement.begins(&["CREATE", "SCHEMA"]);
        let next = (1..tokens.len()).find(|at| is_split && begins_element(tokens, *at));
        let (part, after) = rest.split_at(next.unwrap_or(tokens.len()));
        parts.push(part);
        rest = after;
    }
    parts
}

/// Whether an object or a grant begins at a token. `CREATE` is also a privilege, and `GRANT` an
/// option.
fn begins_element(tokens: &[StatementToken<'_>], at: usize) -> bool {
    let (before, token) = (&tokens[at - 1], &tokens[at]);
    token.depth == 0
        && (token.is("CREATE") && !before.is_any(&["GRANT", "REVOKE", ","])
            || token.is("GRANT") && !before.is("WITH"))
}

#[cfg(test)]
mod tests {
    use super::parts;
    use crate::sql::tokens::TokenBuf;

    #[test]
    fn only_create_schema_is_split() {
        let split = |sql: &str| {
            let statement = TokenBuf::of(sql);
            parts(statement.all()).iter().map(|part| part.text()).collect::<Vec<_>>()
        };
        for (sql, expected) in [
            (
                "CREATE SCHEMA s CREATE TABLE t (a int) GRANT SELECT ON t TO r WITH GRANT OPTION",
                vec![
                    "CREATE SCHEMA s",
                    "CREATE TABLE t (a int)",
                    "GRANT SELECT ON t TO r WITH GRANT OPTION",
                ],
            ),
            (
                "CREATE SCHEMA s GRANT USAGE, CREATE ON SCHEMA s TO r CREATE VIEW v AS SELECT 1",
                vec![
                    "CREATE SCHEMA s",
                    "GRANT USAGE, CREATE ON SCHEMA s TO r",
                    "CREATE VIEW v AS SELECT 1",
                ],
            ),
            ("GRANT CREATE ON SCHEMA s TO r", vec!["GRANT CREATE ON SCHEMA s TO r"]),
        ] {
            assert_eq!(split(sql), expected, "{sql}");
        }
    }
}
