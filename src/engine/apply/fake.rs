//! An in-memory cluster whose connection can fail, or return an error, at any point: before and
//! after each transaction and each read.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use crate::database::retry::{Attempts, CLAIM, READ, RetryPolicy};
use crate::database::{
    Batch, Build, BuildState, Claim, Condition, DescribedObject, Error, FailurePoint, Holder, Job,
    JobId, JobQuestion, JobState, LedgerHeader, LedgerSetup, LedgerState, LedgerStatement,
    MigrationEnd, MigrationRecord, MigrationState, Objects, Observation, RecordTimes, ServerError,
    Snapshot, Stamp, StatementRecord, StatementState, Transaction, TransactionError, Write,
};
use crate::engine::adoption::adopted;
use crate::engine::{Budget, Cluster};
use crate::migration::expression::Expression;
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::migration::{Migration, Statement, StatementNumber, Version};
use crate::sql::{self, Becomes, Definition, JobTarget};

/// A fault at the point with this number, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection ends before the server receives the request.
    Before(usize),
    /// The request takes effect, and the reply is lost.
    After(usize),
    /// The server rejects the request.
    Rejected(usize),
    /// The request fails with a conflict.
    Conflict(usize),
    /// The request takes effect, and the reply is a conflict.
    ConflictAfter(usize),
}

#[derive(Default)]
pub(super) struct FakeCluster {
    pub(super) fault: Option<Fault>,
    /// Whether the process dies with the fault, so that no request succeeds any more.
    pub(super) kills: bool,
    pub(super) dead: bool,
    /// Points passed so far.
    pub(super) points: usize,
    /// Messages sent so far.
    pub(super) round_trips: usize,
    /// Texts of the statements that took effect, in order.
    pub(super) executed: Vec<String>,
    /// The number of DML statements in each transaction.
    pub(super) transactions: Vec<usize>,
    /// Rows that statements that run in batches have not changed yet.
    pub(super) backlog: u64,
    /// The number of batches that have changed rows.
    pub(super) batches: u64,
    /// Ends the budget once this many statements have taken effect.
    pub(super) stop_after: Option<(usize, CancellationToken)>,
    /// How many more times a job is found running before it ends.
    pub(super) polls: usize,
    pub(super) failing_jobs: bool,
    /// The index whose job has failed.
    pub(super) failed_index: Option<&'static str>,
    /// Statements that succeed without an effect.
    pub(super) ignored: Vec<String>,
    /// How many more schema changes fail with a conflict.
    pub(super) conflicts: usize,
    pub(super) ledger_exists: bool,
    pub(super) migrations: BTreeMap<Version, MigrationRecord>,
    /// The catalog: the texts of facts and their values.
    pub(super) catalog: BTreeMap<String, String>,
    pub(super) identities: usize,
    /// The definitions of the objects in the catalog.
    pub(super) objects: Vec<DescribedObject>,
    /// Indexes, and whether each is valid.
    pub(super) indexes: BTreeMap<String, bool>,
    /// The jobs for which no run waits, with their objects.
    pub(super) left: BTreeMap<JobId, u32>,
    pub(super) recorded: Snapshot,
    /// How often each relation was recorded.
    pub(super) times: BTreeMap<String, String>,
    /// What another run records after the next look of this one, once.
    pub(super) meanwhile: Option<(String, Objects)>,
    pub(super) live: Snapshot,
    /// The note of a run that has not recorded the schema yet.
    pub(super) drift: Option<String>,
    /// How many more claims find the lease held by another run.
    pub(super) other: Option<usize>,
    /// Whether another run claims the lease before the next fence.
    pub(super) lease_taken: bool,
}

pub(super) fn server_error(code: &str) -> Error {
    Error::Server(Box::new(ServerError::new(code, "no")))
}

/// The maximum number of rows that a batch changes.
pub(super) const BATCH: u64 = 1000;

