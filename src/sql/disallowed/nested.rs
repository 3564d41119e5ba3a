//! Finds what a migration must not contain inside a statement: calls of functions that change the
//! session, and the statements of a `DO` block.
//!
//! Strings and comments run nothing, except for the body of `DO` and the string that its `EXECUTE`
//! runs. The body of a function or procedure does not run where it is defined.

use super::{Disallowed, NO_SETTING, NOTIFICATIONS, SESSION};
use crate::sql::tokens::{StatementToken, TokenBuf, Tokens};

/// Functions of PostgreSQL. A name that ends with `_` is the beginning of several.
const CALLS: &[(&str, Disallowed)] = &[
    ("set_config", disallowed("set_config", SESSION, NO_SETTING)),
    (
        "setseed",
        disallowed("setseed", SESSION, "Remove the call, and write the values themselves."),
    ),
    ("pg_advisory_", ADVISORY_LOCK),
    ("pg_try_advisory_", ADVISORY_LOCK),
    ("pg_notify", disallowed("pg_notify", NOTIFICATIONS, "Remove the call.")),
];

const ADVISORY_LOCK: Disallowed = disallowed(
    "an advisory lock",
    "Aurora DSQL does not support advisory locks, and the provider's lease excludes other runs",
    "Remove the call.",
);

/// Functions that run a query in a string.
const RUN_A_STRING: &[&str] =
    &["query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "ts_stat"];

/// An update of this view changes the settings of the session.
const SETTINGS_VIEW: &str = "pg_settings";
const SETTINGS_UPDATE: Disallowed = disallowed("UPDATE of pg_settings", SESSION, NO_SETTING);

/// Statements that name a function, or store a call of it, without running it.
const DEFINITIONS: &[&[&str]] = &[
    &["CREATE", "FUNCTION"],
    &["CREATE", "OR", "REPLACE", "FUNCTION"],
    &["CREATE", "PROCEDURE"],
    &["CREATE", "OR", "REPLACE", "PROCEDURE"],
    &["CREATE", "INDEX"],
    &["CREATE", "UNIQUE", "INDEX"],
    &["ALTER", "FUNCTION"],
    &["ALTER", "PROCEDURE"],
    &["ALTER", "ROUTINE"],
    &["DROP"],
    &["GRANT"],
    &["REVOKE"],
    &["COMMENT"],
];

/// Words after which a name with parentheses is a relation with its columns, not a call.
const BEFORE_A_RELATION: &[&str] =
    &["INTO", "TABLE", "EXISTS", "REFERENCES", "VIEW", "AS", "WITH", "RECURSIVE"];

/// Words that precede a statement in a `DO` block.
const BEFORE_A_STATEMENT: &[&str] = &[";", "BEGIN", "THEN", "ELSE", "LOOP"];

/// The statements that a `DO` block must not contain. `SET LOCAL` and `SET CONSTRAINTS` end with
/// the transaction of the block, and the others mean something else inside it.
const IN_A_BLOCK: &[&str] =
    &["SET", "RESET", "DISCARD", "PREPARE", "DEALLOCATE", "LOAD", "LISTEN", "UNLISTEN"];
const ENDS_WITH_THE_BLOCK: &[&[&str]] = &[&["SET", "LOCAL"], &["SET", "CONSTRAINTS"]];

const fn disallowed(
    statement: &'static str,
    reason: &'static str,
    advice: &'static str,
) -> Disallowed {
    Disallowed { statement, reason, advice }
}

/// Returns why the inside of a statement is not allowed. `None` if it is allowed.
pub(super) fn nested(sql: &str, head: Tokens<'_>) -> Option<Disallowed> {
    let is_block = head.begins(&["DO"]);
    if head.begins_with_any(DEFINITIONS) || !is_block && !may_contain_any(sql) {
        return None;
    }
    let statement = TokenBuf::of(sql);
    let tokens = statement.all();
    called(tokens).or_else(|| in_a_query(tokens)).or_else(|| match is_block {
        true => in_a_block(tokens),
        false => None,
    })
}

/// Finds a call in the strings of a statement that runs a string.
fn in_a_query(tokens: Tokens<'_>) -> Option<Disallowed> {
    let is_run = |token: &StatementToken<'_>| {
        name_of(token).is_some_and(|name| RUN_A_STRING.contains(&name.as_str()))
    };
    if !tokens.iter().any(is_run) {
        return None;
    }
    tokens.iter().filter_map(StatementToken::raw_string).find_map(|query| {
        let query = TokenBuf::of(&query);
        called(query.all())
    })
}

