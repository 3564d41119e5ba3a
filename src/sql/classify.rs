//! What kind of statement a text is, told from its words.
//!
//! Decides how a statement must be run, not whether the server will accept it. Whatever is not
//! known to be anything else is a schema change: alone in its transaction, nothing can go wrong
//! that would not go wrong anyway.

use super::disallowed::{self, Disallowed};
use super::lex::{TokenKind, significant};
use crate::migration::Class;

/// What to do with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// Run it in this way.
    Run(Class),
    /// `BEGIN` or `START TRANSACTION`: only groups; the provider opens transactions itself.
    TransactionBegin,
    /// `COMMIT` or `END`: only groups.
    TransactionEnd,
    /// It has no place in a migration.
    Disallowed(Disallowed),
}

/// How many tokens decide: enough for `BEGIN` with every mode that may be dropped.
const HEAD: usize = 16;

/// Tells the kind of one statement.
#[must_use]
pub fn classify(sql: &str) -> StatementKind {
    let head: Vec<String> = significant(sql)
        .skip_while(|token| token.is_symbol("("))
        .take(HEAD)
        .map(|token| match token.kind {
            TokenKind::Word => token.text.to_ascii_uppercase(),
            // A quoted identifier keeps its quotes, so that it never equals a keyword.
            _ => token.text.to_owned(),
        })
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();

    if let Some(disallowed) = disallowed::disallowed(&head) {
        return StatementKind::Disallowed(disallowed);
    }
    match head.as_slice() {
        ["BEGIN", modes @ ..] | ["START", "TRANSACTION", modes @ ..] => begin(modes),
        ["COMMIT" | "END", options @ ..] => end(options),
        ["CREATE", "INDEX", "ASYNC", ..] | ["CREATE", "UNIQUE", "INDEX", "ASYNC", ..] => {
            StatementKind::Run(Class::AsyncIndex)
        }
        ["ALTER", "TABLE", "ASYNC", ..] if validates_constraint(sql) => {
            StatementKind::Run(Class::Validate)
        }
        ["GRANT" | "REVOKE", ..]
        | ["ALTER", "DEFAULT", "PRIVILEGES", ..]
        | ["AWS", "IAM", "GRANT" | "REVOKE", ..] => StatementKind::Run(Class::Grant),
        [
            "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH" | "VALUES" | "TABLE" | "MERGE"
            | "EXPLAIN",
            ..,
        ] => StatementKind::Run(Class::Dml),
        _ => StatementKind::Run(Class::Ddl),
    }
}

/// Drops only the modes in which the provider opens its transactions anyway.
fn begin(modes: &[&str]) -> StatementKind {
    let mut rest = without_noise(modes);
    loop {
        rest = match rest {
            [] => return StatementKind::TransactionBegin,
            [",", rest @ ..]
            | ["READ", "WRITE", rest @ ..]
            | ["ISOLATION", "LEVEL", "REPEATABLE", "READ", rest @ ..] => rest,
            _ => return StatementKind::Disallowed(disallowed::TRANSACTION_MODE),
        }
    }
}

fn end(options: &[&str]) -> StatementKind {
    match without_noise(options) {
        [] | ["AND", "NO", "CHAIN"] => StatementKind::TransactionEnd,
        _ => StatementKind::Disallowed(disallowed::COMMIT_OPTION),
    }
}

fn without_noise<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    match words {
        ["WORK" | "TRANSACTION", rest @ ..] => rest,
        _ => words,
    }
}

fn validates_constraint(sql: &str) -> bool {
    let mut validate = false;
    significant(sql).any(|token| {
        let found = validate && token.is_word("constraint");
        validate = token.is_word("validate");
        found
    })
}

#[cfg(test)]
mod tests;
