//! What happens to a statement: PostgreSQL runs it as it is, the relay rewrites it, or it fails
//! with DSQL's error.
//!
//! Everything here depends on the text alone. Rules that depend on the transaction or the catalog
//! are in `sql/bootstrap.sql`. `README.md` in this folder describes how to add a rule.

mod classify;
mod lex;
mod shadow;
mod table;

use std::borrow::Cow;
use std::ops::Range;

use tokio_postgres::error::SqlState;

pub(crate) use shadow::Shadow;

/// One statement of a message, and the decision on it.
#[derive(Debug, Default)]
pub(crate) struct Statement {
    /// Text as the client sent it.
    pub(crate) sql: String,
    /// Position in the message, in bytes.
    pub(crate) range: Range<usize>,
    /// Number of characters before it in the message. PostgreSQL counts positions in characters.
    pub(crate) characters_before: usize,
    pub(crate) action: Action,
    /// The statement in PostgreSQL's grammar, if it has syntax of DSQL. As long as `sql`.
    pub(crate) plain: Option<String>,
    pub(crate) is_ddl: bool,
    pub(crate) role: TransactionRole,
    /// The form that waits for no lock, if the statement writes or locks rows.
    pub(crate) shadow: Option<Shadow>,
    /// Names of the relations that it refers to, as written.
    pub(crate) relations: Vec<String>,
}

/// What a statement does to its transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TransactionRole {
    Begin,
    Commit,
    Rollback,
    /// It reads and writes only the state of the session, or is refused in every session.
    Session,
    #[default]
    Other,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Action {
    #[default]
    Forward,
    /// PostgreSQL runs `sql` instead, and the client receives the command tag `tag`.
    Rewrite { sql: String, tag: &'static str },
    /// PostgreSQL runs a statement that fails with this SQLSTATE and text.
    Refuse { code: SqlState, text: String },
}

impl Statement {
    /// Returns whether the statement is a `COPY .. FROM STDIN`.
    pub(crate) fn takes_data(&self) -> bool {
        self.shadow.as_ref().is_some_and(|shadow| shadow.takes_data)
    }

    /// Returns a text for PostgreSQL's parser, with as many characters as the statement. A refused
    /// statement is left out, because its error is DSQL's.
    pub(crate) fn for_parser(&self) -> Cow<'_, str> {
        match (&self.action, &self.plain) {
            (Action::Refuse { .. }, _) => Cow::Owned(" ".repeat(self.sql.chars().count())),
            (_, Some(plain)) => Cow::Borrowed(plain),
            (_, None) => Cow::Borrowed(&self.sql),
        }
    }

    /// Returns the message of the syntax error, if the relay itself cannot parse the statement.
    pub(crate) fn syntax_error(&self) -> Option<&str> {
        match &self.action {
            Action::Refuse { code, text } if *code == SqlState::SYNTAX_ERROR => Some(text),
            _ => None,
        }
    }

    /// Returns the text that PostgreSQL runs.
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
                plain: classified.plain,
                is_ddl: classified.is_ddl,
                role: classified.role,
                shadow: classified.shadow,
                relations: classified.relations,
            }
        })
        .collect()
}

/// Returns a statement that fails in PostgreSQL with this SQLSTATE and text.
pub(crate) fn refuse_sql(code: &SqlState, text: &str) -> String {
    format!("SELECT dsql_internal.refuse('{}', {})", code.code(), quoted(text))
}

/// Quotes a text as a string literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
