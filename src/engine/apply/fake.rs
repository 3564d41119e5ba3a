//! A cluster in memory that loses its connection, or answers with an error, at any call.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::{
    Error, Job, JobId, JobState, MigrationRecord, MigrationState, Objects, Observation,
    ServerError, Snapshot, StatementRecord, StatementState,
};
use crate::engine::Cluster;
use crate::migration::{Migration, Statement, Version};

/// What goes wrong at the call with this number, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection ends before the request reaches the server.
    Before(usize),
    /// The server does it, and the answer is lost.
    After(usize),
    /// The server refuses it.
    Refused(usize),
}

#[derive(Default)]
pub(super) struct FakeCluster {
    pub(super) fault: Option<Fault>,
    pub(super) calls: usize,
    /// Texts of the statements that took effect, in order.
    pub(super) executed: Vec<String>,
    /// How many DML statements each transaction held.
    pub(super) transactions: Vec<usize>,
    /// How often a job is found running before it ends.
    pub(super) polls: usize,
    pub(super) failing_jobs: bool,
    /// Statements that lose against a concurrent change so often.
    pub(super) conflicts: usize,
    pub(super) ledger_exists: bool,
    pub(super) migrations: BTreeMap<Version, MigrationRecord>,
    pub(super) indexes: BTreeSet<String>,
    pub(super) recorded: Snapshot,
}

pub(super) fn server_error(code: &str) -> Error {
    Error::Server(Box::new(ServerError {
        code: code.into(),
        message: "no".into(),
        detail: None,
        hint: None,
        position: None,
        after: 0,
    }))
}

fn lost() -> Error {
    Error::ReplyLost { reason: "closed".into() }
}

impl FakeCluster {
    pub(super) fn with_fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }

    pub(super) fn record(&self, version: &str) -> &MigrationRecord {
        &self.migrations[&Version(version.into())]
    }

    /// What a practitioner does after "outcome not known": looks, and writes the answer down.
    pub(super) fn settle_by_hand(&mut self) {
        for record in self.migrations.values_mut() {
            let executed = &self.executed;
            record.statements.retain_mut(|statement| {
                let happened = executed.iter().any(|text| text.starts_with(&statement.summary));
                if happened && statement.state == StatementState::Intended {
                    statement.state = StatementState::Done;
                }
                happened
            });
        }
    }

    fn call<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let call = self.calls;
        self.calls += 1;
        match self.fault {
            Some(Fault::Before(at)) if at == call => Err(lost()),
            Some(Fault::Refused(at)) if at == call => Err(server_error("42601")),
            Some(Fault::After(at)) if at == call => {
                // Whatever the server did is done, and nobody hears of it.
                work(self).and(Err(lost()))
            }
            _ => work(self),
        }
    }

    fn statement(&mut self, version: &Version, number: usize) -> Option<&mut StatementRecord> {
        let record = self.migrations.get_mut(version)?;
        record.statements.iter_mut().find(|statement| statement.number == number)
    }

    fn insert(&mut self, version: &Version, record: &StatementRecord) -> Result<(), Error> {
        if self.statement(version, record.number).is_some() {
            return Err(server_error("23505"));
        }
        self.migrations.get_mut(version).expect("begun").statements.push(record.clone());
        Ok(())
    }
}

impl Cluster for FakeCluster {
    async fn observe(&mut self) -> Result<Observation, Error> {
        self.call(|this| {
            Ok(Observation {
                ledger_exists: this.ledger_exists,
                migrations: this.migrations.values().cloned().collect(),
                recorded: this.recorded.clone(),
                live: Snapshot::default(),
            })
        })
    }

    async fn create_ledger(&mut self) -> Result<(), Error> {
        self.call(|this| {
            this.ledger_exists = true;
            Ok(())
        })
    }

    async fn begin_migration(&mut self, migration: &Migration) -> Result<bool, Error> {
        self.call(|this| {
            let record = this.migrations.entry(migration.version.clone()).or_insert_with(|| {
                MigrationRecord {
                    version: migration.version.clone(),
                    description: migration.description.clone(),
                    checksum: migration.checksum.clone(),
                    state: MigrationState::Running,
                    finished_at: None,
                    applied_by: "admin".into(),
                    duration_ms: None,
                    error: None,
                    statements: Vec::new(),
                }
            });
            Ok(record.state != MigrationState::Applied)
        })
    }

    async fn end_migration(
        &mut self,
        version: &Version,
        failure: Option<&str>,
    ) -> Result<(), Error> {
        self.call(|this| {
            let record = this.migrations.get_mut(version).expect("begun");
            record.error = failure.map(str::to_owned);
            record.state = match failure {
                Some(_) => MigrationState::Failed,
                None => MigrationState::Applied,
            };
            Ok(())
        })
    }

    async fn intend(&mut self, version: &Version, record: &StatementRecord) -> Result<(), Error> {
        self.call(|this| this.insert(version, record))
    }

    async fn advance(
        &mut self,
        version: &Version,
        number: usize,
        state: &StatementState,
    ) -> Result<(), Error> {
        self.call(|this| {
            this.statement(version, number).expect("intended").state = state.clone();
            Ok(())
        })
    }

    async fn withdraw(&mut self, version: &Version, number: usize) -> Result<(), Error> {
        self.call(|this| {
            let record = this.migrations.get_mut(version).expect("begun");
            record.statements.retain(|statement| statement.number != number);
            Ok(())
        })
    }

    async fn run_ddl(&mut self, statement: &Statement) -> Result<Option<JobId>, Error> {
        self.call(|this| {
            if this.conflicts > 0 {
                this.conflicts -= 1;
                return Err(server_error("40001"));
            }
            this.executed.push(statement.text.clone());
            let index = statement.text.strip_prefix("CREATE INDEX ASYNC ");
            Ok(index.map(|rest| {
                this.indexes.insert(rest.split(' ').next().unwrap_or_default().to_owned());
                JobId("job".into())
            }))
        })
    }

    async fn run_dml(
        &mut self,
        version: &Version,
        steps: &[(&Statement, StatementRecord)],
    ) -> Result<(), Error> {
        self.call(|this| {
            this.transactions.push(steps.len());
            for (statement, record) in steps {
                this.insert(version, record)?;
                this.executed.push(statement.text.clone());
            }
            Ok(())
        })
    }

    async fn job(&mut self, _: &JobId) -> Result<Job, Error> {
        self.call(|this| {
            let state = match this.polls.checked_sub(1) {
                Some(left) => {
                    this.polls = left;
                    JobState::Running
                }
                None if this.failing_jobs => JobState::Failed,
                None => JobState::Completed,
            };
            let object = this.indexes.first().cloned();
            Ok(Job { state, details: Some("found duplicate key(s)".into()), object })
        })
    }

    async fn drop_index(&mut self, name: &str) -> Result<(), Error> {
        self.call(|this| {
            this.indexes.remove(name);
            Ok(())
        })
    }

    async fn record_schema(&mut self, _: &[(&str, Option<&Objects>)]) -> Result<(), Error> {
        self.call(|_| Ok(()))
    }
}
