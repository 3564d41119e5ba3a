//! How a run can fail. The provider turns these types into messages.

use super::budget::BudgetEnd;
use crate::database::{
    Batches, Error, Holder, JobId, NameTaken, Observation, ReadOnlyReason, UpgradeDenied,
};
use crate::migration::{Class, Migration, Origin, Position, StatementNumber, Version};
use crate::sql;

/// What a run did. A run that fails returns it together with its error.
#[derive(Debug, Default)]
pub struct Report {
    /// The migrations that this run completed, in order.
    pub applied: Vec<Version>,
    /// The migrations that this run has sent, and for whose jobs it does not wait.
    pub building: Vec<Version>,
    /// The other statements whose jobs have failed or were still running when a failed run ended.
    pub unfinished: Vec<ApplyError>,
    /// What the database contains after the run; `None` if it could not be read.
    pub observation: Option<Observation>,
}

/// Why a run did not complete. What it applied before stays applied and recorded.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The ledger could not be created, read or written between migrations.
    #[error("{doing}")]
    Ledger {
        /// What was attempted.
        doing: &'static str,
        /// The database's error.
        source: Error,
    },
    /// This provider must not write to the ledger.
    #[error(transparent)]
    LedgerReadOnly(ReadOnlyReason),
    /// The ledger has an earlier layout, and the role lacks a privilege to upgrade it.
    #[error(transparent)]
    LedgerUpgradeDenied(Box<UpgradeDenied>),
    /// Something else has the name of a table of the ledger.
    #[error(transparent)]
    LedgerNameTaken(NameTaken),
    /// The ledger has an earlier layout, and another run holds a lease.
    #[error("the ledger must be upgraded, and {} holds a lease until {}", .0.who, .0.until)]
    LedgerUpgradeHeld(Holder),
    /// A statement failed, or the run ended at it.
    #[error("migration {version} was not completed")]
    Statement {
        /// Its migration.
        version: Version,
        /// The statement and the failure.
        source: Box<StatementError>,
    },
    /// Another run has applied a migration that this run was about to begin.
    #[error("another run has applied migration {version} in the meantime")]
    AppliedByOther {
        /// The migration.
        version: Version,
    },
    /// Another run has applied other migrations than this run has planned.
    #[error("another run has applied other migrations since the plan was made")]
    LedgerChanged,
    /// Another run holds the lease, and did not release it in time.
    #[error("{} holds the lease of this migration set until {}", .0.who, .0.until)]
    LeaseHeld(Holder),
    /// This run did not renew its lease in time, and another run has claimed it.
    #[error("another run has claimed the lease of this migration set")]
    LeaseLost,
    /// The run was cancelled or timed out before it changed anything.
    #[error("{0}")]
    NotStarted(BudgetEnd),
}

/// A statement that was not completed.
#[derive(Debug, thiserror::Error)]
#[error("{origin}{}{}", statement(*number), after(batches.as_ref()))]
pub struct StatementError {
    /// File and line of the statement.
    pub origin: Origin,
    /// Where in the file the server found the error, if it reported a position that can be mapped
    /// to the file.
    pub position: Option<Position>,
    /// The statement's number; `None` if the migration has no statements.
    pub number: Option<StatementNumber>,
    /// One line of the statement.
    pub summary: String,
    /// The batches that were committed before, if the statement runs in batches.
    pub batches: Option<Batches>,
    /// The statements of the migration that are certainly applied.
    pub applied: Vec<StatementNumber>,
    /// The transaction that the server rejected; `None` for all other failures.
    pub rolled_back: Option<RolledBack>,
    /// What happened.
    #[source]
    pub failure: StatementFailure,
}

/// A transaction that the server rejected, so that nothing of it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// All its statements, in order.
    pub statements: Vec<StatementNumber>,
    /// Whether the server rejected its `COMMIT` and not one of the statements.
    pub at_commit: bool,
}

