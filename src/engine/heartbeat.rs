//! Writes heartbeats while a statement of the run takes long.
//!
//! A run renews its lease with each write to the ledger. A statement may run for five minutes
//! without one, which is longer than a lease, so a second connection writes meanwhile.

use std::convert::Infallible;
use std::time::Duration;

use crate::database::{Error, Lease, LedgerSchema, Session, Target};

/// How long to wait for the heartbeat row to be deleted. If that fails, the row expires on its own.
const DELETE_LIMIT: Duration = Duration::from_secs(2);

/// The second connection of a run, opened when the first heartbeat is due.
pub(super) struct Heartbeat<'a> {
    target: Target,
    ledger: &'a LedgerSchema,
    set: &'a str,
    lease: Lease,
    session: Option<Session>,
}

impl<'a> Heartbeat<'a> {
    pub(super) fn new(
        target: &Target,
        ledger: &'a LedgerSchema,
        set: &'a str,
        lease: &Lease,
    ) -> Self {
        Self { target: target.clone(), ledger, set, lease: lease.clone(), session: None }
    }

    /// Waits for work that keeps the connection of the run busy.
    pub(super) async fn during<T>(mut self, work: impl Future<Output = T> + Unpin) -> T {
        let result = tokio::select! {
            biased;
            result = work => result,
            // The future is as large as a login, and rarely needed.
            never = Box::pin(self.write_heartbeats()) => match never {},
        };
        if let Some(session) = &mut self.session {
            let ending = session.end_heartbeat(self.ledger, self.set, &self.lease);
            match tokio::time::timeout(DELETE_LIMIT, ending).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the heartbeat row expires on its own"),
                Err(_) => tracing::debug!("the heartbeat row expires on its own"),
            }
        }
        result
    }

    async fn write_heartbeats(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(self.lease.length() / 3).await;
            if let Err(error) = self.heartbeat_once().await {
                tracing::debug!(%error, "the heartbeat could not be written");
                self.session = None;
            }
        }
    }

    async fn heartbeat_once(&mut self) -> Result<(), Error> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::open(&self.target).await?),
        };
        session.write_heartbeat(self.ledger, self.set, &self.lease).await
    }
}
