//! Writes that may change more than 3,000 rows.
//!
//! A transaction can modify 3,000 rows, including rows of `INSERT … SELECT` (AWS user guide,
//! "Cluster quotas and database limits"). A statement that modifies more fails with `54000`.

use super::Hazard;
use super::objects::qualified_name;
use super::scene::Scene;
use super::subject::HazardSubject;
use crate::sql::tokens::{StatementToken, Tokens};

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
    let tokens = executed(scene.tokens);
    let written = if tokens.begins(&["WITH"]) {
        // The common table expressions may write, and so may the statement after them.
        let mut writes = (0..tokens.len()).filter_map(|start| {
            let (before, rest) = tokens.split_at(start);
            // Not the parts of other clauses: DO UPDATE SET, FOR UPDATE.
            let is_start = !before.last().is_some_and(|word| word.is_any(&["DO", "FOR", "KEY"]));
            is_start.then(|| written(scene, rest))?
        });
        writes.next()
    } else {
        written(scene, tokens)
    };
    let table = written.map(|table| table.after_optional(&["ONLY"]));
    table.map(HazardSubject::of_relation).into_iter().collect()
}

/// The statement that `EXPLAIN ANALYZE` executes, or the statement itself.
fn executed(tokens: Tokens<'_>) -> Tokens<'_> {
    let Some(rest) = tokens.after(&["EXPLAIN"]) else { return tokens };
    let Some((options, statement)) = rest.group() else {
        let analyzed = rest.after(&["ANALYZE"]).or(rest.after(&["ANALYSE"]));
        return analyzed.map_or(Tokens::default(), |rest| rest.after_optional(&["VERBOSE"]));
    };
    let is_on = |option: Tokens<'_>| {
        let value = option.after(&["ANALYZE"]).or(option.after(&["ANALYSE"]));
        value.is_some_and(|value| !value.begins_with_any_word(&["FALSE", "OFF", "0", "'off'"]))
    };
    let is_executed = options.items_at(1).into_iter().any(is_on);
    if is_executed { statement } else { Tokens::default() }
}

/// The table to which the tokens write, if it may be too many rows.
fn written<'t>(scene: &Scene<'_>, tokens: Tokens<'t>) -> Option<Tokens<'t>> {
    let changed = tokens.after(&["UPDATE"]).or(tokens.after(&["DELETE", "FROM"]));
    if let Some(rest) = changed {
        let is_many = scene.may_have_rows(rest) && !names_few_rows(scene, rest);
        return is_many.then_some(rest);
    }
    tokens.after(&["INSERT", "INTO"]).filter(|rest| inserts_query(*rest))
}

/// Whether the condition of an `UPDATE` or a `DELETE` names at most as many rows as one transaction
/// may change: a value for each column of a key, or a list of them.
fn names_few_rows(scene: &Scene<'_>, rest: Tokens<'_>) -> bool {
    let Some(table) = qualified_name(rest.after_optional(&["ONLY"])) else { return false };
    let depth = rest.first().map_or(0, |first| first.depth);
    // A parenthesis that closes around the statement has a smaller depth.
    let end = rest.iter().position(|token| {
        token.depth < depth || token.depth == depth && token.is_any(&["RETURNING", ";"])
    });
    let (statement, _) = rest.split_at(end.unwrap_or(rest.len()));
    let is_where = |token: &StatementToken<'_>| token.depth == depth && token.is("WHERE");
    let Some(start) = statement.iter().position(is_where) else { return false };
    // A condition may name columns of the tables of a join.
    let (target, condition) = statement.split_at(start);
    if target.iter().any(|word| word.depth == depth && word.is_any(&["FROM", "USING"])) {
        return false;
    }
    let mut named = Vec::new();
    let is_conjunction = name_columns(condition.skip(1), depth, &mut named);
    is_conjunction && scene.has_key(&table, |key| is_named(key, &named))
}

/// A column that a condition compares with values.
struct NamedColumn {
    name: String,
    /// Whether there is one value.
    is_single: bool,
}

fn is_named(key: &[String], named: &[NamedColumn]) -> bool {
    let mut key_columns = key.iter();
    key_columns.all(|column| {
        let mut named = named.iter();
        // The lists of several columns would be multiplied.
        named.any(|it| it.name == *column && (it.is_single || key.len() == 1))
    })
}

