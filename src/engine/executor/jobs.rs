//! Waits for index builds and validations, all of them together.

use std::time::Duration;

use tokio::time::Instant;

use super::progress::{Building, MigrationProgress, StatementProgress, StatementRef};
use super::{Executor, StatementFailure, WriteError};
use crate::database::{
    Error, Job, JobQuestion, JobState, LEASE_LENGTH, StatementState, Transaction, Write,
};
use crate::engine::cluster::Cluster;
use crate::engine::error::ApplyError;
use crate::migration::StatementNumber;
use crate::sql::JobTarget;

impl<C: Cluster> Executor<'_, '_, C> {
    /// Waits until all jobs of this run have ended. It polls instead of calling
    /// `sys.wait_for_job`: a connection lives for at most an hour, a build may take longer, and the
    /// run may be cancelled.
    pub(super) async fn await_jobs(&mut self) -> Result<(), ApplyError> {
        self.record_jobs().await?;
        let mut interval = Duration::from_millis(10);
        let mut renewed = Instant::now();
        loop {
            let waiting = self.questions();
            let Some(&(first, _)) = waiting.first() else { return Ok(()) };
            let jobs = match self.look_up(&waiting).await {
                Ok(jobs) => jobs,
                Err(error) => {
                    return Err(self
                        .stop_at(first, StatementFailure::JobLookupFailed(error))
                        .await);
                }
            };
            if let Some((at, job)) = self.take_completed(&waiting, jobs) {
                self.failed(at, job).await?;
                continue;
            }
            let Some(at) = self.questions().first().map(|(at, _)| *at) else { return Ok(()) };
            if let Err(end) = self.budget.pause(interval).await {
                return Err(self.stop_at(at, StatementFailure::BudgetEnded(end)).await);
            }
            interval = (interval * 2).min(Duration::from_secs(2));
            if renewed.elapsed() >= LEASE_LENGTH / 3 {
                let result = self.write(&[Transaction::renew_lease()]).await;
                self.or_stop(at.migration, Some(at.number), result).await?;
                renewed = Instant::now();
            }
        }
    }

    async fn stop_at(&mut self, at: StatementRef, failure: StatementFailure) -> ApplyError {
        self.stop(at.migration, Some(at.number), failure).await
    }

    /// Marks the statements whose jobs are completed as applied, and returns the first failed job.
    fn take_completed(
        &mut self,
        waiting: &[(StatementRef, JobQuestion)],
        jobs: Vec<Job>,
    ) -> Option<(StatementRef, Job)> {
        let mut failed = None;
        for ((at, _), job) in waiting.iter().zip(jobs) {
            match job.state {
                JobState::Running => {}
                JobState::Completed => {
                    let states = &mut self.open[at.migration].states;
                    states.insert(at.number, StatementProgress::Applied);
                }
                JobState::Failed => failed = failed.or(Some((*at, job))),
            }
        }
        failed
    }

    /// Records the IDs of new jobs, so that a later run can find them.
    async fn record_jobs(&mut self) -> Result<(), ApplyError> {
        let mut writes = Vec::new();
        let mut first = None;
        for (migration, progress) in self.open.iter() {
            for (number, building) in progress.building() {
                if let (Some(job), false) = (&building.job, building.recorded) {
                    let version = &progress.migration.version;
                    let state = StatementState::Submitted(job.clone());
                    writes.push(Write::Advance { version, number, state });
                    first = first.or(Some(StatementRef { migration, number }));
                }
            }
        }
        let Some(first) = first else { return Ok(()) };
        self.write_for(first.migration, Some(first.number), &writes).await?;
        for state in self.open.iter_mut().flat_map(|progress| progress.states.values_mut()) {
            if let StatementProgress::Building(building) = state {
                building.recorded |= building.job.is_some();
            }
        }
        Ok(())
    }

    pub(super) async fn look_up(
        &mut self,
        waiting: &[(StatementRef, JobQuestion)],
    ) -> Result<Vec<Job>, Error> {
        let questions: Vec<JobQuestion> =
            waiting.iter().map(|(_, question)| question.clone()).collect();
        self.cluster.jobs(&questions).await
    }

    pub(super) fn questions(&self) -> Vec<(StatementRef, JobQuestion)> {
        let mut questions = Vec::new();
        for (migration, progress) in self.open.iter() {
            for (number, building) in progress.building() {
                if let Some(question) = question(progress, number, building) {
                    questions.push((StatementRef { migration, number }, question));
                }
            }
        }
        questions
    }