/// The OID of an index.
fn oid(index: &str) -> u32 {
    index.bytes().fold(16384, |oid, byte| (oid * 31 + u32::from(byte)) % 1_000_003)
}

fn lost() -> Error {
    Error::ReplyLost { reason: "closed".into() }
}

impl FakeCluster {
    pub(super) fn with_fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }

    /// Starts a new process, without faults.
    pub(super) fn heal(&mut self) {
        self.fault = None;
        self.dead = false;
    }

    pub(super) fn record(&self, version: &str) -> &MigrationRecord {
        &self.migrations[&Version(version.into())]
    }

    /// Passes one point of a read.
    async fn read<T>(&mut self, work: impl FnMut(&mut Self) -> T) -> Result<T, Error> {
        self.repeat(&READ, work).await
    }

    /// Passes one point of a request, and repeats the request as a session does.
    async fn repeat<T>(
        &mut self,
        policy: &'static RetryPolicy,
        mut work: impl FnMut(&mut Self) -> T,
    ) -> Result<T, Error> {
        let mut attempts = Attempts::new(policy);
        loop {
            match self.point(|this| Ok(work(this))) {
                Err(error) if attempts.should_retry(&error).await => {}
                result => return result,
            }
        }
    }

    /// Passes one point. A fault occurs once.
    fn point<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.dead {
            return Err(lost());
        }
        let point = self.points;
        self.points += 1;
        let result = match self.fault {
            Some(Fault::Before(at)) if at == point => Err(lost()),
            Some(Fault::Rejected(at)) if at == point => return Err(server_error("42501")),
            Some(Fault::Conflict(at)) if at == point => return Err(server_error("40001")),
            Some(Fault::ConflictAfter(at)) if at == point => {
                return work(self).and(Err(server_error("40001")));
            }
            // The request has taken effect, and the reply is lost.
            Some(Fault::After(at)) if at == point => work(self).and(Err(lost())),
            _ => return work(self),
        };
        self.dead = self.kills;
        result
    }

    fn stop_if_due(&self) {
        if let Some((count, stop)) = &self.stop_after
            && self.executed.len() + usize::try_from(self.batches).expect("few") >= *count
        {
            stop.cancel();
        }
    }

    fn statement(
        &mut self,
        version: &Version,
        number: StatementNumber,
    ) -> Option<&mut StatementRecord> {
        let record = self.migrations.get_mut(version)?;
        record.statements.iter_mut().find(|statement| statement.number == number)
    }

    fn insert(
        &mut self,
        version: &Version,
        record: StatementRecord,
    ) -> Result<(), (FailurePoint, Error)> {
        if self.statement(version, record.number).is_some() {
            return Err((FailurePoint::RowExists, server_error("23505")));
        }
        self.migrations.get_mut(version).expect("begun").statements.push(record);
        Ok(())
    }

    fn transaction(
        &mut self,
        transaction: &Transaction<'_>,
    ) -> Result<Option<JobId>, (FailurePoint, Error)> {
        match transaction {
            Transaction::Ledger(writes) => self.write_all(writes),
            Transaction::Dml { statements, writes } => {
                self.write_all(writes)?;
                self.transactions.push(statements.len());
                self.executed.extend(statements.iter().map(|statement| statement.text.clone()));
                Ok(None)
            }
            Transaction::Ddl(statement) => {
                self.schema_change(statement).map_err(|error| (FailurePoint::Statement(0), error))
            }
            Transaction::DropIndex(index) => {
                self.indexes.remove(index);
                self.failed_index.take_if(|failed| failed == index);
                self.catalog.retain(|fact, _| !fact.ends_with(index.as_str()));
                Ok(None)
            }
        }
    }

    /// Applies all writes of a transaction or none: a rejected write rolls back the others.
    fn write_all(&mut self, writes: &[Write<'_>]) -> Result<Option<JobId>, (FailurePoint, Error)> {
        if std::mem::take(&mut self.lease_taken) {
            return Err((FailurePoint::LeaseLost, server_error("22012")));
        }
        let saved = self.migrations.clone();
        for write in writes {
            if let Err((at, error)) = self.write(write) {
                self.migrations = saved;
                return Err((at, error));
            }
        }
        Ok(None)
    }

    /// Begins a migration whose last run must be `after`, or that must not be applied.
    fn begin(
        &mut self,
        migration: &Migration,
        after: Option<u32>,
    ) -> Result<(), (FailurePoint, Error)> {
        let new = MigrationRecord {
            version: migration.version.clone(),
            kind: migration.kind,
            run: 0,
            values: None,
            description: migration.description.clone(),
            checksum: migration.checksum.clone(),
            state: MigrationState::Running,
            finished_at: None,
            applied_by: "admin".into(),
            duration_ms: None,
            error: None,
            adopted_from: None,
            provider_version: None,
            recorded: None,
            statements: Vec::new(),
        };
        let record = self.migrations.entry(migration.version.clone()).or_insert(new);
        let is_expected = match after {
            Some(after) => record.run == after,
            None => record.state != MigrationState::Applied,
        };
        if !is_expected {
            return Err((FailurePoint::RowChanged, server_error("22012")));
        }
        record.state = MigrationState::Running;
        record.checksum = migration.checksum.clone();
        record.values = migration.values.digest();
        record.adopted_from = None;
        record.run += 1;
        Ok(())
    }

    fn write(&mut self, write: &Write<'_>) -> Result<(), (FailurePoint, Error)> {
        match write {
            Write::Begin(migration) => self.begin(migration, None),
            Write::BeginAgain { migration, after } => self.begin(migration, Some(*after)),
            Write::Forget { version } => {
                self.migrations.get_mut(version).expect("begun").statements.clear();
                Ok(())
            }
            Write::Adopt { migrations } => {
                for (migration, from) in migrations {
                    let record = MigrationRecord {
                        finished_at: Some("2026-11-23T12:00:00Z".into()),
                        ..adopted(migration, from)
                    };
                    let found = self.migrations.get(&migration.version);
                    let is_adoptable = |found: &MigrationRecord| {
                        let is_applied = [MigrationState::Applied, MigrationState::Building];
                        !is_applied.contains(&found.state)
                            || migration.is_repeatable() && found.adopted_from.is_some()
                    };
                    if found.is_none_or(is_adoptable) {
                        self.migrations.insert(migration.version.clone(), record);
                    }
                }
                Ok(())
            }
            Write::End { version, end } => {
                if let Some(record) = self.migrations.get_mut(version) {
                    (record.state, record.error) = match end {
                        MigrationEnd::Failed(error) => {
                            (MigrationState::Failed, Some(error.clone()))
                        }
                        MigrationEnd::Building => (MigrationState::Building, None),
                        MigrationEnd::Applied => (MigrationState::Applied, None),
                    };
                }
                Ok(())
            }
            Write::Complete { version } => {
                let record = self.migrations.get_mut(version).expect("begun");
                if record.state == MigrationState::Building {
                    record.state = MigrationState::Applied;
                }
                Ok(())
            }
            Write::LeaveJob { version, number, job, object } => {
                self.left.insert(job.clone(), *object);
                let state = StatementState::Submitted(job.clone());
                self.statement(version, *number).expect("intended").state = state;
                Ok(())
            }
            Write::Fail { version, number, job, object } => {
                if let (Some(job), Some(object)) = (job, object) {
                    self.left.insert(job.clone(), *object);
                }
                let state = StatementState::Failed(job.clone());
                self.statement(version, *number).expect("intended").state = state;
                Ok(())
            }
            Write::Intend { version, record, facts, .. } => {
                let before = self.look_up(facts);
                self.insert(version, StatementRecord { before: Some(before), ..record.clone() })
            }
            Write::Record { version, record } => self.insert(version, record.clone()),
            Write::Advance { version, number, state } => {
                self.statement(version, *number).expect("intended").state = state.clone();
                Ok(())
            }
            Write::Withdraw { version, number } => {
                let record = self.migrations.get_mut(version).expect("begun");
                record.statements.retain(|statement| statement.number != *number);
                Ok(())
            }
            Write::Schema { relation, objects, after } => {
                let time = self.times.get(*relation).cloned();
                if time.as_deref() != *after {
                    return Err((FailurePoint::RowChanged, server_error("22012")));
                }
                let next = time.map_or(1, |time| time.parse::<usize>().expect("a count") + 1);
                self.times.insert((*relation).to_owned(), next.to_string());
                match objects {
                    Some(objects) => {
                        self.recorded.relations.insert((*relation).to_owned(), (*objects).clone())
                    }
                    None => self.recorded.relations.remove(*relation),
                };
                Ok(())
            }
            Write::Release { settled } => {
                if *settled {
                    self.drift = None;
                }
                Ok(())
            }
        }
    }

    fn schema_change(&mut self, statement: &Statement) -> Result<Option<JobId>, Error> {
        if self.conflicts > 0 {
            self.conflicts -= 1;
            return Err(server_error("40001"));
        }
        if self.ignored.contains(&statement.text) {
            return Ok(None);
        }
        for ask in sql::effect(&statement.text).asks {
            let fact = ask.fact.to_string();
            self.identities += 1;
            let fresh = format!("#{}", self.identities);
            match ask.becomes {
                Becomes::Present | Becomes::Defined(_) if self.catalog.contains_key(&fact) => {
                    return Err(server_error("42P07"));
                }
                Becomes::Absent if !self.catalog.contains_key(&fact) => {
                    return Err(server_error("42P01"));
                }
                Becomes::Absent | Becomes::Without(_) => drop(self.catalog.remove(&fact)),
                Becomes::Present | Becomes::Anything => drop(self.catalog.insert(fact, fresh)),
                Becomes::Exactly(text) | Becomes::With(text) => {
                    self.catalog.insert(fact, text);
                }
                Becomes::Granted { letters, grantees, .. } => {
                    let letters: String = letters.into_iter().collect();
                    let items = grantees.iter().map(|grantee| format!("{grantee}={letters}/x"));
                    self.catalog.insert(fact, items.collect::<Vec<_>>().join(" "));
                }
                Becomes::Defined(definition) => {
                    self.define(&ask.fact, &definition, &fresh);
                    self.catalog.insert(fact, fresh);
                }
                Becomes::SameAs(_)
                | Becomes::Contains(_)
                | Becomes::Altered(_)
                | Becomes::WithoutFunction(_) => panic!("{}", statement.text),
                Becomes::MovedFrom(from) => {
                    let identity = self.catalog.get(&from.to_string()).cloned();
                    let identity = identity.ok_or_else(|| server_error("42P01"))?;
                    self.catalog.insert(fact, identity);
                }
            }
        }
        self.executed.push(statement.text.clone());
        // Tables are part of the live schema, so that tests can check what a run records.
        if let Some(rest) = statement.text.strip_prefix("CREATE TABLE ") {
            let table = format!("public.{}", rest.split(' ').next().unwrap_or_default());
            let objects = [(format!("table {table}").as_str().into(), String::new())].into();
            self.live.relations.insert(table, objects);
        }
        Ok(match sql::job_target(&statement.text) {
            Some(JobTarget::Index { index: Some(index), .. }) => {
                self.indexes.insert(index.to_string(), false);
                Some(JobId(format!("job of {index}")))
            }
            _ => None,
        })
    }

    /// Describes an object that was created, in the words of its statement.
    fn define(&mut self, fact: &Fact, definition: &Definition, identity: &str) {
        let Fact::Identity(FactSubject::Relation(name)) = fact else { return };
        let relation = format!("public.{name}");
        let mut push = |kind: &str, relation: &str, name: &str, definition: &str| {
            self.objects.push(DescribedObject {
                object: format!("{kind} {name}").as_str().into(),
                relation: relation.to_owned(),
                definition: definition.to_owned(),
                identity: (kind != "column").then(|| identity.to_owned()),
            });
        };
        match definition {
            Definition::Table(table) => {
                push("table", &relation, &relation, "");
                for column in &table.columns {
                    let name = format!("{relation}.{}", column.name);
                    push("column", &relation, &name, &column.text);
                }
            }
            Definition::Index(index) => {
                push("index", &format!("public.{}", index.table), &relation, &index.text);
            }
            other => panic!("{other:?}"),
        }
    }

    fn stamp(&self) -> Stamp {
        if self.migrations.is_empty() {
            return Stamp::default();
        }
        Stamp(format!("{:?}", self.migrations))
    }

    /// The statements of runs that have not recorded the schema. Here, all of them have sent them.
    fn unrecorded_statements(&self) -> Vec<LedgerStatement> {
        let of_record = |record: &MigrationRecord| {
            let version = record.version.clone();
            let statements = record.statements.iter().map(move |row| LedgerStatement {
                set: "default".to_owned(),
                is_own: true,
                version: version.clone(),
                number: row.number,
                summary: row.summary.clone(),
                class: row.class.clone(),
                job: None,
                object: None,
                build: None,
                is_done: row.state == StatementState::Done,
                has_failed: matches!(row.state, StatementState::Failed(_)),
                is_unrecorded: row.state == StatementState::Done,
                text: None,
            });
            statements.collect::<Vec<_>>()
        };
        let records = self.migrations.values().filter(|_| self.drift.is_some());
        records.flat_map(of_record).chain(self.left_statements()).collect()
    }

    /// The statements for whose jobs no run waits.
    fn left_statements(&self) -> Vec<LedgerStatement> {
        let rows = self.migrations.values().flat_map(|record| {
            record.statements.iter().map(move |row| (record.version.clone(), row))
        });
        let left = rows.filter_map(|(version, row)| {
            let StatementState::Submitted(job) = &row.state else { return None };
            let (object, build) = (*self.left.get(job)?, self.build_of(job));
            let (number, summary, class) = (row.number, row.summary.clone(), row.class.clone());
            let (set, job) = ("default".to_owned(), Some(job.clone()));
            let (is_own, is_done, has_failed, is_unrecorded) = (true, false, false, false);
            let (object, build, text) = (Some(object), Some(build), Some(row.summary.clone()));
            Some(LedgerStatement {
                set,
                is_own,
                version,
                number,
                summary,
                class,
                job,
                object,
                build,
                is_done,
                has_failed,
                is_unrecorded,
                text,
            })
        });
        left.collect()
    }

    /// What a job builds, as an observation finds it.
    fn build_of(&self, job: &JobId) -> Build {
        let index = job.0.trim_start_matches("job of ");
        let state = match self.indexes.get(index) {
            None => BuildState::Gone,
            Some(true) => BuildState::Valid,
            Some(false) if self.failing_jobs && self.polls == 0 => BuildState::Failed,
            Some(false) if self.failed_index == Some(index) => BuildState::Failed,
            Some(false) => BuildState::Running,
        };
        let object = Some(format!("index public.{index}").as_str().into());
        let oid = self.left.get(job).copied();
        Build { state, object, oid, started_at: None, status: None, details: None }
    }

    /// The records of the migrations with what their jobs build.
    fn records(&self) -> Vec<MigrationRecord> {
        let mut records: Vec<MigrationRecord> = self.migrations.values().cloned().collect();
        for row in records.iter_mut().flat_map(|record| &mut record.statements) {
            if let StatementState::Submitted(job) | StatementState::Failed(Some(job)) = &row.state {
                row.build = self.left.contains_key(job).then(|| self.build_of(job));
            }
        }
        records
    }

    fn look_up(&self, facts: &[Fact]) -> Facts {
        let found = facts.iter().map(ToString::to_string);
        found.filter_map(|fact| Some((fact.clone(), self.catalog.get(&fact)?.clone()))).collect()
    }
}

