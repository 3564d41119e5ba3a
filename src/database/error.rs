//! What can go wrong between a statement and its answer.

use std::fmt;

use super::connect::ConnectError;

/// What a failed statement left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server refused it: nothing of it is applied, and asking again changes nothing.
    NotApplied,
    /// It lost against a concurrent change (`40001`): nothing is applied, and it may be repeated.
    Conflict,
    /// Nobody told us whether it is applied: the reply was lost, or the server said `XX000`.
    Unknown,
}

/// A request to the database that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No session could be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server answered with an error.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// The connection ended before the answer came.
    #[error("the connection was lost before the answer came ({reason})")]
    ReplyLost {
        /// The client library's words.
        reason: String,
    },
    /// The server answered something that this provider does not understand.
    #[error("unexpected answer of the database: {0}")]
    Answer(String),
}

impl Error {
    /// What the failed request left behind.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Connect(_) => Outcome::NotApplied,
            Self::Server(error) if error.code == "40001" => Outcome::Conflict,
            // AWS: a commit that is answered with "server unavailable" may have happened.
            Self::Server(error) if error.code.starts_with("XX") => Outcome::Unknown,
            // Class 57 (operator intervention) and 08 (connection) end sessions, also during COMMIT.
            Self::Server(error)
                if error.code.starts_with("57P") || error.code.starts_with("08") =>
            {
                Outcome::Unknown
            }
            Self::Server(_) => Outcome::NotApplied,
            Self::ReplyLost { .. } | Self::Answer(_) => Outcome::Unknown,
        }
    }

    /// The server's SQLSTATE, if the server answered.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Server(error) => Some(&error.code),
            Self::Connect(ConnectError::Login { error, .. }) => Some(&error.code),
            Self::Connect(_) | Self::ReplyLost { .. } | Self::Answer(_) => None,
        }
    }
}

/// An error as the server reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE.
    pub code: String,
    /// Primary message.
    pub message: String,
    /// Detail field.
    pub detail: Option<String>,
    /// Hint field.
    pub hint: Option<String>,
    /// Character offset into the statement, counted from 1.
    pub position: Option<usize>,
    /// How many statements of the same string were answered before this one failed.
    pub after: usize,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl From<&tokio_postgres::error::DbError> for ServerError {
    fn from(error: &tokio_postgres::error::DbError) -> Self {
        use tokio_postgres::error::ErrorPosition;
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            position: match error.position() {
                Some(ErrorPosition::Original(position)) => usize::try_from(*position).ok(),
                Some(ErrorPosition::Internal { .. }) | None => None,
            },
            after: 0,
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
        Error::Server(Box::new(ServerError {
            code: code.into(),
            message: String::new(),
            detail: None,
            hint: None,
            position: None,
            after: 0,
        }))
    }

    #[test]
    fn only_a_refusal_proves_that_nothing_happened() {
        assert_eq!(server("42P07").outcome(), Outcome::NotApplied);
        assert_eq!(server("40001").outcome(), Outcome::Conflict);
        assert_eq!(server("XX000").outcome(), Outcome::Unknown);
        assert_eq!(server("57P01").outcome(), Outcome::Unknown);
        assert_eq!(Error::ReplyLost { reason: String::new() }.outcome(), Outcome::Unknown);
    }
}
