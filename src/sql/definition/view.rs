//! Views.
//!
//! The server prints a query in its own way: it qualifies columns, replaces `*`, and adds casts.
//! Two queries that it plans alike need not be one query: an order that an index provides and a
//! join that adds nothing do not show in a plan. [`ViewDefinition::has_same_clauses`] compares what
//! a plan may hide.

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

    /// Whether two queries have the same clauses and read the same relations, as far as their texts
    /// show it.
    #[must_use]
    pub fn has_same_clauses(&self, other: &Self) -> bool {
        clauses(&self.query) == clauses(&other.query)
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
fn clauses(query: &str) -> (BTreeMap<&'static str, usize>, BTreeSet<String>) {
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
        (&["FOR", "UPDATE"], "lock"),
        (&["TABLESAMPLE"], "sample"),
    ];
    let statement = TokenBuf::of(query);
    let (mut counts, mut relations) = (BTreeMap::new(), BTreeSet::new());
    for rest in statement.all().suffixes() {
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
    let mut tokens = tokens.after_optional(&["ONLY"]);
    while let Some(inside) = tokens.after(&["("]) {
        tokens = inside;
    }
    if tokens.begins_with_any(&[&["SELECT"], &["VALUES"], &["WITH"], &["TABLE"]]) {
        return None;
    }
    let name = tokens.first()?.identifier()?;
    let qualified = tokens.skip(1).after(&["."]).and_then(Tokens::first);
    qualified.map_or(Some(name), StatementToken::identifier)
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
        for sql in [
            "AS SELECT a FROM public.t",
            "AS select t.a as b\n from T",
            "AS SELECT \"left\"((t.a)::timestamp with time zone, 1) FROM t",
        ] {
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
        let left = "AS SELECT a FROM t LEFT OUTER JOIN public.u ON true";
        let printed = "AS SELECT t.a FROM (t LEFT JOIN u ON (true))";
        assert!(written(left).has_same_clauses(&written(printed)));
    }
}