impl Cluster for FakeCluster {
    async fn observe(&mut self) -> Result<Observation, Error> {
        self.round_trips += 1;
        let observed = self.read(|this| Observation {
            ledger: if this.ledger_exists {
                LedgerState::Current(LedgerHeader::default())
            } else {
                LedgerState::Missing
            },
            migrations: this.records(),
            recorded: this.recorded.clone(),
            outdated: Vec::new(),
            live: this.live.clone(),
            times: RecordTimes(this.times.clone()),
            unrecorded: this.drift.is_some(),
            hides_jobs: false,
            existing: Facts::default(),
            relations: None,
            tables: BTreeMap::new(),
            holder: None,
            runs: Vec::new(),
            statements: this.unrecorded_statements(),
            made: BTreeMap::new(),
            remade: BTreeSet::new(),
            counted: BTreeMap::new(),
            dropped_history: BTreeSet::new(),
            stamp: this.stamp(),
        });
        let observed = observed.await;
        let is_recording = self.drift.is_some();
        if let Some((relation, objects)) = self.meanwhile.take_if(|_| is_recording) {
            self.times.insert(relation.clone(), "100".to_owned());
            self.live.relations.insert(relation.clone(), objects.clone());
            self.recorded.relations.insert(relation, objects);
        }
        observed
    }