/// The name that a token is, also in the notation `U&"…"` with its usual escape character.
fn name_of(token: &StatementToken<'_>) -> Option<String> {
    token.identifier().or_else(|| {
        let (_, inner) = token.text.strip_suffix('"')?.split_once("&\"")?;
        let mut parts = inner.split('\\');
        let mut name = parts.next()?.to_owned();
        for part in parts {
            let (digits, rest) = match part.strip_prefix('+') {
                Some(long) => long.split_at_checked(6)?,
                None => part.split_at_checked(4)?,
            };
            name.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            name.push_str(rest);
        }
        Some(name)
    })
}

/// Whether the text may contain anything to find. Avoids reading the tokens of most statements.
fn may_contain_any(sql: &str) -> bool {
    let text = sql.as_bytes();
    let contains = |name: &str| {
        text.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()))
    };
    CALLS.iter().any(|(name, _)| contains(name)) || contains(SETTINGS_VIEW) || contains("U&\"")
}

/// Finds a call of a function, or an update of the settings.
fn called(tokens: Tokens<'_>) -> Option<Disallowed> {
    let all = tokens.as_slice();
    all.iter().enumerate().find_map(|(at, token)| {
        let name = name_of(token)?;
        let before = unqualified(&all[..at])?;
        if name == SETTINGS_VIEW {
            let updated = before.last()?.is("UPDATE")
                || matches!(before, [.., update, only] if update.is("UPDATE") && only.is("ONLY"));
            return updated.then_some(SETTINGS_UPDATE);
        }
        let is_it = |call: &str| name == call || call.ends_with('_') && name.starts_with(call);
        let (_, disallowed) = CALLS.iter().find(|(call, _)| is_it(call))?;
        let has_arguments = all.get(at + 1)?.is("(");
        let is_relation = before.last().is_some_and(|token| token.is_any(BEFORE_A_RELATION));
        (has_arguments && !is_relation).then_some(*disallowed)
    })
}

/// The tokens before a name without its schema `pg_catalog`. `None` if it is in another schema.
fn unqualified<'t>(before: &'t [StatementToken<'t>]) -> Option<&'t [StatementToken<'t>]> {
    match before {
        [rest @ .., schema, dot] if dot.is(".") => {
            (name_of(schema)? == "pg_catalog").then_some(rest)
        }
        _ => Some(before),
    }
}

/// Reads the body of a `DO` block, which runs.
fn in_a_block(block: Tokens<'_>) -> Option<Disallowed> {
    block.iter().filter_map(StatementToken::string).find_map(|body| {
        let body = TokenBuf::of(&body);
        let tokens = body.all();
        called(tokens).or_else(|| statements(tokens).find_map(in_a_statement))
    })
}

/// The statements of a block, each with everything that follows it.
fn statements(body: Tokens<'_>) -> impl Iterator<Item = Tokens<'_>> {
    let begins = move |at: usize| {
        let before = at.checked_sub(1).and_then(|before| body.as_slice().get(before));
        before.is_none_or(|before| before.is_any(BEFORE_A_STATEMENT))
    };
    body.suffixes().enumerate().filter(move |(at, _)| begins(*at)).map(|(_, statement)| statement)
}

/// Checks a statement of a block. `EXECUTE` runs the string that follows it.
fn in_a_statement(tokens: Tokens<'_>) -> Option<Disallowed> {
    if let Some(executed) = tokens.after(&["EXECUTE"]) {
        let text = executed.after_optional(&["FORMAT", "("]).first()?.raw_string()?;
        let text = TokenBuf::of(&text);
        return called(text.all()).or_else(|| in_a_statement(text.all()));
    }
    let is_disallowed = tokens.first()?.is_any(IN_A_BLOCK);
    let ends_with_the_block = tokens.begins_with_any(ENDS_WITH_THE_BLOCK);
    if is_disallowed && !ends_with_the_block { super::at_the_beginning(tokens) } else { None }
}

#[cfg(test)]
mod tests;
