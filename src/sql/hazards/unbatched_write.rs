//! Writes that may change more than 3,000 rows.
//!
//! A transaction can modify 3,000 rows, including rows of `INSERT … SELECT` (AWS user guide,
//! "Cluster quotas and database limits"). A statement that modifies more fails with `54000`.

use super::Hazard;
use super::scene::Scene;
use super::subject::{HazardSubject, WrittenName};
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "unbatched_write",
    message: "A DSQL transaction can modify at most 3,000 rows. A statement that modifies more \
              fails and changes nothing. Adjacent INSERT, UPDATE and DELETE statements share a \
              transaction, so their rows are counted together.",
    help: "Write `-- dsql:batch` on the line above the statement, and select some of the rows in \
           a subquery, for example WHERE id IN (SELECT id FROM t WHERE … LIMIT 1000). The provider \
           then repeats the statement until it changes no rows. Alternatively, split the work into \
           statements of at most 3,000 rows, with COMMIT between them.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let is_limited = |rest: Tokens<'_>| rest.has(&["WHERE"]);
    let tokens = scene.tokens;
    let table = if let Some(rest) = tokens.after(&["UPDATE"]).or(tokens.after(&["DELETE", "FROM"]))
    {
        (scene.may_have_rows(rest) && !is_limited(rest)).then_some(rest)
    } else if let Some(rest) = tokens.after(&["INSERT", "INTO"]) {
        inserts_query(rest).then_some(rest)
    } else if let Some(rest) = tokens.after(&["WITH"]) {
        // The common table expressions may write, and so may the statement after them.
        let written = |words: &[&str]| rest.after_each(words).next();
        let write = written(&["UPDATE"]).or_else(|| written(&["DELETE", "FROM"]));
        let insert = written(&["INSERT", "INTO"]).filter(|insert| inserts_query(*insert));
        write.filter(|_| !is_limited(rest)).or(insert)
    } else {
        None
    };
    let table = table.map(|rest| rest.after_optional(&["ONLY"]));
    table.map(|table| HazardSubject::of(WrittenName::first(table))).into_iter().collect()
}

/// Whether the rows of an `INSERT` come from a table: `SELECT 1` is one row.
fn inserts_query(rest: Tokens<'_>) -> bool {
    let Some(start) = rest.iter().position(|token| token.is_any(&["SELECT", "TABLE"])) else {
        return false;
    };
    let (before, query) = rest.split_at(start);
    // VALUES inserts as many rows as it lists, also with subqueries in it.
    !before.has(&["VALUES"]) && (query.begins(&["TABLE"]) || reads_rows(query))
}

fn reads_rows(select: Tokens<'_>) -> bool {
    select.has(&["FROM"]) && !select.has(&["LIMIT", "1"])
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn writes_without_a_limit_are_reported() {
        for sql in [
            "UPDATE t SET a = 1",
            "UPDATE ONLY s.t SET a = 1",
            "DELETE FROM t",
            "DELETE FROM t USING u",
            "INSERT INTO t SELECT * FROM u WHERE a > 0",
            "INSERT INTO t (a, b) (SELECT a, b FROM u)",
            "INSERT INTO t TABLE u",
            "WITH old AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM old",
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
        ] {
            assert_eq!(names(&[sql]), ["unbatched_write"], "{sql}");
        }
    }

    #[test]
    fn writes_of_few_rows_are_not_reported() {
        for sql in [
            "UPDATE t SET a = 1 WHERE id BETWEEN 1 AND 3000",
            "INSERT INTO t VALUES (1, (SELECT max(a) FROM u))",
            "INSERT INTO t DEFAULT VALUES",
            "INSERT INTO t SELECT 1, 2",
            "WITH x AS (SELECT 1) SELECT * FROM x",
        ] {
            assert_eq!(names(&[sql]), [""; 0], "{sql}");
        }
        assert_eq!(names(&["CREATE TABLE t (a int)", "UPDATE t SET a = 1"]), [""; 0]);
    }
}