    async fn set_up_ledger(&mut self, _exists: bool) -> Result<LedgerSetup, Error> {
        self.point(|this| {
            this.ledger_exists = true;
            Ok(LedgerSetup::Ready)
        })
    }

    async fn claim(&mut self, drift: &str) -> Result<Claim, Error> {
        self.round_trips += 1;
        let claim = self.repeat(&CLAIM, |this| {
            if let Some(left) = this.other {
                this.other = left.checked_sub(1);
                return Claim::Held(Holder {
                    who: "admin, elsewhere".into(),
                    until: "2026-11-23T12:00:00Z".into(),
                    remaining: std::time::Duration::from_secs(10),
                });
            }
            let drift = this.drift.get_or_insert_with(|| drift.to_owned()).clone();
            Claim::Granted { drift, stamp: this.stamp() }
        });
        claim.await
    }

    async fn fence_former_connection(&mut self) -> Result<bool, Error> {
        self.repeat(&CLAIM, |_| true).await
    }

    async fn facts(&mut self, facts: &[Fact]) -> Result<Facts, Error> {
        self.read(|this| this.look_up(facts)).await
    }

    async fn describe(&mut self, identities: &[String]) -> Result<Vec<DescribedObject>, Error> {
        self.read(|this| {
            let exists = |identity: &str| {
                this.catalog.values().any(|value| value.split([',', ' ']).any(|it| it == identity))
            };
            let is_asked = |it: &&DescribedObject| {
                let identity = it.identity.as_ref();
                identity.is_some_and(|identity| identities.contains(identity) && exists(identity))
            };
            let asked = this.objects.iter().filter(is_asked);
            let relations: Vec<&str> = asked.map(|it| it.relation.as_str()).collect();
            let described = this.objects.iter();
            described.filter(|it| relations.contains(&it.relation.as_str())).cloned().collect()
        })
        .await
    }

