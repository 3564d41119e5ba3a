//! Expressions and clauses of queries that DSQL rejects.
//!
//! Recorded by Dreamescaper/dsql-emulator (`queries.json`, `jobs.json`, 2026-09-15 to 18) and, for
//! text search, by yoshuacas/pgrest-lambda.

use super::earlier::EarlierObjects;
use super::{Finding, FindingSeverity, Location};
use crate::sql::tokens::{StatementToken, Tokens};

pub(super) const NAMES: &[&str] = &[
    "iam_grant",
    "lateral_outer_column",
    "unknown_function",
    "unsupported_group_by_all",
    "unsupported_tablesample",
    "unsupported_text_search_configuration",
    "unsupported_type_in_expression",
];

/// Functions whose first argument may be a text search configuration.
pub(super) const TEXT_SEARCH: &[&str] = &[
    "TO_TSVECTOR",
    "TO_TSQUERY",
    "PLAINTO_TSQUERY",
    "PHRASETO_TSQUERY",
    "WEBSEARCH_TO_TSQUERY",
    "TS_HEADLINE",
];

/// Returns the findings about the expressions and clauses of one statement.
pub(super) fn findings(
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
    location: Location<'_>,
) -> Vec<Finding> {
    // The body of a function is a string, so it is not searched.
    // `CALL` of a procedure is disputed, or not allowed in a migration.
    let of_query = if statement.begins(&["CALL"]) { Tokens::default() } else { statement };
    let mut findings: Vec<Finding> =
        of_query.suffixes().filter_map(|at| expression(at, location)).collect();
    findings.extend(lateral(statement, location));
    findings.extend(iam(statement, earlier, location));
    findings
}

/// Checks what a part of a statement begins with.
fn expression(at: Tokens<'_>, location: Location<'_>) -> Option<Finding> {
    let first = at.first()?;
    let rejected = |rule, message: &str, suggestion: &str| {
        Some(location.rejected(rule, first, message.to_owned(), suggestion.to_owned()))
    };
    if first.is_any(TEXT_SEARCH) {
        let (arguments, _) = at.skip(1).group()?;
        let (configuration, rest) = arguments.split_at(1);
        let name = configuration.first()?.plain_string()?;
        let is_known = ["simple", "pg_catalog.simple"].contains(&name.as_str());
        let has_text = rest.begins(&[","]);
        let message = format!("DSQL reports: text search configuration \"{name}\" does not exist.");
        return (has_text && !is_known).then(|| {
            let suggestion = "Use the configuration 'simple', the only one of DSQL.".to_owned();
            location.rejected("unsupported_text_search_configuration", first, message, suggestion)
        });
    }
    if let Some(arguments) = at.after(&["LINE", "("]).or(at.after(&["CIRCLE", "("])) {
        let is_text = arguments.first().and_then(StatementToken::plain_string).is_some();
        let message =
            format!("DSQL reports: datatype {} not supported.", first.text.to_lowercase());
        let suggestion = "Compute with numbers, or in the application.";
        return if is_text {
            rejected("unsupported_type_in_expression", &message, suggestion)
        } else {
            None
        };
    }
    if at.after(&["TABLESAMPLE"]).is_some_and(|rest| rest.skip(1).begins(&["("])) {
        let message = "DSQL reports: TABLESAMPLE clause not supported.";
        let suggestion = "Write WHERE random() < 0.01.";
        return rejected("unsupported_tablesample", message, suggestion);
    }
    if let Some(rest) = at.after(&["GROUP", "BY", "ALL"]) {
        let is_end = rest.first().is_none_or(|next| {
            next.is_any(&[")", "HAVING", "ORDER", "LIMIT", "UNION", "WINDOW", "OFFSET", "FETCH"])
        });
        let message = "DSQL reports: syntax error at end of input.";
        let suggestion = "Write the columns after GROUP BY.";
        return if is_end {
            rejected("unsupported_group_by_all", message, suggestion)
        } else {
            None
        };
    }
    if at.begins(&["SYS", ".", "CANCEL_JOB"]) {
        let message = "DSQL has no function sys.cancel_job.";
        let suggestion = "Remove the call. DROP INDEX cancels the build of an index.";
        return rejected("unknown_function", message, suggestion);
    }
    if at.begins(&["SYS", ".", "WAIT_FOR_JOB"]) {
        let message = "DSQL reports: sys.wait_for_job(text) is a procedure.";
        let suggestion = "Remove the call. The provider waits for the jobs of its statements.";
        return rejected("unknown_function", message, suggestion);
    }
    None
}

/// Finds `LEFT JOIN LATERAL` whose query returns a column of a table outside of it. Whether DSQL
/// rejects it depends on the types of the columns.
fn lateral(statement: Tokens<'_>, location: Location<'_>) -> Option<Finding> {
    let joins = statement.after_each(&["LEFT", "JOIN", "LATERAL"]);
    let outer_joins = statement.after_each(&["LEFT", "OUTER", "JOIN", "LATERAL"]);
    let found = joins.chain(outer_joins).find_map(|join| outer_column(join.group()?.0))?;
    let message = "DSQL may report: attribute 1 has wrong type. It was recorded for LEFT JOIN \
                   LATERAL with a query that returns a column of another table, depending on the \
                   types."
        .to_owned();
    let suggestion = format!(
        "Select the column of {} outside of LATERAL, or use INNER JOIN LATERAL.",
        found.text
    );
    Some(location.finding(
        "lateral_outer_column",
        FindingSeverity::Unlisted,
        found,
        message,
        suggestion,
    ))
}

/// The table outside of a query whose column the query returns.
fn outer_column<'t>(query: Tokens<'t>) -> Option<&'t StatementToken<'t>> {
    let from = query.iter().position(|token| token.is("FROM"))?;
    let (list, rest) = query.split_at(from);
    let end = rest.iter().position(|token| token.is_any(&["WHERE", "GROUP", "ORDER", "LIMIT"]));
    let (tables, _) = rest.split_at(end.unwrap_or(rest.len()));
    let names = list.as_slice().windows(2).filter(|pair| pair[1].is(".")).map(|pair| &pair[0]);
    let mut outer = names.filter(|name| !tables.iter().any(|table| table.equals(name)));
    outer.next()
}

/// Checks `AWS IAM GRANT`.
fn iam(statement: Tokens<'_>, earlier: &EarlierObjects, location: Location<'_>) -> Option<Finding> {
    let (grant, rest) = statement.split_at(3);
    let is_grant = grant.begins(&["AWS", "IAM", "GRANT"]);
    if !is_grant && !grant.begins(&["AWS", "IAM", "REVOKE"]) {
        return None;
    }
    let role = rest.first()?;
    let identity = rest.last()?;
    let is_arn = identity.plain_string().is_none_or(|text| {
        // A variable may stand for it.
        text.starts_with("arn:") || text.contains("${")
    });
    if !is_arn {
        let message = "DSQL reports: IAM role must look like an IAM ARN.".to_owned();
        let suggestion = "Write the ARN, as in 'arn:aws:iam::123456789012:role/name'.".to_owned();
        return Some(location.rejected("iam_grant", identity, message, suggestion));
    }
    let is_closed = is_grant && earlier.has_role_without_login(&role.identifier()?);
    is_closed.then(|| {
        let message = format!("DSQL reports: role {} must have the LOGIN attribute.", role.text);
        let suggestion = format!("Write CREATE ROLE {} WITH LOGIN.", role.text);
        location.rejected("iam_grant", role, message, suggestion)
    })
}