    /// Drops what a failed build has left. An INVALID index counts toward the 24 of its table,
    /// satisfies `IF NOT EXISTS`, and blocks its name. If this run has not started the build, the
    /// index is then built again; if it has, the failure is an error.
    async fn failed(&mut self, at: StatementRef, job: Job) -> Result<(), ApplyError> {
        let progress = &mut self.open[at.migration];
        // Only once: what satisfies `IF NOT EXISTS` may not be an index at all.
        let is_found = matches!(
            progress.states.get(&at.number),
            Some(StatementProgress::Building(Building { found: true, .. }))
        ) && progress.rebuilt.insert(at.number);
        if !is_found {
            return match self.failure(at, job).await {
                Ok(failure) => Err(self.stop_at(at, failure).await),
                Err(LeaseLost) => Err(ApplyError::LeaseLost),
            };
        }
        match self.drop_build(at, job.index.as_deref()).await {
            Ok(()) => Ok(()),
            Err(WriteError::LeaseLost) => Err(ApplyError::LeaseLost),
            // The row stays, so the next run finds the failed job and drops the index.
            Err(WriteError::Changed(error) | WriteError::Failed(error)) => {
                Err(self.stop_at(at, StatementFailure::LedgerWriteFailed(error)).await)
            }
        }
    }

    /// Drops what a failed build has left, and returns why it has failed.
    pub(super) async fn failure(
        &mut self,
        at: StatementRef,
        job: Job,
    ) -> Result<StatementFailure, LeaseLost> {
        // The index is needed to find the duplicate keys, so they are read before it is dropped.
        let duplicates = self.duplicates(at, job.index.as_deref()).await;
        let dropped = match self.drop_build(at, job.index.as_deref()).await {
            Ok(()) => job.index,
            Err(WriteError::LeaseLost) => return Err(LeaseLost),
            // The row stays, so the next run finds the failed job and drops the index.
            Err(WriteError::Changed(error) | WriteError::Failed(error)) => {
                tracing::warn!(%error, "the INVALID index could not be dropped");
                None
            }
        };
        let (job, details) = (job.id, job.details);
        Ok(StatementFailure::JobFailed { job, details, dropped, duplicates })
    }

    /// A few keys that violate a unique index; none if the index is not unique, or if the search
    /// fails.
    async fn duplicates(&mut self, at: StatementRef, index: Option<&str>) -> Vec<String> {
        let target = self.open[at.migration].targets.get(&at.number);
        let (Some(JobTarget::Index { unique: true, .. }), Some(index)) = (target, index) else {
            return Vec::new();
        };
        self.cluster.duplicates(index).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the duplicate keys could not be read");
            Vec::new()
        })
    }

    /// Drops the index of a failed build, and withdraws the row of its statement.
    async fn drop_build(
        &mut self,
        at: StatementRef,
        index: Option<&str>,
    ) -> Result<(), WriteError> {
        let version = &self.open[at.migration].migration.version;
        let withdraw = Transaction::Ledger(vec![Write::Withdraw { version, number: at.number }]);
        match index {
            Some(index) => {
                let drop = Transaction::DropIndex(index.to_owned());
                self.write(&[Transaction::renew_lease(), drop, withdraw]).await
            }
            None => self.write(&[withdraw]).await,
        }?;
        self.open[at.migration].states.remove(&at.number);
        Ok(())
    }
}

/// Another run holds the lease.
pub(super) struct LeaseLost;

/// What to look up for a job; `None` if neither its ID nor what it builds is known.
fn question(
    progress: &MigrationProgress<'_>,
    number: StatementNumber,
    building: &Building,
) -> Option<JobQuestion> {
    let job = building.job.clone();
    match progress.targets.get(&number) {
        Some(JobTarget::Index { index, .. }) => {
            let named = || index.as_ref().map(ToString::to_string);
            Some(JobQuestion::Index { job, index: building.index.clone().or_else(named) })
        }
        Some(JobTarget::Constraint { table, constraint }) => {
            let (table, constraint) = (table.clone(), constraint.clone());
            Some(JobQuestion::Constraint { job, table, constraint })
        }
        None => job.map(JobQuestion::Other),
    }
}
