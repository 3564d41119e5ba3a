//! Writes that may touch more than 3,000 rows.
//!
//! 3,000 modified rows are the limit of a transaction, rows of `INSERT … SELECT` among them (AWS
//! user guide, "Cluster quotas and database limits"); the statement fails with `54000`.

use super::Hazard;
use super::scene::{Scene, without};

pub(super) static RULE: Hazard = Hazard {
    name: "unbatched_write",
    message: "A transaction of DSQL may change 3,000 rows. If there are more, the statement fails \
              and changes none; neighbouring INSERT, UPDATE and DELETE statements share a \
              transaction, so their rows count together.",
    help: "Write `-- dsql:batch` on the line above the statement, and a LIMIT into it: it is then \
           repeated until it changes no row. Or cut the work into statements of at most 3,000 \
           rows, with COMMIT between them.",
    check,
};

fn check(scene: &Scene<'_>) -> bool {
    let limited = |rest: &[&str]| rest.contains(&"WHERE");
    match scene.words.as_slice() {
        ["UPDATE", rest @ ..] | ["DELETE", "FROM", rest @ ..] => {
            scene.may_have_rows(rest) && !limited(rest)
        }
        ["INSERT", "INTO", rest @ ..] => selects(rest),
        // A common table expression before a write; one behind it that also writes.
        ["WITH", rest @ ..] => {
            let writes = ["UPDATE", "DELETE"].iter().any(|write| rest.contains(write));
            writes && !limited(rest) || insert_of(rest).is_some_and(selects)
        }
        _ => false,
    }
}

/// Whether rows come from a table: `SELECT 1` is one row.
fn selects(rest: &[&str]) -> bool {
    let Some(select) = rest.iter().position(|word| *word == "SELECT" || *word == "TABLE") else {
        return false;
    };
    // VALUES with a subquery in it is as many rows as it shows.
    let before = &rest[..select];
    !before.contains(&"VALUES") && (rest[select] == "TABLE" || reads(&rest[select..]))
}

fn reads(select: &[&str]) -> bool {
    select.contains(&"FROM") && !select.windows(2).any(|part| part == ["LIMIT", "1"])
}

fn insert_of<'a, 'w>(words: &'a [&'w str]) -> Option<&'a [&'w str]> {
    let insert = words.windows(2).position(|part| part == ["INSERT", "INTO"])?;
    Some(without(&words[insert..], &["INSERT", "INTO"]))
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn writes_without_a_limit_are_named() {
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
    fn writes_of_few_rows_are_not() {
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
