//! The statements that the cluster has received, in order.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A statement as a session sent it.
///
/// One that has neither a tag nor an SQLSTATE was not answered: it runs still, came after a failed one in the same
/// message, or its session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedStatement {
    /// The session's number, from 1 in the order of log-in.
    pub session: usize,
    /// The client's text, without a closing semicolon.
    pub sql: String,
    /// The command tag it was answered with, as in `INSERT 0 1`.
    pub tag: Option<String>,
    /// The SQLSTATE it failed with.
    pub sqlstate: Option<String>,
}

/// The place of a statement in the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryId(usize);

#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Vec<LoggedStatement>>);

impl Journal {
    pub(crate) fn received(&self, session: usize, sql: &str) -> EntryId {
        let mut statements = self.statements();
        let sql = sql.to_owned();
        statements.push(LoggedStatement { session, sql, tag: None, sqlstate: None });
        EntryId(statements.len() - 1)
    }

    pub(crate) fn completed(&self, entry: EntryId, tag: &str) {
        self.statements()[entry.0].tag = Some(tag.to_owned());
    }

    pub(crate) fn failed(&self, entry: EntryId, sqlstate: &str) {
        self.statements()[entry.0].sqlstate = Some(sqlstate.to_owned());
    }

    pub(crate) fn snapshot(&self) -> Vec<LoggedStatement> {
        self.statements().clone()
    }

    fn statements(&self) -> MutexGuard<'_, Vec<LoggedStatement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