/// Collects the columns that a condition compares with values. `false` if it is an alternative, so
/// that no comparison limits the rows.
fn name_columns(condition: Tokens<'_>, depth: usize, named: &mut Vec<NamedColumn>) -> bool {
    if let Some((inside, rest)) = condition.group()
        && rest.is_empty()
    {
        return name_columns(inside, depth + 1, named);
    }
    let is_at = |token: &StatementToken<'_>, word: &str| token.depth == depth && token.is(word);
    if condition.iter().any(|token| is_at(token, "OR")) {
        return false;
    }
    for part in condition.as_slice().split(|token| is_at(token, "AND")) {
        let part = Tokens::from(part);
        let is_group = part.group().is_some_and(|(_, rest)| rest.is_empty());
        if is_group {
            // An alternative inside parentheses limits nothing, but does no harm.
            let mut inside = Vec::new();
            if name_columns(part, depth, &mut inside) {
                named.append(&mut inside);
            }
        } else {
            named.extend(compared(part));
        }
    }
    true
}

/// Reads `column = value`, `value = column`, `column IN (values)` and
/// `column IN (SELECT … LIMIT n)`.
fn compared(part: Tokens<'_>) -> Option<NamedColumn> {
    let column = |tokens: Tokens<'_>| -> Option<(String, usize)> {
        let mut end = 1;
        while tokens.skip(end).begins(&["."]) {
            end += 2;
        }
        Some((tokens.skip(end - 1).first()?.identifier()?, end))
    };
    if let Some(equals) = part.iter().position(|token| token.is("="))
        && let (left, right) = part.split_at(equals)
        && let right = right.skip(1)
    {
        let sides = [(left, right), (right, left)];
        return sides.into_iter().find_map(|(side, value)| {
            let (name, end) = column(side)?;
            let is_found = end == side.len() && is_constant(value);
            is_found.then_some(NamedColumn { name, is_single: true })
        });
    }
    let (name, end) = column(part)?;
    let (inside, rest) = part.skip(end).after(&["IN"])?.group()?;
    let depth = inside.first()?.depth;
    let is_short = if inside.begins(&["SELECT"]) {
        has_limit(inside, depth)
    } else {
        let values = inside.items_at(depth);
        values.len() <= LIMIT && values.into_iter().all(is_constant)
    };
    (rest.is_empty() && is_short).then_some(NamedColumn { name, is_single: false })
}

/// Whether the tokens are a value that is the same for all rows: a constant, perhaps with a type.
fn is_constant(value: Tokens<'_>) -> bool {
    let value = value.after(&["-"]).unwrap_or(value);
    if let Some((inside, _)) = value.after(&["CAST"]).and_then(Tokens::group) {
        return is_constant(inside.split_at(1).0) && inside.skip(1).begins(&["AS"]);
    }
    let is_literal = |token: &StatementToken<'_>| {
        token.raw_string().is_some() || token.is_number() || token.is_any(&["TRUE", "FALSE"])
    };
    // A type may precede a string: uuid '…'.
    let is_typed = value.skip(1).first().is_some_and(|next| next.raw_string().is_some());
    let rest = value.skip(if is_typed { 2 } else { 1 });
    let is_value = is_typed || value.first().is_some_and(is_literal);
    is_value && (rest.is_empty() || rest.begins(&[":", ":"]))
}

/// The number of rows that a transaction may modify.
const LIMIT: usize = 3_000;

