//! Migrations and statements as the ledger records them.

use std::fmt;

use super::build::{Build, BuildState};
use crate::database::jobs::JobId;
use crate::migration::fact::Facts;
use crate::migration::{Checksum, Class, MigrationKind, StatementNumber, ValuesDigest, Version};

/// How far a migration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    /// Begun, and neither applied nor failed: a run is in progress, or was interrupted.
    Running,
    /// All statements were sent, and the run did not wait for the jobs of some of them.
    Building,
    /// All statements are done.
    Applied,
    /// A statement failed; those before it are done.
    Failed,
}

impl MigrationState {
    /// The word in the ledger and in the Terraform state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Building => "building",
            Self::Applied => "applied",
            Self::Failed => "failed",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Running, Self::Building, Self::Applied, Self::Failed];
        all.into_iter().find(|state| state.as_str() == text)
    }
}

/// How far a statement has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementState {
    /// Written before the statement was sent. A later run that reads it does not know the outcome.
    Intended,
    /// The statement returned a job that is not known to have ended.
    Submitted(JobId),
    /// It runs in batches, and some of them are committed.
    Batching(Batches),
    /// Done; an asynchronous statement is also verified.
    Done,
    /// Not sent, because the catalog showed its whole effect. Only in repeatable migrations.
    Skipped,
    /// Certainly not applied: its job, if it is known, has failed, and the run that wrote this
    /// drops what the job has left. The row stays until the statement is sent again or another one
    /// takes its place, because later statements may have rows.
    Failed(Option<JobId>),
}

impl StatementState {
    /// The word in the ledger, and the ID of the job.
    pub(super) fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Intended => ("intended", None),
            Self::Submitted(job) => ("submitted", Some(&job.0)),
            Self::Batching(_) => ("batching", None),
            Self::Done => ("done", None),
            Self::Skipped => ("skipped", None),
            Self::Failed(job) => ("failed", job.as_ref().map(|job| job.0.as_str())),
        }
    }
}

/// How far a statement that runs in batches has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Batches {
    /// Number of committed batches that changed rows.
    pub count: u64,
    /// Number of rows that they changed.
    pub rows: u64,
}

impl Batches {
    /// Adds a batch that changed so many rows. A batch that changed none is not counted.
    #[must_use]
    pub fn and(self, rows: u64) -> Self {
        Self { count: self.count + u64::from(rows > 0), rows: self.rows + rows }
    }
}

/// A migration as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationRecord {
    /// Identifier within the set.
    pub version: Version,
    /// Its kind when it was last begun.
    pub kind: MigrationKind,
    /// How many times it was begun.
    pub run: u32,
    /// Digest of the values that its variables had.
    pub values: Option<ValuesDigest>,
    /// Version of the provider that last began or adopted it; `None` before layout 2.
    pub provider_version: Option<String>,
    /// How many of its statements had rows that no run deletes when its last run ended: those that
    /// are not asynchronous and are done, skipped or in batches. `None` if that is unknown.
    pub recorded: Option<usize>,
    /// Words from the file name.
    pub description: String,
    /// Checksum of the text that was applied.
    pub checksum: Checksum,
    /// How far it has come.
    pub state: MigrationState,
    /// When it was finished: RFC 3339 in UTC, by the server's clock.
    pub finished_at: Option<String>,
    /// Database role that applied it.
    pub applied_by: String,
    /// Time from start to end, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Why the last run failed.
    pub error: Option<String>,
    /// Why it counts as applied although the provider has not run it: the name of a history table,
    /// or `baseline_version`.
    pub adopted_from: Option<String>,
    /// Its statements as far as they were begun, ordered by number.
    pub statements: Vec<StatementRecord>,
}

impl MigrationRecord {
    /// The record of a migration whose row is gone, although it has rows of statements. These are
    /// as binding as those of a run that was interrupted.
    pub(super) fn lost(version: Version, statements: Vec<StatementRecord>) -> Self {
        Self {
            version,
            kind: MigrationKind::Versioned,
            run: 0,
            values: None,
            provider_version: None,
            recorded: None,
            description: String::new(),
            checksum: Checksum(String::new()),
            state: MigrationState::Running,
            finished_at: None,
            applied_by: String::new(),
            duration_ms: None,
            error: None,
            adopted_from: None,
            statements,
        }
    }

