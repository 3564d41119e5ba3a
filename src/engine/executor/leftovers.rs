//! What failed jobs of earlier runs have left.
//!
//! The ledger first records that the job has failed, with the OID of its index. Whatever happens
//! then, the statement counts as not applied, its text may change, and the next run finds the index
//! again. Its name alone does not lead to it.

use super::progress::OpenIndex;
use super::{Executor, StatementFailure};
use crate::database::{
    Error, JobId, JobQuestion, JobState, MigrationEnd, MigrationRecord, StatementRecord,
    StatementState, Transaction, Write,
};
use crate::engine::cluster::Cluster;
use crate::engine::error::{ApplyError, WriteError};
use crate::engine::plan::Plan;
use crate::migration::{Class, StatementNumber, Version};

impl<'a, C: Cluster> Executor<'_, 'a, C> {
    /// Drops what failed jobs have left of a migration that this run has opened.
    pub(super) async fn drop_leftovers(
        &mut self,
        index: OpenIndex,
        record: &MigrationRecord,
    ) -> Result<(), ApplyError> {
        let progress = &self.open[index];
        let migration = progress.migration;
        let is_rerun = progress.after.is_some();
        let is_known = |row: &&StatementRecord| progress.states.contains_key(&row.number);
        let rows: Vec<&StatementRecord> =
            record.failed_rows().filter(|row| is_rerun || !is_known(row)).collect();
        let Some(first) = rows.first().map(|row| row.number) else { return Ok(()) };
        let failed = Failed { version: &migration.version, rows: &rows };
        let number = migration.statement(first).map(|_| first);
        if let Err(error) = self.drop_of(&failed).await {
            return Err(self.not_dropped(index, number, error).await);
        }
        // No statement takes the place of a row whose number the migration does not have any more.
        let is_left = |row: &&&StatementRecord| migration.statement(row.number).is_none();
        let numbers = rows.iter().filter(is_left).map(|row| row.number);
        let version = &migration.version;
        let withdraw: Vec<Write<'a>> =
            numbers.map(|number| Write::Withdraw { version, number }).collect();
        let removed: Vec<StatementNumber> =
            rows.iter().filter(is_left).map(|row| row.number).collect();
        if !withdraw.is_empty() {
            self.write_for(index, number, &withdraw).await?;
        }
        self.open[index].failed.retain(|number| !removed.contains(number));
        Ok(())
    }

    /// Drops what failed jobs have left of migrations whose files were removed.
    pub(super) async fn drop_abandoned(&mut self, plan: &Plan<'a>) -> Result<(), ApplyError> {
        for record in plan.abandoned() {
            let rows: Vec<&StatementRecord> = record.failed_rows().collect();
            let version = &record.version;
            let failed = Failed { version, rows: &rows };
            let withdraw = rows.iter().map(|row| Write::Withdraw { version, number: row.number });
            let error = "its job has failed, and its file was removed".to_owned();
            let end = Write::End { version, end: MigrationEnd::Failed(error) };
            let writes: Vec<Write<'_>> = withdraw.chain([end]).collect();
            let done = match self.drop_of(&failed).await {
                Ok(()) => {
                    self.write(&[Transaction::Ledger(writes)]).await.map_err(NotDropped::from)
                }
                Err(error) => Err(error),
            };
            done.map_err(|error| match error {
                NotDropped::Changed => ApplyError::LedgerChanged,
                NotDropped::LeaseLost => ApplyError::LeaseLost,
                NotDropped::Lookup(source) | NotDropped::Failed(source) => {
                    let doing = "what a failed job has left could not be dropped";
                    ApplyError::Ledger { doing, source }
                }
            })?;
        }
        Ok(())
    }

    /// Drops what the failed jobs of some statements have left.
    async fn drop_of(&mut self, failed: &Failed<'_>) -> Result<(), NotDropped> {
        let questions: Vec<JobQuestion> =
            failed.rows.iter().filter_map(|row| question(row)).collect();
        let mut indexes = Vec::new();
        if !questions.is_empty() {
            for job in self.cluster.jobs(&questions).await.map_err(NotDropped::Lookup)? {
                // An index that has become valid is not a leftover.
                if job.state != JobState::Failed {
                    return Err(NotDropped::Changed);
                }
                indexes.extend(job.index);
            }
        }
        let fail = failed.rows.iter().map(|row| Write::Fail {
            version: failed.version,
            number: row.number,
            job: job_of(row),
            object: object_of(row),
        });
        let fail = fail.collect();
        self.drop_failed(fail, indexes).await.map_err(NotDropped::from)
    }

    /// Records failures, and drops indexes.
    pub(super) async fn drop_failed(
        &mut self,
        fail: Vec<Write<'_>>,
        indexes: impl IntoIterator<Item = String>,
    ) -> Result<(), WriteError> {
        let drop = indexes.into_iter().map(Transaction::DropIndex);
        let all: Vec<Transaction<'_>> =
            [Transaction::Ledger(fail)].into_iter().chain(drop).collect();
        self.write(&all).await
    }

    async fn not_dropped(
        &mut self,
        index: OpenIndex,
        number: Option<StatementNumber>,
        error: NotDropped,
    ) -> ApplyError {
        let failure = match error {
            NotDropped::Changed => return ApplyError::LedgerChanged,
            NotDropped::LeaseLost => return ApplyError::LeaseLost,
            NotDropped::Lookup(error) => StatementFailure::JobLookupFailed(error),
            NotDropped::Failed(error) => StatementFailure::LedgerWriteFailed(error),
        };
        self.stop(index, number, failure).await
    }
}

/// Statements of a migration whose jobs have failed.
struct Failed<'r> {
    version: &'r Version,
    rows: &'r [&'r StatementRecord],
}

/// Why something was not dropped.
enum NotDropped {
    /// It is not what a failed job has left any more.
    Changed,
    LeaseLost,
    Lookup(Error),
    Failed(Error),
}

impl From<WriteError> for NotDropped {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::LeaseLost => Self::LeaseLost,
            WriteError::Changed(error) | WriteError::Failed(error) => Self::Failed(error),
        }
    }
}

fn job_of(row: &StatementRecord) -> Option<JobId> {
    match &row.state {
        StatementState::Submitted(job) => Some(job.clone()),
        StatementState::Failed(job) => job.clone(),
        _ => None,
    }
}

/// The OID of its index.
fn object_of(row: &StatementRecord) -> Option<u32> {
    let is_index = row.class == Class::AsyncIndex.into();
    row.build.as_ref().and_then(|build| build.oid).filter(|_| is_index)
}

/// What to look up of a row; `None` if its job has left nothing that could be dropped.
fn question(row: &StatementRecord) -> Option<JobQuestion> {
    Some(JobQuestion::Object { job: job_of(row), object: object_of(row)?, is_index: true })
}