/// Whether a query at this depth has a `LIMIT` of few rows.
fn has_limit(query: Tokens<'_>, depth: usize) -> bool {
    let mut limits = query.after_each(&["LIMIT"]).filter(|limit| limit.is_at_depth(depth));
    limits.any(|limit| {
        let number = limit.first().and_then(|token| token.text.parse::<usize>().ok());
        number.is_some_and(|number| number <= LIMIT)
    })
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
    let depth = select.first().map_or(0, |first| first.depth);
    select.has(&["FROM"]) && !has_limit(select, depth)
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::{names, names_with};

    #[test]
    fn writes_without_a_limit_are_reported() {
        for sql in [
            "UPDATE t SET a = 1",
            "UPDATE ONLY s.t SET a = 1",
            "UPDATE t SET a = 1 WHERE id BETWEEN 1 AND 3000",
            "UPDATE t SET a = 1 WHERE b IS NULL",
            "DELETE FROM t",
            "DELETE FROM t WHERE created < now()",
            "DELETE FROM t USING u",
            "INSERT INTO t SELECT * FROM u WHERE a > 0",
            "INSERT INTO t SELECT * FROM u LIMIT 3001",
            "INSERT INTO t (a, b) (SELECT a, b FROM u)",
            "INSERT INTO t TABLE u",
            "WITH old AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM old",
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
            "WITH x AS (SELECT 1) UPDATE t SET a = 1 WHERE b IN (SELECT * FROM x)",
            "EXPLAIN ANALYZE DELETE FROM t",
            "EXPLAIN ANALYZE VERBOSE UPDATE t SET a = 1 WHERE b = 1",
            "explain (costs off, analyze) INSERT INTO t SELECT * FROM u",
            "EXPLAIN (ANALYZE true) WITH x AS (SELECT 1) DELETE FROM t",
        ] {
            assert_eq!(names(&[sql]), ["unbatched_write"], "{sql}");
        }
    }

    #[test]
    fn writes_of_few_rows_are_not_reported() {
        for sql in [
            "INSERT INTO t VALUES (1, (SELECT max(a) FROM u))",
            "INSERT INTO t DEFAULT VALUES",
            "INSERT INTO t SELECT 1, 2",
            "INSERT INTO t SELECT * FROM u LIMIT 3000",
            "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
            "WITH x AS (SELECT 1) INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
            "WITH x AS (SELECT 1) SELECT * FROM x",
            "EXPLAIN DELETE FROM t",
            "EXPLAIN (VERBOSE, ANALYZE off) DELETE FROM t",
            "EXPLAIN ANALYZE SELECT * FROM t",
        ] {
            assert_eq!(names(&[sql]), [""; 0], "{sql}");
        }
        assert_eq!(names(&["CREATE TABLE t (a int)", "UPDATE t SET a = 1"]), [""; 0]);
    }

    /// The table has a key of `id`, and one of `a` and `b`.
    #[test]
    fn an_equality_on_a_whole_key_is_not_reported() {
        for condition in [
            "id = 5",
            "t.id = -5",
            "\"public\".\"t\".\"id\" = 5",
            "'x' = id",
            "id = 'x'::uuid AND c > 1",
            "id = uuid 'x'",
            "id = CAST('x' AS uuid)",
            "(id = 5)",
            "((id = 5) AND (c = 1 OR c = 2))",
            "a = 1 AND b = 'x'",
            "id IN (1, 2, 3)",
            "id IN (SELECT id FROM t WHERE c IS NULL LIMIT 1000)",
            "id = 5 RETURNING id OR id",
        ] {
            for sql in [
                format!("UPDATE t SET c = 1 WHERE {condition}"),
                format!("DELETE FROM t WHERE {condition}"),
                format!("EXPLAIN ANALYZE DELETE FROM t WHERE {condition}"),
                format!("WITH x AS (DELETE FROM t WHERE {condition}) SELECT 1"),
            ] {
                assert_eq!(names_with(&["relation t"], &[&sql]), [""; 0], "{sql}");
                assert_eq!(names(&[&sql]), ["unbatched_write"], "no key is known: {sql}");
            }
        }
        for condition in [
            "id = 5 OR c = 1",
            "(id = 5 OR c = 1)",
            "NOT id = 5",
            "id > 5",
            "id >= 5",
            "id <> 5",
            "id = other",
            "id = u.id",
            "id = (SELECT max(id) FROM t)",
            "id + 1 = 5",
            "a = 1",
            "a = 1 AND b IN (1, 2)",
            "id IN (SELECT id FROM t)",
            "id IN (SELECT id FROM t LIMIT 5000)",
            "id IN (1, other)",
            "id NOT IN (1, 2)",
        ] {
            let sql = format!("UPDATE t SET c = 1 WHERE {condition}");
            assert_eq!(names_with(&["relation t"], &[&sql]), ["unbatched_write"], "{sql}");
        }
    }

    #[test]
    fn a_key_of_a_joined_table_does_not_count() {
        for sql in
            ["UPDATE t SET c = 1 FROM u WHERE u.id = 5", "DELETE FROM t USING u WHERE u.id = 5"]
        {
            assert_eq!(names_with(&["relation t"], &[sql]), ["unbatched_write"], "{sql}");
        }
    }

    #[test]
    fn keys_come_from_earlier_statements_too() {
        let update = "UPDATE public.t SET c = 1 WHERE id = 5";
        let rename = "ALTER TABLE old RENAME TO t";
        for key in [
            "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (id)",
            "CREATE UNIQUE INDEX ASYNC k ON t (id)",
            "CREATE UNIQUE INDEX ASYNC ON public.t (id)",
        ] {
            assert_eq!(names(&[key, update]), [""; 0], "{key}");
            assert_eq!(names(&[rename, update]), ["unbatched_write"]);
        }
        for other in [
            "CREATE UNIQUE INDEX ASYNC k ON t (id, b)",
            "CREATE UNIQUE INDEX ASYNC k ON t (id) WHERE b",
            "CREATE UNIQUE INDEX ASYNC k ON t (lower(id))",
            "CREATE INDEX ASYNC k ON t (id)",
        ] {
            assert_eq!(names(&[other, update]), ["unbatched_write"], "{other}");
        }
        let index = "CREATE UNIQUE INDEX ASYNC k ON t (id)";
        assert_eq!(names(&[index, "DROP INDEX k", update]), ["unbatched_write"]);
    }
}
