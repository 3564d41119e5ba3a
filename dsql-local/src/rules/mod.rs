//! What becomes of a statement: it passes, it is rewritten, or it is refused in DSQL's words.
//!
//! Pure functions of the text. What depends on the transaction or on the catalog is in `sql/bootstrap.sql`.

mod classify;
mod lex;
mod shadow;
mod table;

use std::borrow::Cow;
use std::ops::Range;

use tokio_postgres::error::SqlState;

pub(crate) use shadow::Shadow;

/// One statement of a message, and what becomes of it.
#[derive(Debug, Default)]
pub(crate) struct Statement {
    /// The client's text.
    pub(crate) sql: String,
    /// Where it stands in the message, in bytes.
    pub(crate) range: Range<usize>,
    /// How many characters stand before it in the message: PostgreSQL counts positions in them.
    pub(crate) characters_before: usize,
    pub(crate) action: Action,
    pub(crate) is_ddl: bool,
    pub(crate) role: TransactionRole,
    /// Its form that meets no lock, if it writes or locks rows.
    pub(crate) shadow: Option<Shadow>,
    /// The relations it names.
    pub(crate) relations: Vec<String>,
}

/// What a statement is to its transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TransactionRole {
    Begin,
    Commit,
    Rollback,
    /// It neither reads nor writes anything but the session, or is refused whatever the session is.
    Session,
    #[default]
    Other,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Action {
    #[default]
    Forward,
    /// PostgreSQL gets other words, and the client gets this command tag.
    Rewrite { sql: String, tag: &'static str },
    /// PostgreSQL gets a statement that fails with this SQLSTATE and text.
    Refuse { code: SqlState, text: String },
}

impl Statement {
    /// It is a `COPY .. FROM STDIN`.
    pub(crate) fn takes_data(&self) -> bool {
        self.shadow.as_ref().is_some_and(|shadow| shadow.takes_data)
    }

    /// The text for PostgreSQL.
    pub(crate) fn for_postgres(&self) -> Cow<'_, str> {
        match &self.action {
            Action::Forward => Cow::Borrowed(&self.sql),
            Action::Rewrite { sql, .. } => Cow::Borrowed(sql),
            Action::Refuse { code, text } => Cow::Owned(refuse_sql(code, text)),
        }
    }
}

/// Splits a message into its statements and decides on each.
pub(crate) fn translate(message: &str) -> Vec<Statement> {
    lex::split(message)
        .into_iter()
        .map(|lexed| {
            let classified = classify::classify(&lexed);
            Statement {
                sql: lexed.text.to_owned(),
                range: lexed.start..lexed.start + lexed.text.len(),
                characters_before: message[..lexed.start].chars().count(),
                action: classified.action,
                is_ddl: classified.is_ddl,
                role: classified.role,
                shadow: classified.shadow,
                relations: classified.relations,
            }
        })
        .collect()
}

/// A statement that fails in PostgreSQL with this SQLSTATE and text.
pub(crate) fn refuse_sql(code: &SqlState, text: &str) -> String {
    format!("SELECT dsql_internal.refuse('{}', {})", code.code(), quoted(text))
}

/// A string literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
