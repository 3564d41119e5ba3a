//! Views.
//!
//! The server prints a query in its own way: it qualifies columns, replaces `*`, and adds casts.
//! Two queries that it plans alike need not be one query: an order that an index provides and a
//! join that adds nothing do not show in a plan, and neither do counts, lists of values, windows
//! and the left sides of subqueries. [`ViewDefinition::has_same_clauses`] compares what a plan may
//! hide.

use std::collections::{BTreeMap, BTreeSet};

use crate::migration::fact::QualifiedName;
use crate::migration::quoted_identifier;
use crate::sql::cursor::Cursor;
use crate::sql::tokens::{StatementToken, TokenBuf, Tokens};

/// How a view is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDefinition {
    /// The names of its columns, if they are not those of the query.
    pub columns: Option<Vec<String>>,
    /// Its options.
    pub options: BTreeMap<String, String>,
    /// Its query.
    pub query: String,
    /// The definition as text.
    pub text: String,
}

impl ViewDefinition {
    /// Reads a definition as the catalog describes it. `None` if it is not one.
    #[must_use]
    pub fn described(definition: &str) -> Option<Self> {
        let definition = definition.trim_end().trim_end_matches(';');
        let statement = TokenBuf::of(definition);
        Self::read(&mut Cursor::new(statement.all()))
    }

    /// Reads what follows the name in `CREATE VIEW`.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let before = cursor.rest();
        let columns = if cursor.is_at("(") { Some(cursor.column_list()?) } else { None };
        let mut options = BTreeMap::new();
        if cursor.eat("WITH") {
            options = read_options(cursor)?;
        }
        if !cursor.eat("AS") {
            return None;
        }
        let mut query = cursor.rest();
        let checks: [(&[&str], &str); 3] = [
            (&["WITH", "LOCAL", "CHECK", "OPTION"], "local"),
            (&["WITH", "CASCADED", "CHECK", "OPTION"], "cascaded"),
            (&["WITH", "CHECK", "OPTION"], "cascaded"),
        ];
        if let Some((words, check)) = checks.into_iter().find(|(words, _)| query.ends(words)) {
            query = query.split_at(query.len() - words.len()).0;
            options.insert("check_option".into(), check.into());
        }
        (!query.is_empty()).then(|| Self {
            columns,
            options,
            query: query.text(),
            text: before.text(),
        })
    }

    /// Reads what follows the name in `CREATE RECURSIVE VIEW`, as the query that the server makes
    /// of it.
    pub(in crate::sql) fn read_recursive(
        cursor: &mut Cursor<'_>,
        name: &QualifiedName,
    ) -> Option<Self> {
        let view = Self::read(cursor)?;
        let columns = view.columns?;
        let columns: Vec<String> = columns.iter().map(|name| quoted_identifier(name)).collect();
        let (list, own) = (columns.join(", "), quoted_identifier(&name.name));
        let query =
            format!("WITH RECURSIVE {own} ({list}) AS ({}) SELECT {list} FROM {own}", view.query);
        Some(Self { columns: None, query, ..view })
    }

    /// Whether two queries have the same clauses, literals and hidden names, and read the same
    /// relations, as far as their texts show it.
    #[must_use]
    pub fn has_same_clauses(&self, other: &Self) -> bool {
        let (one, other) = (TokenBuf::of(&self.query), TokenBuf::of(&other.query));
        let (one, other) = (one.all(), other.all());
        clauses(one) == clauses(other) && Hidden::of(one) == Hidden::of(other)
    }
}

/// Reads `(name = value, …)`. An option without a value is true.
pub(in crate::sql) fn read_options(cursor: &mut Cursor<'_>) -> Option<BTreeMap<String, String>> {
    if !cursor.eat("(") {
        return None;
    }
    let options = cursor.list(|cursor| {
        let name = cursor.identifier()?;
        if !cursor.eat("=") {
            return Some((name, "true".to_owned()));
        }
        let value = cursor.string().or_else(|| cursor.identifier())?;
        Some((name, value.to_ascii_lowercase()))
    })?;
    cursor.eat(")").then(|| options.into_iter().collect())
}

