//! The result that a writing statement would have, obtained without a lock that another transaction
//! could hold.
//!
//! DSQL never waits. When two transactions write a row, both statements return and one COMMIT
//! fails. PostgreSQL makes the second statement wait, so the relay rolls it back and runs its
//! shadow instead: the same statement on private copies of the tables that it writes, filled from
//! the snapshot of its transaction. A query that only locks rows needs no copies.

use squawk_syntax::{SyntaxKind, SyntaxNode};

/// The form of a statement that waits for no lock. Parameters keep their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shadow {
    pub(crate) sql: String,
    /// Tables that it writes, as the client names them. `sql` writes tables of the same names in
    /// `pg_temp`.
    pub(crate) written: Vec<String>,
    /// Whether it is a `COPY .. FROM STDIN`.
    pub(crate) takes_data: bool,
}

pub(super) fn of(tree: &SyntaxNode) -> Option<Shadow> {
    let takes_data = tree.kind() == SyntaxKind::COPY;
    let targets: Vec<_> = tree.descendants().filter_map(|node| target(&node)).collect();
    let locks = tree.descendants().filter(|node| node.kind() == SyntaxKind::LOCKING_CLAUSE);
    let mut edits: Vec<_> = locks.map(|clause| (clause.text_range(), String::new())).collect();
    for target in &targets {
        let name = target.last_child()?.last_child()?.text().to_string();
        edits.push((target.text_range(), format!("pg_temp.{name}")));
    }
    (!edits.is_empty()).then_some(())?;
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start()));
    let mut sql = tree.text().to_string();
    let start = usize::from(tree.text_range().start());
    for (range, text) in edits {
        sql.replace_range(
            usize::from(range.start()) - start..usize::from(range.end()) - start,
            &text,
        );
    }
    let mut written: Vec<_> = targets.iter().map(|target| target.text().to_string()).collect();
    written.sort();
    written.dedup();
    Some(Shadow { sql, written, takes_data })
}

/// Finds the name of the table that the node writes.
fn target(node: &SyntaxNode) -> Option<SyntaxNode> {
    let child = |node: &SyntaxNode, kind| node.children().find(|child| child.kind() == kind);
    match node.kind() {
        SyntaxKind::INSERT => child(node, SyntaxKind::RELATION_NAME_REF),
        SyntaxKind::UPDATE | SyntaxKind::DELETE => {
            child(&child(node, SyntaxKind::RELATION_NAME)?, SyntaxKind::RELATION_NAME_REF)
        }
        SyntaxKind::COPY => {
            child(&child(node, SyntaxKind::COPY_FROM)?, SyntaxKind::COPY_STDIN)?;
            child(&child(node, SyntaxKind::COPY_TABLE)?, SyntaxKind::TABLE_NAME_REF)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shadow(sql: &str) -> Option<Shadow> {
        super::super::translate(sql).remove(0).shadow
    }

    fn of(sql: &str, written: &[&str], takes_data: bool) -> Option<Shadow> {
        let written = written.iter().map(|name| (*name).to_owned()).collect();
        Some(Shadow { sql: sql.to_owned(), written, takes_data })
    }

    #[test]
    fn a_shadow_writes_to_copies() {
        for (sql, expected, written) in [
            ("INSERT INTO t VALUES ($1)", "INSERT INTO pg_temp.t VALUES ($1)", &["t"][..]),
            (
                "UPDATE ONLY s.t AS x SET a = $1 FROM u WHERE x.b = u.b RETURNING a",
                "UPDATE ONLY pg_temp.t AS x SET a = $1 FROM u WHERE x.b = u.b RETURNING a",
                &["s.t"],
            ),
            (
                "DELETE FROM \"S\".\"T\" USING u RETURNING 1",
                "DELETE FROM pg_temp.\"T\" USING u RETURNING 1",
                &["\"S\".\"T\""],
            ),
            (
                "WITH gone AS (DELETE FROM t RETURNING a) INSERT INTO s.u SELECT a FROM gone",
                "WITH gone AS (DELETE FROM pg_temp.t RETURNING a) \
                 INSERT INTO pg_temp.u SELECT a FROM gone",
                &["s.u", "t"],
            ),
            (
                "WITH gone AS (DELETE FROM t RETURNING a) SELECT a FROM gone",
                "WITH gone AS (DELETE FROM pg_temp.t RETURNING a) SELECT a FROM gone",
                &["t"],
            ),
            (
                "UPDATE t SET a = 1 WHERE b = (SELECT b FROM u LIMIT 1 FOR UPDATE)",
                "UPDATE pg_temp.t SET a = 1 WHERE b = (SELECT b FROM u LIMIT 1 )",
                &["t"],
            ),
        ] {
            assert_eq!(shadow(sql), of(expected, written, false), "{sql}");
        }
        assert_eq!(
            shadow("COPY s.t (a) FROM STDIN"),
            of("COPY pg_temp.t (a) FROM STDIN", &["s.t"], true)
        );
    }

    #[test]
    fn the_shadow_of_a_locking_query_has_no_locks() {
        let sql = "SELECT a.n FROM t a WHERE a.n = $1 FOR UPDATE OF a FOR KEY SHARE";

        assert_eq!(shadow(sql), of("SELECT a.n FROM t a WHERE a.n = $1  ", &[], false));
    }

    #[test]
    fn a_statement_that_locks_no_rows_has_no_shadow() {
        for sql in ["SELECT 1", "CREATE TABLE t (a int)", "COMMIT", "COPY t TO STDOUT"] {
            assert_eq!(shadow(sql), None, "{sql}");
        }
    }
}
