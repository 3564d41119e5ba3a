//! Statements that do in DSQL what a rejected statement does in PostgreSQL.
//!
//! They are for the author to read and to paste, so they may mean something else in detail. What
//! means the same is a rewrite (`../rewrite.rs`). A suggestion that the linter rejects is not
//! shown.

mod alter;
mod index;
mod other;
mod table;

use super::earlier::EarlierObjects;
use crate::migration::fact::QualifiedName;
use crate::migration::quoted_identifier;
use crate::sql::cursor::Cursor;
use crate::sql::rewrite;
use crate::sql::tokens::{TokenBuf, Tokens};

/// Returns the statements to write in place of a statement; none if they do not follow from it.
pub(super) fn instead(sql: &str, earlier: &EarlierObjects) -> Vec<String> {
    let rewritten = rewrite(sql);
    let text = rewritten.as_deref().unwrap_or(sql);
    let statement = TokenBuf::of(text);
    let statement = statement.all();
    let forms = [alter::instead, table::instead, index::instead, other::instead];
    let found = forms.iter().find_map(|form| form(text, statement, earlier));
    found.unwrap_or_else(|| rewritten.into_iter().collect())
}

/// The name of the object that a statement is about, as it is written.
pub(super) fn subject(statement: Tokens<'_>) -> String {
    const BEFORE: &[&str] = &[
        "OR",
        "REPLACE",
        "TEMP",
        "TEMPORARY",
        "UNLOGGED",
        "CONSTRAINT",
        "MATERIALIZED",
        "UNIQUE",
        "TABLE",
        "VIEW",
        "FUNCTION",
        "PROCEDURE",
        "TRIGGER",
        "TYPE",
        "DOMAIN",
        "EXTENSION",
        "AGGREGATE",
        "POLICY",
        "INDEX",
        "ASYNC",
        "SEQUENCE",
        "IF",
        "NOT",
        "EXISTS",
        "ONLY",
    ];
    let before = statement.skip(1).iter().take_while(|token| token.is_any(BEFORE)).count();
    named(statement.skip(1 + before)).map_or_else(|| "it".to_owned(), |(_, written, _)| written)
}

/// A table whose rows are written, and the columns that identify them.
struct KeyedTable {
    written: String,
    key: String,
}

impl KeyedTable {
    /// The table of this name. Without a statement that creates it, `id` stands for its key.
    fn of(name: &QualifiedName, written: &str, earlier: &EarlierObjects) -> Self {
        let quoted = |key: &Vec<String>| {
            key.iter().map(|name| quoted_identifier(name)).collect::<Vec<_>>().join(", ")
        };
        let key = earlier.table(name).map(|table| quoted(&table.key));
        let key = key.filter(|key| !key.is_empty()).unwrap_or_else(|| "id".to_owned());
        Self { written: written.to_owned(), key }
    }

    /// The condition for the next rows that a statement in batches changes.
    fn next_rows(&self, condition: &str) -> String {
        let Self { written, key } = self;
        let condition =
            if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        let left = if key.contains(',') { format!("({key})") } else { key.clone() };
        format!("{left} IN (SELECT {key} FROM {written}{condition} LIMIT 1000)")
    }
}

/// Marks a statement that runs until it changes no row.
fn in_batches(statement: &str) -> String {
    format!("-- dsql:batch\n{statement}")
}

/// A name for an object of a table, as the server would choose it.
fn name_of(table: &QualifiedName, column: &str, suffix: &str) -> String {
    quoted_identifier(&format!("{}_{column}_{suffix}", table.name))
}

/// The name of a table, as a cursor reads it, and as it is written.
fn named<'t>(tokens: Tokens<'t>) -> Option<(QualifiedName, String, Tokens<'t>)> {
    let mut cursor = Cursor::new(tokens);
    let name = cursor.name()?;
    let written = cursor.text_since(tokens);
    Some((name, written, cursor.rest()))
}

#[cfg(test)]
mod tests;