impl StatementError {
    pub(super) fn new(
        migration: &Migration,
        number: Option<StatementNumber>,
        batches: Option<Batches>,
        failure: StatementFailure,
    ) -> Self {
        let numbered = number.and_then(|number| Some((number, migration.statement(number)?)));
        let (applied, rolled_back) = (Vec::new(), None);
        // A migration without statements can fail too: its row may not be written.
        let Some((number, statement)) = numbered else {
            let origin = Origin { file: migration.file.clone(), line: 1 };
            let summary = "(no statement)".to_owned();
            return Self {
                origin,
                position: None,
                number: None,
                summary,
                batches: None,
                applied,
                rolled_back,
                failure,
            };
        };
        let character = match &failure {
            StatementFailure::Rejected(Error::Server(error)) => error.position,
            _ => None,
        };
        Self {
            origin: statement.origin.clone(),
            position: character.and_then(|character| statement.position_of(character)),
            number: Some(number),
            summary: sql::summary(statement.shown()),
            batches: batches.filter(|_| statement.class == Class::Batch),
            applied,
            rolled_back,
            failure,
        }
    }
}

fn statement(number: Option<StatementNumber>) -> String {
    number.map(|number| format!(": statement {number}")).unwrap_or_default()
}

fn after(batches: Option<&Batches>) -> String {
    match batches {
        Some(Batches { count, rows }) => format!(", after {count} batches with {rows} rows"),
        None => String::new(),
    }
}

/// Why a statement was not completed.
#[derive(Debug, thiserror::Error)]
pub enum StatementFailure {
    /// The database rejected it, and its transaction was rolled back.
    #[error("the database rejected it")]
    Rejected(#[source] Error),
    /// The reply was lost, and the catalog could not be read. The next run reads it.
    #[error("the reply was lost, and the database could not be reached again")]
    OutcomeUnknown(#[source] Error),
    /// The outcome is unknown, and the catalog does not show whether it was applied.
    #[error("a run was interrupted here, and the catalog does not show whether it was applied")]
    Undetermined {
        /// What has to be checked by hand, one line each.
        findings: Vec<String>,
    },
    /// Another run has claimed the statement.
    #[error("another run has claimed it")]
    ClaimedByOther,
    /// The statement was accepted, and its job failed.
    #[error("its asynchronous job failed")]
    JobFailed {
        /// The job, if it is known.
        job: Option<JobId>,
        /// The `details` column of `sys.jobs`.
        details: Option<String>,
        /// The INVALID index that was dropped.
        dropped: Option<String>,
        /// Keys that are in more than one row, each as a line.
        duplicates: Vec<String>,
    },
    /// A job of an earlier run, which did not wait for it, has failed, and the statement needs what
    /// it should have built.
    #[error("it needs what the failed job of statement {number} of migration {version} builds")]
    EarlierJobFailed {
        /// The migration of the job.
        version: Version,
        /// The statement that started it.
        number: StatementNumber,
        /// The job.
        job: JobId,
        /// The `details` column of `sys.jobs`.
        details: Option<String>,
    },
    /// Its job was still running when the run ended because of another failure.
    #[error("its {} was still running when the run ended; apply again", job_name(*.0))]
    StillRunning(Class),
    /// The run ended before it because of another failure.
    #[error("the run ended before it because of another failure; apply again")]
    NotReached,
    /// Its job could not be looked up.
    #[error("its asynchronous job could not be looked up")]
    JobLookupFailed(#[source] Error),
    /// The ledger could not be written before or after the statement.
    #[error("the ledger could not be written")]
    LedgerWriteFailed(#[source] Error),
    /// The run was cancelled or timed out before the statement, or while its job was running.
    #[error("{0}")]
    BudgetEnded(BudgetEnd),
}

fn job_name(class: Class) -> &'static str {
    match class {
        Class::AsyncIndex => "index build",
        Class::Validate => "validation",
        Class::Ddl | Class::Dml | Class::Batch | Class::Grant => "job",
    }
}

/// Why a write to the ledger failed.
pub(super) enum WriteError {
    /// Another run holds the lease.
    LeaseLost,
    /// A row is not as it was read.
    Changed(Error),
    /// Any other error.
    Failed(Error),
}

impl WriteError {
    /// The error of the run, for a write that belongs to no statement.
    pub(super) fn while_doing(self, doing: &'static str) -> ApplyError {
        match self {
            Self::LeaseLost => ApplyError::LeaseLost,
            Self::Changed(source) | Self::Failed(source) => ApplyError::Ledger { doing, source },
        }
    }
}