/// The clauses of a query, each with the number of its occurrences, and the relations that it
/// reads.
fn clauses(query: Tokens<'_>) -> (BTreeMap<&'static str, usize>, BTreeSet<String>) {
    const CLAUSES: &[(&[&str], &str)] = &[
        (&["SELECT"], "select"),
        (&["DISTINCT", "FROM"], "comparison"),
        (&["DISTINCT"], "distinct"),
        (&["WHERE"], "where"),
        (&["GROUP", "BY"], "group"),
        (&["HAVING"], "having"),
        (&["ORDER", "BY"], "order"),
        (&["LIMIT"], "limit"),
        (&["FETCH"], "limit"),
        (&["OFFSET"], "offset"),
        (&["UNION"], "union"),
        (&["INTERSECT"], "intersect"),
        (&["EXCEPT"], "except"),
        (&["JOIN"], "join"),
        (&["LEFT", "JOIN"], "left"),
        (&["LEFT", "OUTER", "JOIN"], "left"),
        (&["RIGHT", "JOIN"], "right"),
        (&["RIGHT", "OUTER", "JOIN"], "right"),
        (&["FULL", "JOIN"], "full"),
        (&["FULL", "OUTER", "JOIN"], "full"),
        (&["LATERAL"], "lateral"),
        (&["OVER"], "over"),
        (&["RECURSIVE"], "recursive"),
        (&["FOR", "UPDATE"], "for update"),
        (&["FOR", "NO", "KEY", "UPDATE"], "for no key update"),
        (&["FOR", "SHARE"], "for share"),
        (&["FOR", "KEY", "SHARE"], "for key share"),
        (&["SKIP", "LOCKED"], "skip locked"),
        (&["NOWAIT"], "nowait"),
        (&["WITH", "TIES"], "ties"),
        (&["PARTITION", "BY"], "partition"),
        (&["WINDOW"], "window"),
        (&["TABLESAMPLE"], "sample"),
    ];
    let (mut counts, mut relations) = (BTreeMap::new(), BTreeSet::new());
    for rest in query.suffixes() {
        if let Some((_, clause)) = CLAUSES.iter().find(|(words, _)| rest.begins(words)) {
            *counts.entry(*clause).or_default() += 1;
        }
        let read = [&["FROM"], &["JOIN"]].into_iter().find_map(|word| rest.after(word));
        relations.extend(read.and_then(relation));
    }
    (counts, relations)
}

/// The name of the first relation of a list, without its schema. The server puts joins into
/// parentheses.
fn relation(tokens: Tokens<'_>) -> Option<String> {
    let tokens = tokens.after_optional(&["ONLY"]);
    if begins_query(tokens) {
        return None;
    }
    let tokens = unwrapped(tokens);
    let name = tokens.first()?.identifier()?;
    let qualified = tokens.skip(1).after(&["."]).and_then(Tokens::first);
    qualified.map_or(Some(name), StatementToken::identifier)
}

/// The tokens after the parentheses with which they begin.
fn unwrapped(mut tokens: Tokens<'_>) -> Tokens<'_> {
    while let Some(inside) = tokens.after(&["("]) {
        tokens = inside;
    }
    tokens
}

/// Whether the tokens begin with a query, which may be in parentheses.
fn begins_query(tokens: Tokens<'_>) -> bool {
    unwrapped(tokens).begins_with_any(&[&["SELECT"], &["VALUES"], &["WITH"], &["TABLE"]])
}

/// What the plan of a query leaves out, in the order of the text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hidden {
    /// The numbers and strings, except for counts.
    literals: Vec<String>,
    /// The counts after `LIMIT` and `FETCH`, and after `OFFSET`. The server prints both clauses in
    /// an order of its own.
    limits: Vec<String>,
    offsets: Vec<String>,
    /// The names in windows, in `DISTINCT ON`, and before `IN (SELECT …)` and its relatives.
    names: Vec<String>,
}

