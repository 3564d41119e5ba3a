//! How a fault is produced: what PostgreSQL receives instead of the statement, and what happens to
//! the response.
//!
//! PostgreSQL itself ends, aborts and commits transactions, so a fault leaves the same state as on
//! a real cluster.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::error_response::{DATA_CONFLICT, ErrorResponse, SCHEMA_CONFLICT};
use crate::faults::{Fault, MatchedRule, command_of};
use crate::rules::Statement;

/// A fault that applies to a statement.
#[derive(Debug)]
pub(crate) struct Injection {
    pub(crate) rule: MatchedRule,
    pub(crate) sent: Sent,
    pub(crate) answer: ClientResponse,
}

/// What PostgreSQL receives. Nothing follows it in the message, except after a delay or a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Itself,
    /// A statement that fails, which aborts the transaction.
    Failure,
    /// The rollback of a transaction that the client wants to commit.
    Rollback,
    /// A statement in the middle of a transaction, which is rolled back at the end of the
    /// connection.
    ItselfThenFailure,
}

/// What the client receives.
#[derive(Debug, Clone)]
pub(crate) enum ClientResponse {
    Real,
    Late(Duration),
    /// The real response after a release, or nothing.
    Held,
    Error(ErrorResponse),
    /// Nothing: the connection closes when PostgreSQL has finished everything that it received.
    HangUp,
    /// Nothing: the connection closes immediately.
    HangUpAtOnce,
}

/// The position of a statement in its transaction and its message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatementPosition {
    /// Whether the session is in a transaction block.
    pub(crate) in_block: bool,
    /// Whether no other statement follows in the message.
    pub(crate) is_last: bool,
}

impl Injection {
    pub(crate) fn new(
        rule: MatchedRule,
        statement: &Statement,
        position: StatementPosition,
    ) -> Self {
        let commits = command_of(&statement.sql) == "COMMIT";
        let ends = is_end(&statement.sql) || (!position.in_block && position.is_last);
        let error = |code: &SqlState, message: &str| {
            ClientResponse::Error(ErrorResponse::error(code, message))
        };
        let conflict = |message| error(&SqlState::T_R_SERIALIZATION_FAILURE, message);
        let replacement = if commits { Sent::Rollback } else { Sent::Failure };
        let left_open = if ends { Sent::Itself } else { Sent::ItselfThenFailure };
        let unavailable = error(&SqlState::INTERNAL_ERROR, "server unavailable");
        let (sent, answer) = match rule.fault() {
            Fault::CloseBefore => (Sent::Failure, ClientResponse::HangUp),
            Fault::CloseAfter => (left_open, ClientResponse::HangUp),
            Fault::CloseInFlight => (left_open, ClientResponse::HangUpAtOnce),
            Fault::DataConflict => (replacement, conflict(DATA_CONFLICT)),
            Fault::SchemaConflict => (replacement, conflict(SCHEMA_CONFLICT)),
            Fault::UnavailableAfter if ends => (Sent::Itself, unavailable),
            Fault::UnavailableBefore | Fault::UnavailableAfter => (replacement, unavailable),
            Fault::Error { code, message } => {
                (replacement, error(&SqlState::from_code(code), message))
            }
            Fault::DelayBefore(_) => (Sent::Itself, ClientResponse::Real),
            Fault::DelayAnswer(by) => (Sent::Itself, ClientResponse::Late(*by)),
            Fault::HoldBefore => (Sent::Itself, ClientResponse::Real),
            Fault::HoldAnswer => (left_open, ClientResponse::Held),
        };
        Self { rule, sent, answer }
    }

    pub(crate) fn hangs_up(&self) -> bool {
        matches!(self.answer, ClientResponse::HangUp | ClientResponse::HangUpAtOnce)
    }

    /// Returns whether the statement waits for a release before it is sent.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.rule.fault(), Fault::HoldBefore)
    }

    /// Closes the connection as if the statement had never arrived.
    pub(crate) fn close_before(&mut self) {
        self.sent = Sent::Failure;
        self.answer = ClientResponse::HangUp;
    }

    /// Returns how long the message waits before it is sent.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self.rule.fault() {
            Fault::DelayBefore(delay) => Some(*delay),
            _ => None,
        }
    }
}

fn is_end(sql: &str) -> bool {
    matches!(command_of(sql).as_str(), "COMMIT" | "ROLLBACK")
}
