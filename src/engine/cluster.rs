//! All that a run asks of the outside.

use crate::database::{
    Error, Job, JobId, LedgerSchema, NewMigration, Objects, Observation, Session, StatementRecord,
    StatementState, Watched,
};
use crate::migration::{Migration, Statement, Version};

/// One set of migrations on one cluster. The engine works against this, so that its tests can
/// fail any call.
pub trait Cluster: Send {
    /// Reads the ledger, the recorded and the live schema, without any write.
    fn observe(&mut self) -> impl Future<Output = Result<Observation, Error>> + Send;

    /// Creates the ledger tables if they do not exist.
    fn create_ledger(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Records that a migration is begun; false if another run has applied it meanwhile.
    fn begin_migration(
        &mut self,
        migration: &Migration,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Records that a migration is applied, or why it is not.
    fn end_migration(
        &mut self,
        version: &Version,
        failure: Option<&str>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Records that a statement is about to be sent.
    fn intend(
        &mut self,
        version: &Version,
        record: &StatementRecord,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Records that a statement was answered or is done.
    fn advance(
        &mut self,
        version: &Version,
        number: usize,
        state: &StatementState,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Takes the record of a statement back that certainly was not applied.
    fn withdraw(
        &mut self,
        version: &Version,
        number: usize,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Runs a schema change; returns its job if it started one.
    fn run_ddl(
        &mut self,
        statement: &Statement,
    ) -> impl Future<Output = Result<Option<JobId>, Error>> + Send;

    /// Runs neighbouring DML statements and records them, all or nothing.
    fn run_dml(
        &mut self,
        version: &Version,
        steps: &[(&Statement, StatementRecord)],
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Looks a job up.
    fn job(&mut self, id: &JobId) -> impl Future<Output = Result<Job, Error>> + Send;

    /// Drops the INVALID index that a failed build left; the name is quoted for SQL.
    fn drop_index(&mut self, name: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Records the schema of the given relations.
    fn record_schema(
        &mut self,
        changes: &[(&str, Option<&Objects>)],
    ) -> impl Future<Output = Result<(), Error>> + Send;
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
}

impl Cluster for SetOnCluster<'_> {
    async fn observe(&mut self) -> Result<Observation, Error> {
        self.session.observe(self.ledger, self.set, self.watched).await
    }

    async fn create_ledger(&mut self) -> Result<(), Error> {
        self.session.create_ledger(self.ledger).await
    }

    async fn begin_migration(&mut self, migration: &Migration) -> Result<bool, Error> {
        let new = NewMigration {
            set: self.set,
            version: &migration.version,
            description: &migration.description,
            checksum: &migration.checksum,
            statement_count: migration.statements.len(),
        };
        self.session.begin_migration(self.ledger, new).await
    }

    async fn end_migration(
        &mut self,
        version: &Version,
        failure: Option<&str>,
    ) -> Result<(), Error> {
        self.session.end_migration(self.ledger, self.set, version, failure).await
    }

    async fn intend(&mut self, version: &Version, record: &StatementRecord) -> Result<(), Error> {
        self.session.intend(self.ledger, self.set, version, record).await
    }

    async fn advance(
        &mut self,
        version: &Version,
        number: usize,
        state: &StatementState,
    ) -> Result<(), Error> {
        self.session.advance(self.ledger, self.set, version, number, state).await
    }

    async fn withdraw(&mut self, version: &Version, number: usize) -> Result<(), Error> {
        self.session.withdraw(self.ledger, self.set, version, number).await
    }

    async fn run_ddl(&mut self, statement: &Statement) -> Result<Option<JobId>, Error> {
        self.session.run_ddl(statement).await
    }

    async fn run_dml(
        &mut self,
        version: &Version,
        steps: &[(&Statement, StatementRecord)],
    ) -> Result<(), Error> {
        self.session.run_dml(self.ledger, self.set, version, steps).await
    }

    async fn job(&mut self, id: &JobId) -> Result<Job, Error> {
        self.session.job(id).await
    }

    async fn drop_index(&mut self, name: &str) -> Result<(), Error> {
        self.session.transact(&format!("DROP INDEX IF EXISTS {name}")).await.map(drop)
    }

    async fn record_schema(&mut self, changes: &[(&str, Option<&Objects>)]) -> Result<(), Error> {
        self.session.record_schema(self.ledger, changes).await
    }
}
