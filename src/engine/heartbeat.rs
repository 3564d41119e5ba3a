//! Signs of life of a run while one of its statements takes long.
//!
//! A run renews its lease with each of its writes to the ledger. A statement may run for five
//! minutes without one, which is longer than a lease. So another connection writes meanwhile.

use std::convert::Infallible;
use std::time::Duration;

use crate::database::{Error, Lease, LedgerSchema, Session, Target};

/// How long a run waits for its last sign of life to be taken back. It ends by itself soon.
const PATIENCE: Duration = Duration::from_secs(2);

/// A second connection, opened only when it is needed.
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
    pub(super) async fn beside<T>(mut self, work: impl Future<Output = T> + Unpin) -> T {
        let result = tokio::select! {
            biased;
            result = work => result,
            // As large as a login, and hardly ever needed.
            never = Box::pin(self.beat()) => match never {},
        };
        if let Some(session) = &mut self.session {
            let ending = session.end_heartbeat(self.ledger, self.set, &self.lease);
            match tokio::time::timeout(PATIENCE, ending).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the heartbeat ends by itself"),
                Err(_) => tracing::debug!("the heartbeat ends by itself"),
            }
        }
        result
    }

    async fn beat(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(self.lease.length() / 3).await;
            if let Err(error) = self.beat_once().await {
                tracing::debug!(%error, "no heartbeat");
                self.session = None;
            }
        }
    }

    async fn beat_once(&mut self) -> Result<(), Error> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::open(&self.target).await?),
        };
        session.beat(self.ledger, self.set, &self.lease).await
    }
}
