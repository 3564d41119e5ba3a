//! Brings one statement, or a group of neighbouring DML statements, to its end.

use std::time::Duration;

use super::budget::{Budget, Stop};
use super::cluster::Cluster;
use crate::database::{Error, Job, JobId, JobState, Outcome, StatementRecord, StatementState};
use crate::migration::{Class, Migration, Origin, Statement};
use crate::sql;

/// Attempts of a schema change that loses against concurrent changes, commit included.
const DDL_ATTEMPTS: u32 = 12;

/// A step that did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: statement {number}")]
pub struct StepError {
    /// Where the statement stands.
    pub origin: Origin,
    /// Its place in the migration, counted from 1.
    pub number: usize,
    /// One line of it.
    pub summary: String,
    /// What happened.
    #[source]
    pub failure: Failure,
}

/// What happened to a statement.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database refused it: nothing of it is applied.
    #[error("the database refused it")]
    Refused(#[source] Error),
    /// The answer was lost: it may be applied or not.
    #[error("nobody knows whether it was applied")]
    OutcomeUnknown(#[source] Error),
    /// An earlier run was cut off here: it may be applied or not.
    #[error("an earlier run was cut off here")]
    CutOff,
    /// Another run has taken the statement.
    #[error("another run is working on it")]
    TakenByOther,
    /// The statement was accepted, its job failed.
    #[error("its job {} failed", job.0)]
    JobFailed {
        /// The job.
        job: JobId,
        /// DSQL's words.
        details: Option<String>,
        /// The INVALID index that was dropped.
        dropped: Option<String>,
    },
    /// The job is not listed any more, so that its end is not known.
    #[error("its job {} is not listed any more", job.0)]
    JobGone {
        /// The job.
        job: JobId,
    },
    /// The statement was applied (or its job submitted), but could not be recorded.
    #[error("what it did could not be recorded")]
    NotRecorded(#[source] Error),
    /// The ledger could not be written before the statement; nothing of it is applied.
    #[error("the ledger could not be written")]
    LedgerNotWritten(#[source] Error),
    /// The run had to end before the statement, or while its job was running.
    #[error("{0}")]
    Stopped(Stop),
}

/// The ledger's row for a statement.
pub(super) fn record(
    statement: &Statement,
    number: usize,
    state: StatementState,
) -> StatementRecord {
    StatementRecord {
        number,
        checksum: statement.checksum(),
        class: statement.class.as_str().to_owned(),
        summary: sql::summary(statement.shown()),
        state,
    }
}

/// Brings a schema change to its end, wherever a former run left it.
///
/// DSQL commits a schema change alone, so the change and its row in the ledger cannot share a
/// transaction: the row is written on both sides. A row that says `intended` means that a run was
/// cut off between them.
pub(super) async fn run_schema_change(
    cluster: &mut impl Cluster,
    migration: &Migration,
    number: usize,
    found: Option<&StatementState>,
    budget: &Budget,
) -> Result<(), Failure> {
    let statement = &migration.statements[number - 1];
    let version = &migration.version;
    let job = match found {
        Some(StatementState::Done) => return Ok(()),
        Some(StatementState::Intended) => return Err(Failure::CutOff),
        Some(StatementState::Submitted(job)) => Some(job.clone()),
        None => {
            budget.check().map_err(Failure::Stopped)?;
            let intent = record(statement, number, StatementState::Intended);
            cluster.intend(version, &intent).await.map_err(|error| match error.code() {
                Some("23505") => Failure::TakenByOther,
                _ => Failure::LedgerNotWritten(error),
            })?;
            match execute(cluster, statement, budget).await {
                Ok(job) => job,
                Err(failure) => {
                    if !matches!(failure, Failure::OutcomeUnknown(_)) {
                        // Certainly not applied: the row must not stop the next run. If this write
                        // is lost too, the next run stops here and asks, which is safe.
                        if let Err(error) = cluster.withdraw(version, number).await {
                            tracing::warn!(%error, "the intent could not be taken back");
                        }
                    }
                    return Err(failure);
                }
            }
        }
    };

    if let Some(job) = job {
        if found.is_none() {
            let submitted = StatementState::Submitted(job.clone());
            cluster.advance(version, number, &submitted).await.map_err(Failure::NotRecorded)?;
        }
        if let Err(failure) = wait_for(cluster, statement.class, &job, budget).await {
            if matches!(failure, Failure::JobFailed { .. })
                && let Err(error) = cluster.withdraw(version, number).await
            {
                tracing::warn!(%error, "the failed job could not be taken back");
            }
            return Err(failure);
        }
    }
    cluster.advance(version, number, &StatementState::Done).await.map_err(Failure::NotRecorded)
}

/// Sends a schema change, again while it loses against concurrent changes.
async fn execute(
    cluster: &mut impl Cluster,
    statement: &Statement,
    budget: &Budget,
) -> Result<Option<JobId>, Failure> {
    let mut attempt = 1;
    loop {
        let error = match cluster.run_ddl(statement).await {
            Ok(job) => return Ok(job),
            Err(error) => error,
        };
        match error.outcome() {
            Outcome::Conflict if attempt < DDL_ATTEMPTS => {
                // The catalog is busy for a moment; AWS's own suite waits 300 ms longer each time.
                budget
                    .pause(Duration::from_millis(100) * attempt)
                    .await
                    .map_err(Failure::Stopped)?;
                attempt += 1;
            }
            // DSQL was seen to commit a schema change and to answer it with a conflict. Then the
            // repetition finds its own work, and "already exists" says nothing about who made it.
            Outcome::NotApplied if attempt > 1 => return Err(Failure::OutcomeUnknown(error)),
            Outcome::NotApplied | Outcome::Conflict => return Err(Failure::Refused(error)),
            Outcome::Unknown => return Err(Failure::OutcomeUnknown(error)),
        }
    }
}

/// Waits until a job has ended, by looking at it rather than by one long `CALL`: a connection
/// lives for at most an hour, a build may take longer, and a practitioner may interrupt.
async fn wait_for(
    cluster: &mut impl Cluster,
    class: Class,
    id: &JobId,
    budget: &Budget,
) -> Result<(), Failure> {
    let mut interval = Duration::from_millis(50);
    loop {
        let job = cluster.job(id).await.map_err(Failure::NotRecorded)?;
        match job.state {
            JobState::Completed => return Ok(()),
            JobState::Gone => return Err(Failure::JobGone { job: id.clone() }),
            JobState::Failed => return Err(failed(cluster, class, id, job).await),
            JobState::Running => {}
        }
        budget.pause(interval).await.map_err(Failure::Stopped)?;
        interval = (interval * 2).min(Duration::from_secs(2));
    }
}

/// A failed build leaves an INVALID index that counts toward the table's 24, that `IF NOT EXISTS`
/// takes for a good one, and that blocks its name: it goes at once.
async fn failed(cluster: &mut impl Cluster, class: Class, id: &JobId, job: Job) -> Failure {
    let mut dropped = None;
    if class == Class::AsyncIndex
        && let Some(index) = job.object
    {
        match cluster.drop_index(&index).await {
            Ok(()) => dropped = Some(index),
            Err(error) => tracing::warn!(%error, index, "the INVALID index could not be dropped"),
        }
    }
    Failure::JobFailed { job: id.clone(), details: job.details, dropped }
}

/// Runs neighbouring DML statements with their rows in one transaction.
///
/// On failure the number is that of the statement at fault, as far as the server told.
pub(super) async fn run_rows(
    cluster: &mut impl Cluster,
    migration: &Migration,
    numbers: std::ops::RangeInclusive<usize>,
    budget: &Budget,
) -> Result<(), (usize, Failure)> {
    let first = *numbers.start();
    budget.check().map_err(|stop| (first, Failure::Stopped(stop)))?;
    let steps: Vec<_> = numbers
        .clone()
        .map(|number| {
            let statement = &migration.statements[number - 1];
            (statement, record(statement, number, StatementState::Done))
        })
        .collect();
    cluster.run_dml(&migration.version, &steps).await.map_err(|error| {
        let after = match &error {
            Error::Server(server) => server.after,
            Error::Connect(_) | Error::ReplyLost { .. } | Error::Answer(_) => 0,
        };
        let number = (first + after).min(*numbers.end());
        let failure = match error.outcome() {
            Outcome::Unknown => Failure::OutcomeUnknown(error),
            // Only the ledger rows come after the statements, and only their key can be taken.
            _ if after >= steps.len() && error.code() == Some("23505") => Failure::TakenByOther,
            Outcome::NotApplied | Outcome::Conflict => Failure::Refused(error),
        };
        (number, failure)
    })
}