impl Hidden {
    fn of(query: Tokens<'_>) -> Self {
        let tokens = query.as_slice();
        let mut hidden = Self::default();
        // Whether the tokens since `BY` were positions, which the server prints as expressions.
        let mut is_position = false;
        let mut counted = None;
        for (index, token) in tokens.iter().enumerate() {
            is_position = token.is("BY")
                || is_position && (token.is_number() || token.is_any(&[",", "ASC", "DESC"]));
            let rest = &tokens[index + 1..];
            if let Some(value) = literal(token).filter(|_| !is_position && counted != Some(index)) {
                hidden.literals.push(value);
            }
            let counts = if token.is("OFFSET") { &mut hidden.offsets } else { &mut hidden.limits };
            if token.is_any(&["LIMIT", "OFFSET", "FETCH"]) {
                let skipped = usize::from(token.is("FETCH"));
                match rest.get(skipped).and_then(literal) {
                    Some(count) => {
                        counts.push(count);
                        counted = Some(index + 1 + skipped);
                    }
                    // `FETCH FIRST ROW ONLY`.
                    None if token.is("FETCH") => counts.push("1".to_owned()),
                    None => {}
                }
            }
            let opens = |offset: usize| rest.get(offset).is_some_and(|it| it.is("("));
            let group = match token {
                it if it.is("OVER") && opens(0) => Some(0),
                it if it.is("DISTINCT") && rest.first().is_some_and(|it| it.is("ON")) => Some(1),
                it if it.is("AS") && opens(0) && is_window(&tokens[..index]) => Some(0),
                _ => None,
            };
            if let Some(offset) = group {
                hidden.names.extend(group_names(&rest[offset..]));
            }
            let is_subquery = opens(0) && begins_query(query.skip(index + 1));
            if is_subquery && token.is_any(&["IN", "ANY", "SOME", "ALL"]) {
                hidden.names.extend(left_side(&tokens[..index], token));
            }
        }
        hidden
    }
}

/// The value of a number or a string. The server prints a negative number as a string.
fn literal(token: &StatementToken<'_>) -> Option<String> {
    let number = token.is_number().then(|| token.text.to_owned());
    let value = number.or_else(|| token.string())?;
    Some(value.strip_prefix('-').unwrap_or(&value).to_owned())
}

