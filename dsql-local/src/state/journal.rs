//! The statements that the cluster has received, in order, and their outcomes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::faults::command_of;

/// A statement as a session sent it.
///
/// A statement that has neither a tag nor an SQLSTATE received no response: it is still running,
/// followed a failed statement in the same message, or its session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedStatement {
    /// Number of the session, from 1 in the order of login.
    pub session: usize,
    /// Text as the client sent it, without a final semicolon.
    pub sql: String,
    /// Command tag that PostgreSQL returned, such as `INSERT 0 1`. A fault may have kept it from
    /// the client.
    pub tag: Option<String>,
    /// SQLSTATE of the error. If there is a tag too, a fault hid the success.
    pub sqlstate: Option<String>,
    /// Number of the transaction, from 1 in the order of their first responses. `None` before there
    /// is a response.
    pub transaction: Option<usize>,
    /// What happened to the effect. `None` while the transaction is open, and for a statement that
    /// PostgreSQL has not run.
    pub outcome: Option<Outcome>,
}

impl LoggedStatement {
    /// Returns the command that the statement begins with, as in
    /// [`Matcher::command`](crate::Matcher::command).
    pub fn command(&self) -> String {
        command_of(&self.sql)
    }
}

/// What happened to the effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The effect is permanent, whether or not the client knows.
    Committed,
    /// The effect is undone: the statement or another one in its transaction failed, or the
    /// transaction was rolled back.
    RolledBack,
}

/// Index of a statement in the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryId(usize);

#[derive(Debug, Default)]
pub(crate) struct Journal {
    statements: Mutex<Vec<LoggedStatement>>,
    transactions: AtomicUsize,
}

impl Journal {
    pub(crate) fn received(&self, session: usize, sql: &str) -> EntryId {
        let mut statements = self.statements();
        statements.push(LoggedStatement {
            session,
            sql: sql.to_owned(),
            tag: None,
            sqlstate: None,
            transaction: None,
            outcome: None,
        });
        EntryId(statements.len() - 1)
    }

    pub(crate) fn completed(&self, entry: EntryId, tag: &str) {
        self.statements()[entry.0].tag = Some(tag.to_owned());
    }

    pub(crate) fn failed(&self, entry: EntryId, sqlstate: &str) {
        self.statements()[entry.0].sqlstate = Some(sqlstate.to_owned());
    }

    pub(crate) fn len(&self) -> usize {
        self.statements().len()
    }

    /// Returns all statements except the first ones.
    pub(crate) fn since(&self, first: usize) -> Vec<LoggedStatement> {
        self.statements().get(first..).unwrap_or_default().to_vec()
    }

    fn statements(&self) -> MutexGuard<'_, Vec<LoggedStatement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The statements of a session's open transaction. When the session ends, the transaction is rolled
/// back.
pub(crate) struct JournalTransaction<'a> {
    journal: &'a Journal,
    number: Option<usize>,
    entries: Vec<EntryId>,
}

impl<'a> JournalTransaction<'a> {
    pub(crate) fn new(journal: &'a Journal) -> Self {
        Self { journal, number: None, entries: Vec::new() }
    }

    /// Records that PostgreSQL completed the statement with this tag of its own.
    pub(crate) fn completed(&mut self, entry: EntryId, tag: &str) {
        self.add(entry);
        match tag {
            "COMMIT" => self.end(Outcome::Committed),
            "ROLLBACK" => self.end(Outcome::RolledBack),
            _ => {}
        }
    }

    /// Records that PostgreSQL returned an error, which aborts the transaction.
    pub(crate) fn failed(&mut self, entry: Option<EntryId>) {
        if let Some(entry) = entry {
            self.add(entry);
        }
        self.end_but_keep_number(Outcome::RolledBack);
    }

    /// Records that PostgreSQL is ready for the next message: an implicit transaction has ended,
    /// and a block continues.
    pub(crate) fn ready(&mut self, in_block: bool) {
        if !in_block {
            self.end(Outcome::Committed);
        }
    }

    fn add(&mut self, entry: EntryId) {
        let number = *self
            .number
            .get_or_insert_with(|| self.journal.transactions.fetch_add(1, Ordering::SeqCst) + 1);
        self.journal.statements()[entry.0].transaction = Some(number);
        self.entries.push(entry);
    }

    fn end(&mut self, outcome: Outcome) {
        self.end_but_keep_number(outcome);
        self.number = None;
    }

    /// Ends the transaction in an aborted block, which still accepts statements and fails them.
    fn end_but_keep_number(&mut self, outcome: Outcome) {
        let mut statements = self.journal.statements();
        for entry in self.entries.drain(..) {
            statements[entry.0].outcome = Some(outcome);
        }
    }
}

impl Drop for JournalTransaction<'_> {
    fn drop(&mut self) {
        self.end(Outcome::RolledBack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_known_when_the_transaction_ends() {
        let journal = Journal::default();
        let entries =
            ["insert 1", "begin", "insert 2", "insert 3"].map(|sql| journal.received(1, sql));
        let outcomes = || journal.since(0).iter().map(|it| it.outcome).collect::<Vec<_>>();
        let mut transaction = JournalTransaction::new(&journal);

        transaction.completed(entries[0], "INSERT 0 1");
        transaction.ready(false);
        transaction.completed(entries[1], "BEGIN");
        transaction.completed(entries[2], "INSERT 0 1");
        transaction.ready(true);
        let (committed, rolled_back) = (Some(Outcome::Committed), Some(Outcome::RolledBack));
        assert_eq!(outcomes(), [committed, None, None, None]);

        transaction.failed(Some(entries[3]));
        assert_eq!(outcomes(), [committed, rolled_back, rolled_back, rolled_back]);
        let numbers = journal.since(0).iter().map(|it| it.transaction).collect::<Vec<_>>();
        assert_eq!(numbers, [Some(1), Some(2), Some(2), Some(2)]);
    }

    #[test]
    fn a_session_that_ends_rolls_back() {
        let journal = Journal::default();
        let entry = journal.received(1, "begin");

        let mut transaction = JournalTransaction::new(&journal);
        transaction.completed(entry, "BEGIN");
        drop(transaction);

        assert_eq!(journal.since(0)[0].outcome, Some(Outcome::RolledBack));
    }
}
