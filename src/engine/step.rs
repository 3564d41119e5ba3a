//! One statement of a run: its row in the ledger, and how it can fail.

use super::budget::BudgetEnd;
use crate::database::{Batches, Error, JobId, StatementRecord, StatementState};
use crate::migration::{Class, Migration, Origin};
use crate::sql;

/// A step that did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: statement {number}{}", after(batches.as_ref()))]
pub struct StatementError {
    /// Where the statement stands.
    pub origin: Origin,
    /// Its place in the migration, counted from 1.
    pub number: usize,
    /// One line of it.
    pub summary: String,
    /// What it has done before, if it runs in batches.
    pub batches: Option<Batches>,
    /// What happened.
    #[source]
    pub failure: StatementFailure,
}

impl StatementError {
    pub(super) fn new(
        migration: &Migration,
        number: usize,
        batches: Option<Batches>,
        failure: StatementFailure,
    ) -> Self {
        // A migration without statements can fail too: its row may not be written.
        let Some(statement) = number.checked_sub(1).and_then(|at| migration.statements.get(at))
        else {
            let origin = Origin { file: migration.file.clone(), line: 1 };
            let summary = "(no statement)".to_owned();
            return Self { origin, number: 1, summary, batches: None, failure };
        };
        Self {
            origin: statement.origin.clone(),
            number,
            summary: sql::summary(statement.shown()),
            batches: batches.filter(|_| statement.class == Class::Batch),
            failure,
        }
    }
}

fn after(batches: Option<&Batches>) -> String {
    match batches {
        Some(Batches { count, rows }) => format!(", after {count} batches with {rows} rows"),
        None => String::new(),
    }
}

/// What happened to a statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementFailure {
    /// The database refused it: nothing of it is applied.
    #[error("the database refused it")]
    Rejected(#[source] Error),
    /// The answer was lost, and the database could not be asked again. The next run asks.
    #[error("the answer was lost, and the database could not be asked again")]
    OutcomeUnknown(#[source] Error),
    /// A run was cut off here, and the catalog does not tell whether the statement was applied.
    #[error("a run was cut off here, and the catalog does not tell whether it was applied")]
    Undetermined {
        /// What is to be looked at.
        findings: Vec<String>,
    },
    /// Another run has taken the statement.
    #[error("another run is working on it")]
    ClaimedByOther,
    /// The statement was accepted, its job failed.
    #[error("its asynchronous job failed")]
    JobFailed {
        /// The job, if it is known.
        job: Option<JobId>,
        /// DSQL's words.
        details: Option<String>,
        /// The INVALID index that was dropped.
        dropped: Option<String>,
        /// Keys that stand in several rows, each as a line.
        duplicates: Vec<String>,
    },
    /// Its job could not be looked up.
    #[error("its asynchronous job could not be looked up")]
    JobLookupFailed(#[source] Error),
    /// The ledger could not be written before or after the statement.
    #[error("the ledger could not be written")]
    LedgerWriteFailed(#[source] Error),
    /// The run had to end before the statement, or while its job was running.
    #[error("{0}")]
    BudgetEnded(BudgetEnd),
}

/// The ledger's row for a statement.
pub(super) fn record(
    migration: &Migration,
    number: usize,
    state: StatementState,
) -> StatementRecord {
    let statement = &migration.statements[number - 1];
    StatementRecord {
        number,
        checksum: statement.checksum(),
        class: statement.class.as_str().to_owned(),
        summary: sql::summary(statement.shown()),
        state,
        before: None,
    }
}
