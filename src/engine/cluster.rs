//! All that a run asks of the outside.
//!
//! What was sent is waited for, because abandoning it loses its outcome. When the time of a run is
//! over, a string of transactions on its way is shut out at its next statement: a second connection
//! renames the owner of the lease, the next write to the ledger fails, and the server drops the
//! rest. A statement that does not end by itself soon after that is left alone, and the catalog is
//! asked what became of it.

use std::pin::pin;
use std::time::Duration;

use super::budget::Budget;
use super::heartbeat::Heartbeat;
use crate::database::{
    Batch, Claim, Error, FailurePoint, Group, Job, JobId, JobQuestion, Lease, LedgerSchema,
    Observation, Session, Target, TransactionError, Watched,
};
use crate::migration::fact::{Fact, Facts};

/// One set of migrations on one cluster. The engine works against this, so that its tests can
/// fail any call.
pub trait Cluster: Send {
    /// Reads the ledger, the recorded and the live schema, without any write.
    fn observe(&mut self) -> impl Future<Output = Result<Observation, Error>> + Send;

    /// Creates the ledger tables if they do not exist.
    fn create_ledger(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Claims the set for this run; `drift` is kept for the case that the run dies.
    fn claim(&mut self, drift: &str) -> impl Future<Output = Result<Claim, Error>> + Send;

    /// Shuts out whatever an old connection of this run still does; false if the lease is another
    /// run's.
    fn fence_former_connection(&mut self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Asks the catalog.
    fn facts(&mut self, facts: &[Fact]) -> impl Future<Output = Result<Facts, Error>> + Send;

    /// Runs transactions in order, each with the lease checked where it writes to the ledger. If
    /// the budget ends meanwhile, nothing new is begun: the place is then [`FailurePoint::BudgetEnded`].
    fn run(
        &mut self,
        groups: &[Group<'_>],
        budget: &Budget,
    ) -> impl Future<Output = Result<Vec<Option<JobId>>, TransactionError>> + Send;

    /// Runs one batch of a statement, with its record; gives the number of rows that it changed.
    fn batch(
        &mut self,
        batch: &Batch<'_>,
        budget: &Budget,
    ) -> impl Future<Output = Result<u64, TransactionError>> + Send;

    /// Looks jobs up.
    fn jobs(
        &mut self,
        questions: &[JobQuestion],
    ) -> impl Future<Output = Result<Vec<Job>, Error>> + Send;

    /// A few keys that keep a unique index from being built.
    fn duplicates(
        &mut self,
        index: &str,
    ) -> impl Future<Output = Result<Vec<String>, Error>> + Send;
}

/// A set on a real cluster.
pub struct SetOnCluster<'a> {
    /// The connection.
    pub session: &'a mut Session,
    /// Where the ledger is.
    pub ledger: &'a LedgerSchema,
    /// The set's name.
    pub set: &'a str,
    /// The schemas whose objects are described.
    pub watched: &'a Watched,
    /// This run's claim to the set.
    pub lease: Lease,
}

impl Cluster for SetOnCluster<'_> {
    async fn observe(&mut self) -> Result<Observation, Error> {
        self.session.observe(self.ledger, self.set, self.watched).await
    }

    async fn create_ledger(&mut self) -> Result<(), Error> {
        self.session.create_ledger(self.ledger).await
    }

    async fn claim(&mut self, drift: &str) -> Result<Claim, Error> {
        self.session.claim(self.ledger, self.set, &self.lease, drift).await
    }

    async fn fence_former_connection(&mut self) -> Result<bool, Error> {
        self.session.fence_former_connection(self.ledger, self.set, &mut self.lease).await
    }

    async fn facts(&mut self, facts: &[Fact]) -> Result<Facts, Error> {
        self.session.facts(facts).await
    }

    async fn run(
        &mut self,
        groups: &[Group<'_>],
        budget: &Budget,
    ) -> Result<Vec<Option<JobId>>, TransactionError> {
        let target = self.session.target().clone();
        let mut renamed = self.lease.clone();
        let heartbeat = Heartbeat::new(&target, self.ledger, self.set, &self.lease);
        // The end of the only one is the next boundary anyway.
        let is_divisible = groups.iter().filter(|group| group.is_work()).count() > 1;
        let whole = async {
            let running = self.session.run_transactions(self.ledger, self.set, &self.lease, groups);
            let mut running = pin!(running);
            tokio::select! {
                biased;
                result = &mut running => return (result, None),
                () = budget.ended(), if is_divisible => {}
            }
            // Hardly ever needed, and as large as a login.
            let shutting = Box::pin(shut_out(&target, self.ledger, self.set, &mut renamed));
            let (result, shut) = tokio::join!(running, shutting);
            (result, Some(shut))
        };
        let (result, shut) = match heartbeat.beside(Box::pin(budget.with_grace(whole))).await {
            Ok(ended) => ended,
            Err(grace) => {
                self.lease = renamed;
                return Err(self.abandon(grace));
            }
        };
        match shut {
            None => return result,
            Some(Ok(false)) => return result,
            Some(Ok(true)) => self.lease = renamed,
            Some(Err(error)) => {
                // It may have happened all the same; from here on only the last name counts.
                tracing::debug!(%error, "the lease could not be renamed by a second connection");
                self.lease = renamed;
                if let Ok(false) = self.fence_former_connection().await {
                    return result;
                }
            }
        }
        result.map_err(|interrupted| match interrupted.at {
            FailurePoint::LeaseLost => {
                TransactionError { at: FailurePoint::BudgetEnded, ..interrupted }
            }
            _ => interrupted,
        })
    }

    async fn batch(&mut self, batch: &Batch<'_>, budget: &Budget) -> Result<u64, TransactionError> {
        let heartbeat = Heartbeat::new(self.session.target(), self.ledger, self.set, &self.lease);
        let running = self.session.run_batch(self.ledger, self.set, &self.lease, batch);
        match heartbeat.beside(Box::pin(budget.with_grace(running))).await {
            Ok(result) => result,
            Err(grace) => Err(self.abandon(grace)),
        }
    }

    async fn jobs(&mut self, questions: &[JobQuestion]) -> Result<Vec<Job>, Error> {
        self.session.jobs(questions).await
    }

    async fn duplicates(&mut self, index: &str) -> Result<Vec<String>, Error> {
        self.session.duplicates(index).await
    }
}

/// Renames the owner of a lease by another connection than the one that is busy.
async fn shut_out(
    target: &Target,
    ledger: &LedgerSchema,
    set: &str,
    lease: &mut Lease,
) -> Result<bool, Error> {
    Session::open(target).await?.fence_former_connection(ledger, set, lease).await
}

impl SetOnCluster<'_> {
    /// Gives a connection up whose answer does not come.
    fn abandon(&mut self, grace: Duration) -> TransactionError {
        self.session.abandon();
        let seconds = grace.as_secs_f64();
        let reason = format!("it had not come {seconds} s after the run should have ended");
        let error = Error::ReplyLost { reason };
        TransactionError { committed: Vec::new(), at: FailurePoint::Commit, source: error }
    }
}
