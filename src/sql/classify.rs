//! The kind of a statement, read from its first words and from what it calls.
//!
//! Decides how a statement must be run, not whether the server will accept it. A statement that is
//! not recognized counts as a schema change, which is the safe choice: it runs alone in its
//! transaction.

use super::disallowed::{self, Disallowed};
use super::tokens::{TokenBuf, Tokens, tokens};
use crate::migration::Class;

/// What to do with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// Run it as this class requires.
    Run(Class),
    /// `BEGIN` or `START TRANSACTION`. It only groups statements, because the provider opens
    /// transactions itself.
    TransactionBegin,
    /// `COMMIT` or `END`. It only groups statements.
    TransactionEnd,
    /// It is not allowed in a migration.
    Disallowed(Disallowed),
}

/// How many tokens are read: enough for `BEGIN` with every mode that may be dropped.
const HEAD: usize = 16;

const ASYNC_INDEX: &[&[&str]] =
    &[&["CREATE", "INDEX", "ASYNC"], &["CREATE", "UNIQUE", "INDEX", "ASYNC"]];

const GRANT: &[&[&str]] = &[
    &["GRANT"],
    &["REVOKE"],
    &["ALTER", "DEFAULT", "PRIVILEGES"],
    &["AWS", "IAM", "GRANT"],
    &["AWS", "IAM", "REVOKE"],
];

const DML: &[&[&str]] = &[
    &["SELECT"],
    &["INSERT"],
    &["UPDATE"],
    &["DELETE"],
    &["WITH"],
    &["VALUES"],
    &["TABLE"],
    &["MERGE"],
    &["EXPLAIN"],
];

/// Returns the kind of one statement.
#[must_use]
pub fn classify(sql: &str) -> StatementKind {
    let head: TokenBuf<'_> = tokens(sql).skip_while(|token| token.is("(")).take(HEAD).collect();
    let head = head.all();

    if let Some(disallowed) = disallowed::disallowed(sql, head) {
        return StatementKind::Disallowed(disallowed);
    }
    if let Some(modes) = head.after(&["BEGIN"]).or(head.after(&["START", "TRANSACTION"])) {
        return begin(modes);
    }
    if let Some(options) = head.after(&["COMMIT"]).or(head.after(&["END"])) {
        return end(options);
    }
    StatementKind::Run(if head.begins_with_any(ASYNC_INDEX) {
        Class::AsyncIndex
    } else if head.begins(&["ALTER", "TABLE", "ASYNC"]) && validates_constraint(sql) {
        Class::Validate
    } else if head.begins_with_any(GRANT) {
        Class::Grant
    } else if head.begins_with_any(DML) {
        Class::Dml
    } else {
        Class::Ddl
    })
}

/// Accepts only the modes in which the provider opens its transactions anyway.
fn begin(modes: Tokens<'_>) -> StatementKind {
    const DEFAULTS: &[&[&str]] =
        &[&[","], &["READ", "WRITE"], &["ISOLATION", "LEVEL", "REPEATABLE", "READ"]];
    let mut rest = without_noise(modes);
    while !rest.is_empty() {
        match DEFAULTS.iter().find_map(|mode| rest.after(mode)) {
            Some(after) => rest = after,
            None => return StatementKind::Disallowed(disallowed::TRANSACTION_MODE),
        }
    }
    StatementKind::TransactionBegin
}

fn end(options: Tokens<'_>) -> StatementKind {
    let rest = without_noise(options);
    if rest.after_optional(&["AND", "NO", "CHAIN"]).is_empty() {
        StatementKind::TransactionEnd
    } else {
        StatementKind::Disallowed(disallowed::COMMIT_OPTION)
    }
}

fn without_noise(tokens: Tokens<'_>) -> Tokens<'_> {
    tokens.after(&["WORK"]).unwrap_or(tokens.after_optional(&["TRANSACTION"]))
}

fn validates_constraint(sql: &str) -> bool {
    TokenBuf::of(sql).all().has(&["VALIDATE", "CONSTRAINT"])
}

#[cfg(test)]
mod tests;