    async fn explain(&mut self, expressions: &[Expression]) -> Result<Vec<Option<String>>, Error> {
        self.read(|_| expressions.iter().map(|it| Some(it.text.clone())).collect()).await
    }

    async fn run_transactions(
        &mut self,
        transactions: &[Transaction<'_>],
        budget: &Budget,
    ) -> Result<Vec<Option<JobId>>, TransactionError> {
        self.round_trips += 1;
        let mut committed = Vec::new();
        let is_divisible = transactions.iter().filter(|it| it.is_work()).count() > 1;
        for transaction in transactions {
            let is_fenced = matches!(transaction, Transaction::Ledger(_) | Transaction::Dml { .. });
            if is_divisible && is_fenced && budget.check().is_err() {
                let error = server_error("22012");
                return Err(TransactionError {
                    committed,
                    at: FailurePoint::BudgetEnded,
                    source: error,
                });
            }
            let mut at = FailurePoint::Commit;
            let result = self.point(|this| {
                this.transaction(transaction).map_err(|(point, error)| {
                    at = point;
                    error
                })
            });
            match result {
                Ok(job) => {
                    self.stop_if_due();
                    committed.push(job);
                }
                Err(error) => {
                    if matches!(transaction, Transaction::Ddl(_)) {
                        at = FailurePoint::Statement(0);
                    }
                    // If the connection is lost, the replies to the whole message are lost.
                    if matches!(error, Error::ReplyLost { .. }) {
                        committed.clear();
                    }
                    return Err(TransactionError { committed, at, source: error });
                }
            }
        }
        Ok(committed)
    }

    async fn batch(&mut self, batch: &Batch<'_>, _: &Budget) -> Result<u64, TransactionError> {
        self.round_trips += 1;
        let mut at = FailurePoint::Commit;
        let result = self.point(|this| {
            let rows = this.backlog.min(BATCH);
            let after = batch.before.and(rows);
            let state = match rows {
                0 => StatementState::Done,
                _ => StatementState::Batching(after),
            };
            let record = StatementRecord { state, ..batch.record.clone() };
            match this.statement(batch.version, record.number) {
                Some(found)
                    if found.state == StatementState::Batching(batch.before)
                        || matches!(found.state, StatementState::Failed(_)) =>
                {
                    *found = record;
                }
                Some(_) => {
                    at = FailurePoint::RowChanged;
                    return Err(server_error("22012"));
                }
                None => this.insert(batch.version, record).map_err(|(point, error)| {
                    at = point;
                    error
                })?,
            }
            this.backlog -= rows;
            this.batches += u64::from(rows > 0);
            Ok(rows)
        });
        self.stop_if_due();
        if result.as_ref().is_err_and(|error| {
            error.server().is_some_and(|error| error.condition() == Condition::PermissionDenied)
        }) {
            at = FailurePoint::Statement(0);
        }
        result.map_err(|error| TransactionError { committed: Vec::new(), at, source: error })
    }

    async fn jobs(&mut self, questions: &[JobQuestion]) -> Result<Vec<Job>, Error> {
        self.round_trips += 1;
        let jobs = self.read(|this| {
            let running = this.polls.checked_sub(1).inspect(|left| this.polls = *left).is_some();
            let failing = this.failing_jobs;
            let answer = |question: &JobQuestion| {
                let named = match question {
                    JobQuestion::Index { index, .. } => index.clone(),
                    JobQuestion::Object { object, .. } => {
                        this.indexes.keys().find(|index| oid(index) == *object).cloned()
                    }
                    JobQuestion::Constraint { .. } | JobQuestion::Other(_) => None,
                };
                let Some(index) = &named else {
                    let (mut state, object) = (JobState::Completed, None);
                    if matches!(question, JobQuestion::Object { .. }) {
                        state = JobState::Failed;
                    }
                    return Job { state, id: None, details: None, index: None, object };
                };
                let is_there = this.indexes.contains_key(index);
                let has_failed = this.failed_index == Some(index.as_str());
                let state = match (running && !has_failed, failing || !is_there || has_failed) {
                    (true, _) => JobState::Running,
                    (false, true) => JobState::Failed,
                    (false, false) => {
                        this.indexes.insert(index.clone(), true);
                        JobState::Completed
                    }
                };
                Job {
                    state,
                    id: is_there.then(|| JobId(format!("job of {index}"))),
                    details: Some("found duplicate key(s)".into()),
                    index: is_there.then(|| index.clone()),
                    object: is_there.then(|| oid(index)),
                }
            };
            questions.iter().map(answer).collect()
        });
        jobs.await
    }

    async fn duplicates(&mut self, _: &str) -> Result<Vec<String>, Error> {
        self.point(|_| Ok(vec!["id = 1 (2 rows)".into()]))
    }
}
