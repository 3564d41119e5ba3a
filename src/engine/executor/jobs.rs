//! Waits for index builds and validations, all of them together.

use std::time::Duration;

use tokio::time::Instant;

use super::earlier::EarlierJob;
use super::next_steps::waits_for_one;
use super::progress::{Building, MigrationProgress, StatementProgress, StatementRef};
use super::{Executor, StatementFailure, WaitForJobs, WriteError};
use crate::database::{
    Job, JobId, JobQuestion, JobState, LEASE_LENGTH, StatementState, Transaction, Write,
};
use crate::engine::cluster::Cluster;
use crate::engine::error::ApplyError;
use crate::migration::StatementNumber;
use crate::sql::JobTarget;

impl<C: Cluster> Executor<'_, '_, C> {
    /// Waits for jobs. It polls instead of calling `sys.wait_for_job`: a connection lives for at
    /// most an hour, a build may take longer, and the run may be cancelled.
    ///
    /// A `blocked` statement needs one of them. A run that waits only for the jobs that are needed
    /// ends the wait when the statement can be sent; any other run, when all of its jobs have ended
    /// as well.
    pub(super) async fn await_jobs(
        &mut self,
        blocked: Option<StatementRef>,
    ) -> Result<(), ApplyError> {
        self.record_jobs().await?;
        let mut interval = Duration::from_millis(10);
        let mut renewed = Instant::now();
        loop {
            self.look_up_jobs(blocked).await?;
            let Some(at) = self.waits_for(blocked) else { return Ok(()) };
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

    /// The statement for which the run still waits.
    fn waits_for(&self, blocked: Option<StatementRef>) -> Option<StatementRef> {
        let own = || self.questions().first().map(|(at, _)| *at);
        let Some(blocked) = blocked else { return own() };
        let message = self.plan_message();
        let is_blocked = message.transactions.is_empty() && message.blocked.is_some();
        match self.wait {
            WaitForJobs::All => own().or(is_blocked.then_some(blocked)),
            WaitForJobs::Needed => is_blocked.then(|| own().unwrap_or(blocked)),
        }
    }

    /// Looks up the jobs once. Marks the statements of those that are completed as applied, and
    /// drops what a failed one has left. The jobs of earlier runs matter only to a `blocked`
    /// statement.
    pub(super) async fn look_up_jobs(
        &mut self,
        blocked: Option<StatementRef>,
    ) -> Result<(), ApplyError> {
        let waiting = self.questions();
        let Some(at) = waiting.first().map(|(at, _)| *at).or(blocked) else { return Ok(()) };
        let earlier = blocked.map(|_| self.earlier.ids()).unwrap_or_default();
        let of_earlier = blocked.into_iter().flat_map(|_| self.earlier.questions());
        let own = waiting.iter().map(|(_, question)| question.clone());
        let questions: Vec<JobQuestion> = own.chain(of_earlier).collect();
        if questions.is_empty() {
            return Ok(());
        }
        let mut jobs = match self.cluster.jobs(&questions).await {
            Ok(jobs) => jobs,
            Err(error) => {
                return Err(self.stop_at(at, StatementFailure::JobLookupFailed(error)).await);
            }
        };
        let of_earlier = jobs.split_off(waiting.len());
        if let Some((at, job)) = self.take_completed(&waiting, jobs) {
            self.failed(at, job).await?;
        }
        match blocked {
            Some(blocked) => self.take_earlier(blocked, &earlier, of_earlier).await,
            None => Ok(()),
        }
    }

    /// Ends the jobs of earlier runs that have ended. The failure of one that the `blocked`
    /// statement needs ends the run.
    async fn take_earlier(
        &mut self,
        blocked: StatementRef,
        ids: &[JobId],
        jobs: Vec<Job>,
    ) -> Result<(), ApplyError> {
        for (id, job) in ids.iter().zip(jobs) {
            let is_completed = job.state == JobState::Completed;
            if job.state == JobState::Running {
                continue;
            }
            let Some(ended) = self.earlier.end(id, is_completed) else { continue };
            let statement = self.open[blocked.migration].migration.statement(blocked.number);
            let needs = |it| waits_for_one(it, &[ended.target.as_ref()]);
            if !is_completed && statement.is_some_and(needs) {
                let EarlierJob { version, number, job: id, .. } = ended;
                let details = job.details;
                let failure =
                    StatementFailure::EarlierJobFailed { version, number, job: id, details };
                return Err(self.stop_at(blocked, failure).await);
            }
        }
        Ok(())
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
            let states = &mut self.open[at.migration].states;
            match (job.state, states.get_mut(&at.number)) {
                (JobState::Running, Some(StatementProgress::Building(building))) => {
                    building.found_running(job);
                }
                (JobState::Running, _) => {}
                (JobState::Completed, _) => {
                    states.insert(at.number, StatementProgress::Applied);
                }
                (JobState::Failed, _) => failed = failed.or(Some((*at, job))),
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
        match self.drop_build(at, &job).await {
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
        let dropped = match self.drop_build(at, &job).await {
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

    /// Records that a build has failed, and drops its index.
    async fn drop_build(&mut self, at: StatementRef, job: &Job) -> Result<(), WriteError> {
        let StatementRef { migration, number } = at;
        let version = &self.open[migration].migration.version;
        let object = job.object.filter(|_| job.index.is_some());
        let fail = Write::Fail { version, number, job: job.id.clone(), object };
        self.drop_failed(vec![fail], job.index.iter().cloned()).await?;
        let progress = &mut self.open[migration];
        progress.states.remove(&number);
        progress.failed.insert(number);
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
