//! Everything that a run needs from a cluster.
//!
//! A run waits for the response to what it has sent, because dropping a request loses its outcome.
//! When the budget of a run ends, a message in flight is fenced off: a second connection changes
//! the owner of the lease, the next write to the ledger fails, and the server discards the rest of
//! the message. If the current statement does not end within the grace period, the connection is
//! discarded, and the catalog decides whether the statement was applied.

use std::pin::pin;
use std::time::Duration;

use super::budget::Budget;
use super::heartbeat::Heartbeat;
use super::observe::observe;
use crate::database::{
    Batch, Claim, DescribedObject, Error, FailurePoint, Job, JobId, JobQuestion, Lease,
    LedgerSchema, LedgerSetup, Observation, ObserveQuery, Session, Target, Transaction,
    TransactionError, Watched,
};
use crate::migration::Version;
use crate::migration::expression::Expression;
use crate::migration::fact::{Fact, Facts};

/// One migration set on one cluster. The engine is written against this trait, so that its tests
/// can make any call fail.
pub trait Cluster: Send {
    /// Reads the ledger, the recorded schema and the live schema. Writes nothing.
    fn observe(&mut self) -> impl Future<Output = Result<Observation, Error>> + Send;

    /// Creates the ledger, or upgrades it to the layout of this provider.
    fn set_up_ledger(
        &mut self,
        exists: bool,
    ) -> impl Future<Output = Result<LedgerSetup, Error>> + Send;

    /// Claims the set for this run. `drift` is stored in case the run dies.
    fn claim(&mut self, drift: &str) -> impl Future<Output = Result<Claim, Error>> + Send;

    /// Fences off the former connection of this run, so that it cannot write to the ledger any
    /// more. Returns false if another run holds the lease.
    fn fence_former_connection(&mut self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Reads facts from the catalog.
    fn facts(&mut self, facts: &[Fact]) -> impl Future<Output = Result<Facts, Error>> + Send;

    /// Reads the definitions of objects from the catalog. See [`Session::describe`].
    fn describe(
        &mut self,
        identities: &[String],
    ) -> impl Future<Output = Result<Vec<DescribedObject>, Error>> + Send;

    /// Lets the server print expressions; an item is `None` if it cannot. See
    /// [`Session::explain`].
    fn explain(
        &mut self,
        expressions: &[Expression],
    ) -> impl Future<Output = Result<Vec<Option<String>>, Error>> + Send;

    /// Runs transactions in order. Those that write to the ledger check the lease first. If the
    /// budget ends meanwhile, no further transaction starts, and the failure point is
    /// [`FailurePoint::BudgetEnded`].
    fn run_transactions(
        &mut self,
        transactions: &[Transaction<'_>],
        budget: &Budget,
    ) -> impl Future<Output = Result<Vec<Option<JobId>>, TransactionError>> + Send;

    /// Executes one batch of a statement together with its record, and returns the number of rows
    /// that it changed.
    fn batch(
        &mut self,
        batch: &Batch<'_>,
        budget: &Budget,
    ) -> impl Future<Output = Result<u64, TransactionError>> + Send;

    /// Looks up jobs.
    fn jobs(
        &mut self,
        questions: &[JobQuestion],
    ) -> impl Future<Output = Result<Vec<Job>, Error>> + Send;

    /// Reads a few keys that prevent a unique index from being built.
    fn duplicates(
        &mut self,
        index: &str,
    ) -> impl Future<Output = Result<Vec<String>, Error>> + Send;
}

/// A migration set on a real cluster.
pub struct SetOnCluster<'a> {
    /// The connection.
    pub session: &'a mut Session,
    /// The schema that holds the ledger.
    pub ledger: &'a LedgerSchema,
    /// Name of the migration set.
    pub set: &'a str,
    /// The schemas whose objects are described.
    pub watched: &'a Watched,
    /// See [`ObserveQuery`].
    pub with_facts: &'a [Version],
    /// The identifier of the ledger that a new one replaces.
    pub replaces: Option<&'a str>,
    /// The lease of this run.
    pub lease: Lease,
}

impl Cluster for SetOnCluster<'_> {
    async fn observe(&mut self) -> Result<Observation, Error> {
        let query = ObserveQuery::new(self.ledger, self.set, self.watched);
        observe(self.session, ObserveQuery { with_facts: self.with_facts, ..query }).await
    }

