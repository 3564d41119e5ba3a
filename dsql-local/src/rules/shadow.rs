//! What a writing statement would have answered, asked without taking a lock.
//!
//! DSQL never waits: of two transactions that write a row, both statements report their rows and one COMMIT fails.
//! PostgreSQL makes the second statement wait. The relay takes it back then, and answers with the count, or the rows, of
//! its shadow. Not every statement has one: those with RETURNING would have to give values that nobody has computed, and
//! a WITH that writes has no reading form. For them the conflict comes at the statement.

use squawk_syntax::{SyntaxKind, SyntaxNode};

/// The reading form of a writing statement. Parameters keep their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shadow {
    /// A query for the count of rows, after these words of the command tag.
    Count { tag: &'static str, sql: String },
    /// As many rows, whatever the tables hold.
    Rows { tag: &'static str, count: usize },
    /// A query with the very answer of the statement: it only locks besides.
    Answer { sql: String },
}

pub(super) fn of(tree: &SyntaxNode) -> Option<Shadow> {
    let writes =
        |kind| matches!(kind, SyntaxKind::INSERT | SyntaxKind::UPDATE | SyntaxKind::DELETE);
    if tree.descendants().skip(1).any(|node| writes(node.kind())) {
        return None;
    }
    match tree.kind() {
        SyntaxKind::SELECT => unlocked(tree),
        _ if child(tree, SyntaxKind::RETURNING_CLAUSE).is_some() => None,
        SyntaxKind::UPDATE => changed(tree, "UPDATE", SyntaxKind::FROM_CLAUSE),
        SyntaxKind::DELETE => changed(tree, "DELETE", SyntaxKind::USING_CLAUSE),
        SyntaxKind::INSERT => inserted(tree),
        _ => None,
    }
}

/// `SELECT .. FOR UPDATE` without the locking clauses.
fn unlocked(tree: &SyntaxNode) -> Option<Shadow> {
    let mut sql = tree.text().to_string();
    let start = usize::from(tree.text_range().start());
    let clauses: Vec<_> =
        tree.children().filter(|node| node.kind() == SyntaxKind::LOCKING_CLAUSE).collect();
    (!clauses.is_empty()).then_some(())?;
    for clause in clauses.into_iter().rev() {
        let range = clause.text_range();
        sql.replace_range(usize::from(range.start()) - start..usize::from(range.end()) - start, "");
    }
    Some(Shadow::Answer { sql })
}

fn changed(tree: &SyntaxNode, tag: &'static str, others: SyntaxKind) -> Option<Shadow> {
    let text = |kind| child(tree, kind).map(|node| node.text().to_string());
    let relation = text(SyntaxKind::RELATION_NAME)?;
    let with = text(SyntaxKind::WITH_CLAUSE).unwrap_or_default();
    let alias = text(SyntaxKind::OPTIONAL_AS_ALIAS).unwrap_or_default();
    let condition = text(SyntaxKind::WHERE_CLAUSE).unwrap_or_default();
    let Some(others) = text(others) else {
        let sql = format!("{with} SELECT count(*) FROM {relation} {alias} {condition}");
        return Some(Shadow::Count { tag, sql });
    };
    // A row is changed once, however many rows of the other tables it meets.
    let name = child(tree, SyntaxKind::OPTIONAL_AS_ALIAS)
        .and_then(|alias| child(&alias, SyntaxKind::TABLE_ALIAS))
        .map_or_else(|| relation.clone(), |alias| alias.text().to_string());
    let name = name.split_whitespace().last()?.trim_end_matches('*').rsplit('.').next()?.to_owned();
    let others = others.split_once(char::is_whitespace)?.1;
    let sql = format!(
        "{with} SELECT count(DISTINCT {name}.ctid::text) FROM {relation} {alias}, {others} {condition}"
    );
    Some(Shadow::Count { tag, sql })
}

fn inserted(tree: &SyntaxNode) -> Option<Shadow> {
    let tag = "INSERT 0";
    if child(tree, SyntaxKind::DEFAULT_VALUES).is_some() {
        return Some(Shadow::Rows { tag, count: 1 });
    }
    if let Some(values) = child(tree, SyntaxKind::VALUES) {
        let rows = child(&values, SyntaxKind::ROW_LIST)?;
        let count = rows.children().filter(|node| node.kind() == SyntaxKind::ROW).count();
        return Some(Shadow::Rows { tag, count });
    }
    let query = child(tree, SyntaxKind::SELECT)?.text().to_string();
    let with =
        child(tree, SyntaxKind::WITH_CLAUSE).map_or(String::new(), |with| with.text().to_string());
    let sql = format!("{with} SELECT count(*) FROM ({query}) AS dsql_rows");
    Some(Shadow::Count { tag, sql })
}

fn child(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shadow(sql: &str) -> Option<Shadow> {
        super::super::translate(sql).remove(0).shadow
    }

    fn count(tag: &'static str, sql: &str) -> Option<Shadow> {
        Some(Shadow::Count { tag, sql: sql.to_owned() })
    }

    fn squeezed(shadow: Option<Shadow>) -> Option<Shadow> {
        let squeeze = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        shadow.map(|shadow| match shadow {
            Shadow::Count { tag, sql } => Shadow::Count { tag, sql: squeeze(sql) },
            Shadow::Answer { sql } => Shadow::Answer { sql: squeeze(sql) },
            Shadow::Rows { .. } => shadow,
        })
    }

    #[test]
    fn changes_are_counted_by_their_condition() {
        for (sql, expected) in [
            ("UPDATE t SET a = 1", count("UPDATE", "SELECT count(*) FROM t")),
            (
                "UPDATE ONLY s.t AS x SET a = $1 WHERE x.b = $2",
                count("UPDATE", "SELECT count(*) FROM ONLY s.t AS x WHERE x.b = $2"),
            ),
            (
                "DELETE FROM s.t USING u, v WHERE t.a = u.a",
                count(
                    "DELETE",
                    "SELECT count(DISTINCT t.ctid::text) FROM s.t , u, v WHERE t.a = u.a",
                ),
            ),
            (
                "WITH q AS (SELECT 1 AS n) UPDATE t x SET a = q.n FROM q",
                count(
                    "UPDATE",
                    "WITH q AS (SELECT 1 AS n) SELECT count(DISTINCT x.ctid::text) FROM t x, q",
                ),
            ),
            (
                "INSERT INTO t SELECT a FROM u WHERE b",
                count("INSERT 0", "SELECT count(*) FROM (SELECT a FROM u WHERE b) AS dsql_rows"),
            ),
        ] {
            assert_eq!(squeezed(shadow(sql)), expected, "{sql}");
        }
    }

    #[test]
    fn inserted_rows_are_counted_in_the_text() {
        for (sql, count) in [
            ("INSERT INTO t VALUES (1, DEFAULT), ($1, (2))", 2),
            ("INSERT INTO t DEFAULT VALUES", 1),
            ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", 1),
        ] {
            assert_eq!(shadow(sql), Some(Shadow::Rows { tag: "INSERT 0", count }), "{sql}");
        }
    }

    #[test]
    fn a_locking_query_is_asked_without_its_locks() {
        let sql = "SELECT a.n FROM t a WHERE a.n = $1 FOR UPDATE OF a FOR KEY SHARE";

        let expected = Shadow::Answer { sql: "SELECT a.n FROM t a WHERE a.n = $1".to_owned() };
        assert_eq!(squeezed(shadow(sql)), Some(expected));
    }

    #[test]
    fn what_has_no_reading_form_has_no_shadow() {
        for sql in [
            "SELECT 1",
            "UPDATE t SET a = 1 RETURNING a",
            "INSERT INTO t VALUES (1) RETURNING a",
            "WITH gone AS (DELETE FROM t) SELECT 1 FOR UPDATE",
            "WITH gone AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM gone",
            "CREATE TABLE t (a int)",
            "COMMIT",
        ] {
            assert_eq!(shadow(sql), None, "{sql}");
        }
    }
}
