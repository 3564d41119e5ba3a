//! What can go wrong between a request to the database and its response.

mod connect;

use std::fmt;

use tokio_postgres::error::SqlState;

pub use self::connect::{CertificateProblem, ConnectError, LoginRefusal, TokenFacts};
use super::retry::{RetryReason, Retryable};

/// What a failed request left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing of it is applied, and the same request would fail again.
    NotApplied,
    /// It lost against a concurrent change (`40001`): nothing of it is applied, and it may be
    /// repeated.
    Conflict,
    /// The statement may have been applied: the reply was lost, could not be understood, or was an
    /// error of class `XX`, `57P` or `08`.
    Unknown,
}

/// A request to the database that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No session could be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server responded with an error.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// The connection ended before the response arrived.
    #[error("the connection was lost before the response arrived ({reason})")]
    ReplyLost {
        /// Message of the client library.
        reason: String,
    },
    /// The response has a form that this provider does not understand.
    #[error("unexpected response from the database: {0}")]
    Answer(String),
    /// The header of the ledger shows that it was complete, and a table of it does not exist.
    #[error("a table of the ledger is missing: {0}")]
    LedgerTableMissing(Box<ServerError>),
    /// A statement of the author changed a setting of the session, and its transaction was rolled
    /// back.
    #[error(
        "it, or an earlier statement of its transaction, changed a setting of the session: \
         search_path, TimeZone, DateStyle, IntervalStyle or extra_float_digits"
    )]
    SettingsChanged,
}

impl Error {
    /// What the failed request left behind.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Connect(_) => Outcome::NotApplied,
            Self::Server(error) if error.code == SqlState::T_R_SERIALIZATION_FAILURE => {
                Outcome::Conflict
            }
            Self::Server(error) if error.may_be_applied() => Outcome::Unknown,
            Self::Server(_) | Self::LedgerTableMissing(_) | Self::SettingsChanged => {
                Outcome::NotApplied
            }
            Self::ReplyLost { .. } | Self::Answer(_) => Outcome::Unknown,
        }
    }

    /// The error of the server, if the server responded.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) | Self::Connect(ConnectError::Login { error, .. }) => Some(error),
            Self::Connect(_)
            | Self::ReplyLost { .. }
            | Self::Answer(_)
            | Self::LedgerTableMissing(_)
            | Self::SettingsChanged => None,
        }
    }

    /// Converts the position of a server's error in a message to a position in one of its
    /// statements, which begins after `offset` characters. A position outside the statement is
    /// removed.
    pub(super) fn move_position(&mut self, offset: usize, statement: &str) {
        if let Self::Server(error) = self {
            let length = statement.chars().count();
            let moved = error.position.and_then(|position| position.checked_sub(offset));
            error.position = moved.filter(|position| (1..=length).contains(position));
        }
    }

    /// Whether the server responded with this SQLSTATE.
    pub(super) fn is(&self, code: &SqlState) -> bool {
        self.server().is_some_and(|error| error.code == *code)
    }
}

impl Retryable for Error {
    fn retry_reason(&self) -> Option<RetryReason> {
        match self.outcome() {
            Outcome::Conflict => Some(RetryReason::Conflict),
            Outcome::Unknown => Some(RetryReason::UnknownOutcome),
            Outcome::NotApplied => match self {
                // What `connect` repeats is not repeated here as well.
                Self::Connect(error) if error.retry_reason().is_none() => {
                    Some(RetryReason::NotConnected)
                }
                _ => None,
            },
        }
    }
}

/// The meaning of a server's error, for callers that do not interpret SQLSTATEs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The role lacks a privilege.
    PermissionDenied,
    /// The statement exceeds a limit of the server, for example 3,000 rows per transaction.
    LimitExceeded,
    /// An object with the name that the statement creates exists.
    AlreadyExists,
    /// A relation has another kind, or lacks a column or a key that the statement uses.
    OtherDefinition,
    /// Any other error.
    Other,
}

/// The codes of a relation, column, schema, function or other object that exists.
const ALREADY_EXISTS: &[SqlState] = &[
    SqlState::DUPLICATE_TABLE,
    SqlState::DUPLICATE_COLUMN,
    SqlState::DUPLICATE_SCHEMA,
    SqlState::DUPLICATE_FUNCTION,
    SqlState::DUPLICATE_OBJECT,
];

/// The codes of a column or key that does not exist, a relation of another kind, and a column or an
/// operator of another type.
const OTHER_DEFINITION: &[SqlState] = &[
    SqlState::UNDEFINED_COLUMN,
    SqlState::INVALID_COLUMN_REFERENCE,
    SqlState::WRONG_OBJECT_TYPE,
    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
    SqlState::DATATYPE_MISMATCH,
    SqlState::UNDEFINED_FUNCTION,
];

/// An error that the server reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    pub(super) code: SqlState,
    /// Primary message.
    pub message: String,
    /// Detail field.
    pub detail: Option<String>,
    /// Hint field.
    pub hint: Option<String>,
    /// Where in the failed statement the error is: offset in characters, from 1.
    pub position: Option<usize>,
}

impl ServerError {
    /// An error with only a SQLSTATE and a primary message.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: SqlState::from_code(code),
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
        }
    }

    /// What the error means for the caller.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match &self.code {
            code if *code == SqlState::INSUFFICIENT_PRIVILEGE => Condition::PermissionDenied,
            code if ALREADY_EXISTS.contains(code) => Condition::AlreadyExists,
            code if OTHER_DEFINITION.contains(code) => Condition::OtherDefinition,
            code if *code == SqlState::PROGRAM_LIMIT_EXCEEDED => Condition::LimitExceeded,
            _ => Condition::Other,
        }
    }

    /// Whether the error does not prove that the request was rolled back. AWS: a commit to which
    /// the server responds with "server unavailable" (`XX000`) may have happened. Classes 57P
    /// (operator intervention) and 08 (connection) end sessions, also during a commit.
    fn may_be_applied(&self) -> bool {
        ["XX", "57P", "08"].iter().any(|class| self.code.code().starts_with(class))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code.code())
    }
}

impl From<&tokio_postgres::error::DbError> for ServerError {
    fn from(error: &tokio_postgres::error::DbError) -> Self {
        use tokio_postgres::error::ErrorPosition;
        Self {
            code: error.code().clone(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            position: match error.position() {
                Some(ErrorPosition::Original(position)) => usize::try_from(*position).ok(),
                Some(ErrorPosition::Internal { .. }) | None => None,
            },
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(server) => Self::Server(Box::new(server.into())),
            None => Self::ReplyLost { reason: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str) -> Error {
        Error::Server(Box::new(ServerError::new(code, "")))
    }

    #[test]
    fn only_a_rejection_proves_that_nothing_was_applied() {
        assert_eq!(server("42P07").outcome(), Outcome::NotApplied);
        assert_eq!(server("40001").outcome(), Outcome::Conflict);
        for code in ["XX000", "57P01", "08006"] {
            assert_eq!(server(code).outcome(), Outcome::Unknown, "{code}");
        }
        assert_eq!(Error::ReplyLost { reason: String::new() }.outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_position_outside_the_statement_is_removed() {
        let moved = |position: usize| {
            let mut error = ServerError::new("42601", "syntax error");
            error.position = Some(position);
            let mut error = Error::Server(Box::new(error));
            error.move_position(7, "SELEKT ü");
            error.server().and_then(|error| error.position)
        };
        assert_eq!((moved(8), moved(15)), (Some(1), Some(8)));
        assert_eq!((moved(3), moved(7), moved(16)), (None, None, None));
    }
}