/// Whether the tokens end with the name of a window that is being defined.
fn is_window(before: &[StatementToken<'_>]) -> bool {
    let Some((_, before)) = before.split_last() else { return false };
    let is_first = before.last().is_some_and(|it| it.is("WINDOW"));
    is_first
        || before.last().is_some_and(|it| it.is(","))
            && before.iter().rev().any(|it| it.is("WINDOW"))
}

/// The names in the group with which the tokens begin, without their qualifiers.
fn group_names(tokens: &[StatementToken<'_>]) -> Vec<String> {
    let end = closing(tokens).unwrap_or(tokens.len());
    names(&tokens[..end])
}

/// The index of the parenthesis that closes the group with which the tokens begin.
fn closing(tokens: &[StatementToken<'_>]) -> Option<usize> {
    let depth = tokens.first()?.depth;
    tokens.iter().skip(1).position(|it| it.is(")") && it.depth == depth).map(|index| index + 1)
}

fn names(tokens: &[StatementToken<'_>]) -> Vec<String> {
    let is_qualifier = |index: usize| tokens.get(index + 1).is_some_and(|it| it.is("."));
    let names = tokens.iter().enumerate().filter(|(index, _)| !is_qualifier(*index));
    // The server omits the default.
    let names = names.filter(|(_, token)| !token.is("ASC"));
    names.filter_map(|(_, token)| token.identifier()).collect()
}

/// The operator and the names on the left side of `IN (SELECT …)`, `= ANY (SELECT …)` and the like,
/// which end `before`.
fn left_side(before: &[StatementToken<'_>], word: &StatementToken<'_>) -> Vec<String> {
    let mut before = before;
    let mut operator = String::new();
    if word.is("IN") {
        operator.push('=');
        before = before.split_last().filter(|(it, _)| it.is("NOT")).map_or(before, |it| it.1);
    } else if let Some((last, rest)) = before.split_last() {
        // `UNION ALL (SELECT …)`.
        if last.is_any(&["UNION", "INTERSECT", "EXCEPT", "SELECT"]) {
            return Vec::new();
        }
        operator = format!("{} {}", last.text, if word.is("ALL") { "all" } else { "" });
        before = rest;
    }
    // The type of `(a)::text`.
    while let [rest @ .., one, other, _] = before
        && one.is(":")
        && other.is(":")
    {
        before = rest;
    }
    let operand = match before.last() {
        Some(last) if last.is(")") => {
            let opens = |it: &StatementToken<'_>| it.is("(") && it.depth == last.depth;
            let start = before.iter().rposition(opens).unwrap_or_default();
            &before[start..]
        }
        Some(_) => &before[before.len() - 1..],
        None => before,
    };
    let mut side = vec![operator.trim_end().to_owned()];
    side.extend(names(operand));
    side
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(sql: &str) -> ViewDefinition {
        let statement = TokenBuf::of(sql);
        ViewDefinition::read(&mut Cursor::new(statement.all())).expect("a view")
    }

    #[test]
    fn columns_options_and_the_query_are_read() {
        let view = written(
            "(a, \"B\") WITH (security_invoker, check_option = 'LOCAL') AS SELECT 1, -- x\n 2",
        );
        assert_eq!(view.columns, Some(vec!["a".into(), "B".into()]));
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let options = [option("check_option", "local"), option("security_invoker", "true")];
        assert_eq!(view.options, BTreeMap::from(options));
        assert_eq!(view.query, "SELECT 1,\n2");

        let view = written("AS SELECT 1 WITH CHECK OPTION");
        assert_eq!(view.options, BTreeMap::from([option("check_option", "cascaded")]));
        assert_eq!(view.query, "SELECT 1");
    }

    #[test]
    fn a_description_is_read_without_its_semicolon() {
        let view = ViewDefinition::described("WITH (security_invoker=true) AS SELECT 1;");
        let view = view.expect("a view");
        assert_eq!(view.query, "SELECT 1");
        assert_eq!(view.options["security_invoker"], "true");
    }

    #[test]
    fn a_recursive_view_is_read_as_its_query() {
        let statement = TokenBuf::of("(n) AS VALUES (1) UNION ALL SELECT n + 1 FROM v");
        let name = QualifiedName { schema: None, name: "v".into() };
        let view = ViewDefinition::read_recursive(&mut Cursor::new(statement.all()), &name);
        assert_eq!(
            view.expect("a view").query,
            "WITH RECURSIVE v (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM v) SELECT n FROM v"
        );
    }

    #[test]
    fn clauses_and_relations_that_a_plan_may_hide_make_a_difference() {
        let plain = written("AS SELECT a FROM t");
        for sql in ["AS SELECT a FROM public.t", "AS select t.a as b\n from T"] {
            assert!(written(sql).has_same_clauses(&plain), "{sql}");
        }
        for sql in [
            "AS SELECT a FROM t ORDER BY a",
            "AS SELECT DISTINCT a FROM t",
            "AS SELECT a FROM t WHERE true",
            "AS SELECT a FROM w",
            "AS SELECT a FROM t LEFT JOIN u ON t.a = u.id",
            "AS SELECT a FROM t LIMIT 5",
            "AS SELECT a FROM t UNION SELECT a FROM t",
        ] {
            assert!(!written(sql).has_same_clauses(&plain), "{sql}");
        }
        for (one, other) in [
            ("a FROM t LIMIT 5 OFFSET 1", "a FROM t LIMIT 6 OFFSET 1"),
            ("a FROM t LIMIT 5 OFFSET 1", "a FROM t LIMIT 1 OFFSET 5"),
            ("a FROM t FETCH FIRST 5 ROWS ONLY", "a FROM t FETCH FIRST 5 ROWS WITH TIES"),
            ("* FROM (VALUES (1, 'a'), (2, 'b')) AS r", "* FROM (VALUES (1, 'b'), (2, 'a')) AS r"),
            ("id FROM t WHERE a NOT IN (SELECT 1)", "id FROM t WHERE b NOT IN (SELECT 1)"),
            ("id FROM t WHERE (a, b) IN (SELECT 1, 2)", "id FROM t WHERE (b, a) IN (SELECT 1, 2)"),
            ("id FROM t WHERE a > ALL (SELECT 1)", "id FROM t WHERE a < ALL (SELECT 1)"),
            ("id FROM t WHERE a > ALL (SELECT 1)", "id FROM t WHERE a > ANY (SELECT 1)"),
            ("sum(a) OVER (ROWS 1 PRECEDING)", "sum(a) OVER (ROWS 2 PRECEDING)"),
            ("sum(a) OVER (ROWS 1 PRECEDING)", "sum(a) OVER (RANGE 1 PRECEDING)"),
            ("sum(a) OVER (PARTITION BY a ORDER BY b)", "sum(a) OVER (ORDER BY a, b)"),
            (
                "lag(a) OVER w FROM t WINDOW w AS (ORDER BY id)",
                "lag(a) OVER w FROM t WINDOW w AS (ORDER BY a)",
            ),
            ("id FROM t WHERE a::text IN (SELECT 1)", "id FROM t WHERE b::text IN (SELECT 1)"),
            ("DISTINCT ON (a) a, b FROM t", "DISTINCT ON (a, b) a, b FROM t"),
            ("a FROM t FOR UPDATE SKIP LOCKED", "a FROM t FOR UPDATE"),
        ] {
            let [one, other] = [one, other].map(|sql| written(&format!("AS SELECT {sql}")));
            assert!(one.has_same_clauses(&one), "{}", one.query);
            assert!(!one.has_same_clauses(&other), "{}, {}", one.query, other.query);
        }
        // As the server prints them.
        for (one, printed) in [
            ("a FROM t LIMIT 5 OFFSET 1", "t.a\n   FROM t\n OFFSET 1\n LIMIT 5"),
            ("a FROM t FETCH FIRST ROW ONLY", "t.a\n   FROM t\n LIMIT 1"),
            (
                "id FROM t WHERE (a, b) NOT IN (SELECT 1, 2)",
                "t.id\n FROM t\n WHERE (NOT ((t.a, t.b) IN ( SELECT 1, 2)))",
            ),
            (
                "id FROM t WHERE a = ANY (SELECT id FROM u)",
                "t.id FROM t WHERE (t.a IN ( SELECT u.id FROM u))",
            ),
            (
                "id FROM t WHERE a > SOME (SELECT -1)",
                "t.id FROM t WHERE (t.a > ANY ( SELECT '-1'::integer))",
            ),
            (
                "count(*) FROM t GROUP BY 1, 2 ORDER BY 1",
                "count(*) FROM t GROUP BY a, b ORDER BY a",
            ),
            (
                "sum(t.a) OVER (PARTITION BY t.b ORDER BY a ASC) FROM t",
                "sum(a) OVER (PARTITION BY b ORDER BY a) FROM t",
            ),
            (
                "id FROM t WHERE a::text IN (SELECT b FROM u)",
                "t.id FROM t WHERE ((t.a)::text IN ( SELECT u.b FROM u))",
            ),
            ("left(a, 1) FROM t", "\"left\"((t.a)::timestamp with time zone, 1) FROM t"),
            ("'x' FROM t UNION ALL (SELECT 'y')", "'x'::text FROM t UNION ALL SELECT 'y'::text"),
        ] {
            let [one, printed] = [one, printed].map(|sql| written(&format!("AS SELECT {sql}")));
            assert!(one.has_same_clauses(&printed), "{}, {}", one.query, printed.query);
        }
        let left = "AS SELECT a FROM t LEFT OUTER JOIN public.u ON true";
        let printed = "AS SELECT t.a FROM (t LEFT JOIN u ON (true))";
        assert!(written(left).has_same_clauses(&written(printed)));
    }
}
