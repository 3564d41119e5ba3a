//! What kind of statement a text is, told from its words.
//!
//! Decides how a statement must be run, not whether the server will accept it. Whatever is not
//! known to be anything else is a schema change: alone in its transaction, nothing can go wrong
//! that would not go wrong anyway.

use super::lex::{TokenKind, significant};
use super::refusal::{self, Refusal};
use crate::migration::Class;

/// What to do with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Run it in this way.
    Run(Class),
    /// `BEGIN` or `START TRANSACTION`: only groups; the provider opens transactions itself.
    TransactionBegin,
    /// `COMMIT` or `END`: only groups.
    TransactionEnd,
    /// It has no place in a migration.
    Refused(Refusal),
}

/// How many tokens decide: enough for `BEGIN` with every mode that may be dropped.
const HEAD: usize = 16;

/// Tells the kind of one statement.
#[must_use]
pub fn classify(sql: &str) -> Kind {
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

    if let Some(refusal) = refusal::refusal(&head) {
        return Kind::Refused(refusal);
    }
    match head.as_slice() {
        ["BEGIN", modes @ ..] | ["START", "TRANSACTION", modes @ ..] => begin(modes),
        ["COMMIT" | "END", options @ ..] => end(options),
        ["CREATE", "INDEX", "ASYNC", ..] | ["CREATE", "UNIQUE", "INDEX", "ASYNC", ..] => {
            Kind::Run(Class::AsyncIndex)
        }
        ["ALTER", "TABLE", "ASYNC", ..] if validates_constraint(sql) => Kind::Run(Class::Validate),
        ["GRANT" | "REVOKE", ..]
        | ["ALTER", "DEFAULT", "PRIVILEGES", ..]
        | ["AWS", "IAM", "GRANT" | "REVOKE", ..] => Kind::Run(Class::Grant),
        [
            "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH" | "VALUES" | "TABLE" | "MERGE"
            | "EXPLAIN",
            ..,
        ] => Kind::Run(Class::Dml),
        _ => Kind::Run(Class::Ddl),
    }
}

/// Drops only the modes in which the provider opens its transactions anyway.
fn begin(modes: &[&str]) -> Kind {
    let mut rest = without_noise(modes);
    loop {
        rest = match rest {
            [] => return Kind::TransactionBegin,
            [",", rest @ ..]
            | ["READ", "WRITE", rest @ ..]
            | ["ISOLATION", "LEVEL", "REPEATABLE", "READ", rest @ ..] => rest,
            _ => return Kind::Refused(refusal::TRANSACTION_MODE),
        }
    }
}

fn end(options: &[&str]) -> Kind {
    match without_noise(options) {
        [] | ["AND", "NO", "CHAIN"] => Kind::TransactionEnd,
        _ => Kind::Refused(refusal::COMMIT_OPTION),
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