    /// Whether its row is gone: every row that a run has written counts its runs.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.run == 0 && self.adopted_from.is_none()
    }

    /// Whether none of its statements is sent again: it is applied, or it waits only for jobs that
    /// have not failed. An object that someone has dropped does not make its build a failure.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        match self.state {
            MigrationState::Applied => true,
            MigrationState::Building => self.failed_job().is_none(),
            MigrationState::Running | MigrationState::Failed => false,
        }
    }

    /// Whether nothing of it is left to happen: it is applied, or the jobs for which no run waits
    /// have ended, without a failure.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let has_ended = |row: &StatementRecord| {
            let states = [BuildState::Valid, BuildState::Gone];
            !matches!(row.state, StatementState::Submitted(_))
                || row.build.as_ref().is_some_and(|build| states.contains(&build.state))
        };
        match self.state {
            MigrationState::Applied => true,
            MigrationState::Building => self.statements.iter().all(has_ended),
            MigrationState::Running | MigrationState::Failed => false,
        }
    }

    /// Whether an object is missing whose job is not recorded as ended. It is drift.
    #[must_use]
    pub fn lacks_object(&self) -> bool {
        let is_gone = |build: &Build| build.state == BuildState::Gone;
        self.state == MigrationState::Building
            && self.statements.iter().any(|row| row.build.as_ref().is_some_and(is_gone))
    }

    /// The first statement for whose job no run waits and whose job has failed.
    #[must_use]
    pub fn failed_job(&self) -> Option<&StatementRecord> {
        let is_building = self.state == MigrationState::Building;
        self.failed_rows().next().filter(|_| is_building)
    }

    /// The statements whose jobs have failed. They are certainly not applied.
    pub fn failed_rows(&self) -> impl Iterator<Item = &StatementRecord> {
        self.statements.iter().filter(|row| row.has_failed())
    }

    /// The row of one of its statements.
    #[must_use]
    pub fn statement(&self, number: StatementNumber) -> Option<&StatementRecord> {
        self.statements.iter().find(|row| row.number == number)
    }

    /// Whether it is adopted and not yet written: such a record has no time.
    #[must_use]
    pub fn is_to_adopt(&self) -> bool {
        self.adopted_from.is_some() && self.finished_at.is_none()
    }

    /// Whether the ledger has any effect of it in the database on record. What a failed job has
    /// left does not count: the next run drops it.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.is_applied() || self.statements.iter().any(|row| !row.has_failed())
    }
}

/// A statement as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRecord {
    /// Its number in the migration.
    pub number: StatementNumber,
    /// Checksum of the statement's text.
    pub checksum: Checksum,
    /// Its class.
    pub class: RecordedClass,
    /// One line of its text.
    pub summary: String,
    /// How far it has come.
    pub state: StatementState,
    /// The facts of the catalog from before it was sent, as long as they may be needed.
    pub before: Option<Facts>,
    /// What its job builds, if it is `submitted`. The ledger does not have it: an observation reads
    /// it from `sys.jobs` and the catalog.
    pub build: Option<Build>,
}

impl StatementRecord {
    /// Whether the text of the statement must not change any more. The text of a statement that
    /// runs in batches may change until it is done: the new text handles the remaining rows. That
    /// of a statement whose job has failed may change as well.
    #[must_use]
    pub fn is_binding(&self) -> bool {
        !matches!(self.state, StatementState::Batching(_)) && !self.has_failed()
    }

    /// Whether its job is known to have failed, so that it is not applied.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let is_failed = |build: &Build| build.state == BuildState::Failed;
        match self.state {
            StatementState::Failed(_) => true,
            StatementState::Submitted(_) => self.build.as_ref().is_some_and(is_failed),
            _ => false,
        }
    }
}

/// The class of a recorded statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedClass {
    /// A class that this version of the provider knows.
    Known(Class),
    /// A class that a newer version of the provider has written.
    Other(String),
}

impl RecordedClass {
    /// Reads the word of a class.
    #[must_use]
    pub fn parse(word: String) -> Self {
        let known = Class::ALL.into_iter().find(|class| class.as_str() == word);
        known.map_or(Self::Other(word), Self::Known)
    }

    /// The word in the ledger.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(class) => class.as_str(),
            Self::Other(word) => word,
        }
    }
}

impl From<Class> for RecordedClass {
    fn from(class: Class) -> Self {
        Self::Known(class)
    }
}

impl fmt::Display for RecordedClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
