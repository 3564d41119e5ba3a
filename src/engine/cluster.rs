//! All that a run asks of the outside.

use crate::database::{
    Claim, Error, Group, Interrupted, Job, JobId, JobQuestion, Lease, LedgerSchema, Observation,
    Session, Watched,
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
    fn take_over(&mut self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Asks the catalog.
    fn facts(&mut self, facts: &[Fact]) -> impl Future<Output = Result<Facts, Error>> + Send;

    /// Runs transactions in order, each with the lease checked where it writes to the ledger.
    fn run(
        &mut self,
        groups: &[Group<'_>],
    ) -> impl Future<Output = Result<Vec<Option<JobId>>, Interrupted>> + Send;

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

    async fn take_over(&mut self) -> Result<bool, Error> {
        self.session.take_over(self.ledger, self.set, &mut self.lease).await
    }

    async fn facts(&mut self, facts: &[Fact]) -> Result<Facts, Error> {
        self.session.facts(facts).await
    }

    async fn run(&mut self, groups: &[Group<'_>]) -> Result<Vec<Option<JobId>>, Interrupted> {
        self.session.run_groups(self.ledger, self.set, &self.lease, groups).await
    }

    async fn jobs(&mut self, questions: &[JobQuestion]) -> Result<Vec<Job>, Error> {
        self.session.jobs(questions).await
    }

    async fn duplicates(&mut self, index: &str) -> Result<Vec<String>, Error> {
        self.session.duplicates(index).await
    }
}
