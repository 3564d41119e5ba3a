//! Lets the server print expressions and queries in its own form, without creating anything.
//!
//! `EXPLAIN` plans a query and prints the expressions of the plan, as the functions for the catalog
//! print them. It does not run the query. Two texts that are printed alike mean the same in the
//! database as it is now.

use crate::database::error::{Error, Outcome};
use crate::database::session::{Answers, Session};
use crate::migration::expression::{Expression, ExpressionScope};

/// A text in every query. If the server prints it, it prints the other expressions too.
const MARK: &str = "'terraform-provider-dsql'";

impl Session {
    /// Prints expressions; read-only. An item is `None` if the server cannot print the expression.
    ///
    /// # Errors
    /// As [`Session::transact`], unless the server rejects an expression.
    pub async fn explain(
        &mut self,
        expressions: &[Expression],
    ) -> Result<Vec<Option<String>>, Error> {
        let mut printed = Vec::with_capacity(expressions.len());
        // The server discards what follows a rejected one.
        while printed.len() < expressions.len() {
            let rest = &expressions[printed.len()..];
            let sql: Vec<String> = rest.iter().map(explain_sql).collect();
            let Answers { rows, error, .. } = self.read_so_far(&sql.join(";\n")).await;
            let count = rows.len();
            printed.extend(rows.into_iter().map(|rows| {
                let lines = rows.into_iter().filter_map(|row| row.into_iter().next().flatten());
                let text = lines.collect::<Vec<_>>().join("\n");
                text.contains(MARK).then_some(text)
            }));
            match error {
                Some(error @ Error::Server(_)) if error.outcome() == Outcome::NotApplied => {
                    tracing::debug!(%error, "an expression cannot be printed");
                    printed.push(None);
                }
                Some(error) => return Err(error),
                None if count < rest.len() => {
                    return Err(Error::Answer("EXPLAIN returned another number of plans".into()));
                }
                None => {}
            }
        }
        printed.truncate(expressions.len());
        Ok(printed)
    }
}

fn explain_sql(expression: &Expression) -> String {
    let text = &expression.text;
    let query = match &expression.scope {
        ExpressionScope::Constant => format!("SELECT ({text}), {MARK}"),
        ExpressionScope::Table(table) => format!("SELECT ({text}), {MARK} FROM {table}"),
        // With one row, the planner would replace the name with the value.
        ExpressionScope::Value(name) => format!(
            "SELECT ({text}), {MARK}
               FROM (VALUES (NULL::{name}), (NULL::{name})) AS of_domain (value)"
        ),
        // The plan shows the names of the columns.
        ExpressionScope::Query { columns } => format!(
            "WITH query {} AS MATERIALIZED ({text}\n) SELECT *, {MARK} FROM query",
            columns.as_deref().unwrap_or_default()
        ),
    };
    format!("EXPLAIN (VERBOSE, COSTS OFF) {query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_is_part_of_a_query_that_only_reads() {
        let sql = |scope, text: &str| explain_sql(&Expression { scope, text: text.into() });
        assert_eq!(
            sql(ExpressionScope::Constant, "1 + 1"),
            format!("EXPLAIN (VERBOSE, COSTS OFF) SELECT (1 + 1), {MARK}")
        );
        assert!(sql(ExpressionScope::Table("public.t".into()), "a").ends_with("FROM public.t"));
        assert!(sql(ExpressionScope::Value("text".into()), "value <> ''").contains("(NULL::text)"));
        let query = sql(ExpressionScope::Query { columns: Some("(a)".into()) }, "SELECT 1");
        assert!(query.contains("WITH query (a) AS MATERIALIZED (SELECT 1\n)"), "{query}");
    }
}