    async fn set_up_ledger(&mut self, exists: bool) -> Result<LedgerSetup, Error> {
        self.session.set_up_ledger(self.ledger, exists, self.replaces, &self.lease).await
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

    async fn describe(&mut self, identities: &[String]) -> Result<Vec<DescribedObject>, Error> {
        self.session.describe(identities).await
    }

    async fn explain(&mut self, expressions: &[Expression]) -> Result<Vec<Option<String>>, Error> {
        self.session.explain(expressions).await
    }

    async fn run_transactions(
        &mut self,
        transactions: &[Transaction<'_>],
        budget: &Budget,
    ) -> Result<Vec<Option<JobId>>, TransactionError> {
        let heartbeat = Heartbeat::new(self.session.target(), self.ledger, self.set, &self.lease);
        // The end of a single transaction is the next statement boundary anyway.
        let is_divisible = transactions.iter().filter(|it| it.is_work()).count() > 1;
        let mut renamed = self.lease.clone();
        let sent = self.send(transactions, is_divisible.then_some(budget), &mut renamed);
        let (result, fence) = match heartbeat.during(Box::pin(budget.with_grace(sent))).await {
            Ok(sent) => sent,
            Err(grace) => {
                self.lease = renamed;
                return Err(self.discard_connection(grace));
            }
        };
        let is_fenced = match fence {
            Fence::NotNeeded => false,
            Fence::Answered(is_ours) => {
                if is_ours {
                    self.lease = renamed;
                }
                is_ours
            }
            Fence::Failed(error) => {
                // It may have taken effect nevertheless, so only the new name counts from now on.
                tracing::debug!(%error, "the lease could not be renamed by a second connection");
                self.lease = renamed;
                !matches!(self.fence_former_connection().await, Ok(false))
            }
        };
        result.map_err(|error| match error.at {
            FailurePoint::LeaseLost if is_fenced => {
                TransactionError { at: FailurePoint::BudgetEnded, ..error }
            }
            _ => error,
        })
    }

    async fn batch(&mut self, batch: &Batch<'_>, budget: &Budget) -> Result<u64, TransactionError> {
        let heartbeat = Heartbeat::new(self.session.target(), self.ledger, self.set, &self.lease);
        let running = self.session.run_batch(self.ledger, self.set, &self.lease, batch);
        match heartbeat.during(Box::pin(budget.with_grace(running))).await {
            Ok(result) => result,
            Err(grace) => Err(self.discard_connection(grace)),
        }
    }

    async fn jobs(&mut self, questions: &[JobQuestion]) -> Result<Vec<Job>, Error> {
        self.session.jobs(questions).await
    }

    async fn duplicates(&mut self, index: &str) -> Result<Vec<String>, Error> {
        self.session.duplicates(index).await
    }
}

/// How the attempt to fence off a message in flight ended.
enum Fence {
    /// The message was completed before the budget ended.
    NotNeeded,
    /// The server responded: whether this run still holds the lease.
    Answered(bool),
    Failed(Error),
}

impl SetOnCluster<'_> {
    /// Sends transactions. If `budget` ends before the response arrives, renames the lease over a
    /// second connection, so that the server discards the rest.
    async fn send(
        &mut self,
        transactions: &[Transaction<'_>],
        budget: Option<&Budget>,
        renamed: &mut Lease,
    ) -> (Result<Vec<Option<JobId>>, TransactionError>, Fence) {
        let target = self.session.target().clone();
        let running =
            self.session.run_transactions(self.ledger, self.set, &self.lease, transactions);
        let Some(budget) = budget else { return (running.await, Fence::NotNeeded) };
        let mut running = pin!(running);
        tokio::select! {
            biased;
            result = &mut running => return (result, Fence::NotNeeded),
            () = budget.ended() => {}
        }
        // Rarely needed, and as large as a login.
        let fencing = Box::pin(fence(&target, self.ledger, self.set, renamed));
        let (result, fenced) = tokio::join!(running, fencing);
        (result, fenced.map_or_else(Fence::Failed, Fence::Answered))
    }

    /// Discards a connection whose response does not arrive.
    fn discard_connection(&mut self, grace: Duration) -> TransactionError {
        self.session.discard_connection();
        let seconds = grace.as_secs_f64();
        let reason = format!("no response within {seconds} s after the run should have ended");
        let source = Error::ReplyLost { reason };
        TransactionError { committed: Vec::new(), at: FailurePoint::Commit, source }
    }
}

/// Renames the owner of a lease over a second connection.
async fn fence(
    target: &Target,
    ledger: &LedgerSchema,
    set: &str,
    lease: &mut Lease,
) -> Result<bool, Error> {
    Session::open(target).await?.fence_former_connection(ledger, set, lease).await
}
