//! Conflicts between sessions: the open transactions, and the version of the schema.
//!
//! DSQL has no locks, but PostgreSQL does. When a statement waits for a lock, the relay requests
//! the session that holds it to give way. That session rolls back everything in its transaction,
//! which releases the locks, and the transaction is doomed: it can continue, but its COMMIT fails.
//! As on DSQL, the first transaction to commit wins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// The two conflicts of DSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// OC000: another transaction changed a row.
    Data,
    /// OC001: another transaction changed the schema.
    Schema,
}

#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    /// Number of schema changes that have been committed.
    schema_version: AtomicU64,
    /// Number of catalog changes that jobs have made. Locked while jobs may make another.
    job_changes: tokio::sync::Mutex<u64>,
    /// By the process ID of their PostgreSQL backend.
    sessions: Mutex<HashMap<i32, Arc<SharedSession>>>,
}

impl Conflicts {
    pub(crate) fn schema_version(&self) -> u64 {
        self.schema_version.load(Ordering::SeqCst)
    }

    /// Counts a committed schema change and returns the new version.
    pub(crate) fn schema_changed(&self) -> u64 {
        self.schema_version.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Locks the number of catalog changes, for jobs to increase it.
    pub(crate) async fn jobs(&self) -> tokio::sync::MutexGuard<'_, u64> {
        self.job_changes.lock().await
    }

    pub(crate) async fn job_changes(&self) -> u64 {
        *self.jobs().await
    }

    pub(crate) fn join(&self, process: i32) -> Arc<SharedSession> {
        let session = Arc::new(SharedSession::default());
        self.sessions().insert(process, Arc::clone(&session));
        session
    }

    pub(crate) fn leave(&self, process: i32) {
        self.sessions().remove(&process);
    }

    pub(crate) fn session(&self, process: i32) -> Option<Arc<SharedSession>> {
        self.sessions().get(&process).cloned()
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.sessions().len()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<i32, Arc<SharedSession>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What other sessions see of a session.
#[derive(Debug, Default)]
pub(crate) struct SharedSession {
    transaction: Mutex<Option<Arc<SharedTransaction>>>,
    requests: Mutex<Vec<AbortRequest>>,
    abort_requested: Notify,
}

/// A request for a transaction to give way.
#[derive(Debug)]
pub(crate) struct AbortRequest {
    pub(crate) transaction: Arc<SharedTransaction>,
    pub(crate) conflict: Conflict,
    done: oneshot::Sender<()>,
}

impl AbortRequest {
    /// Reports that the transaction has given way, or has ended anyway.
    pub(crate) fn complete(self) {
        // The sender of the request may have stopped waiting.
        self.done.send(()).ok();
    }
}

impl SharedSession {
    /// Returns the transaction block that the session is in.
    pub(crate) fn transaction(&self) -> Option<Arc<SharedTransaction>> {
        self.transaction.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn begin(&self) -> Arc<SharedTransaction> {
        let transaction = Arc::new(SharedTransaction::default());
        *self.transaction.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::clone(&transaction));
        transaction
    }

    pub(crate) fn end(&self) {
        *self.transaction.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Requests a transaction to give way. The receiver resolves when it has.
    pub(crate) fn request_abort(
        &self,
        transaction: Arc<SharedTransaction>,
        conflict: Conflict,
    ) -> oneshot::Receiver<()> {
        let (done, waiting) = oneshot::channel();
        self.requests().push(AbortRequest { transaction, conflict, done });
        self.abort_requested.notify_one();
        waiting
    }

    /// Waits for a request.
    pub(crate) async fn abort_requested(&self) {
        self.abort_requested.notified().await;
    }

    pub(crate) fn take_requests(&self) -> Vec<AbortRequest> {
        std::mem::take(&mut *self.requests())
    }

    fn requests(&self) -> MutexGuard<'_, Vec<AbortRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What other sessions see of a transaction.
#[derive(Debug, Default)]
pub(crate) struct SharedTransaction {
    /// 0 while it is open, 1 if it was committed, 2 if it was rolled back.
    state: AtomicU8,
    changes_schema: AtomicBool,
}

impl SharedTransaction {
    pub(crate) fn was_committed(&self) -> bool {
        self.state.load(Ordering::SeqCst) == 1
    }

    pub(crate) fn end(&self, committed: bool) {
        self.state.store(if committed { 1 } else { 2 }, Ordering::SeqCst);
    }

    pub(crate) fn changes_schema(&self) -> bool {
        self.changes_schema.load(Ordering::SeqCst)
    }

    pub(crate) fn set_changes_schema(&self) {
        self.changes_schema.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_resolves_when_the_transaction_has_given_way() {
        let conflicts = Conflicts::default();
        let session = conflicts.join(7);
        let transaction = session.begin();

        let waiting =
            conflicts.session(7).expect("it has joined").request_abort(transaction, Conflict::Data);
        session.abort_requested().await;
        let requests = session.take_requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].conflict, Conflict::Data);
        requests.into_iter().for_each(AbortRequest::complete);

        assert!(waiting.await.is_ok());
        assert!(session.take_requests().is_empty());
        conflicts.leave(7);
        assert!(conflicts.session(7).is_none());
    }

    #[test]
    fn the_outcome_of_a_transaction_remains_known() {
        let session = SharedSession::default();
        let (first, second) = (session.begin(), session.begin());
        first.end(true);
        second.end(false);
        session.end();

        assert!(first.was_committed());
        assert!(!second.was_committed());
        assert!(session.transaction().is_none());
    }
}
