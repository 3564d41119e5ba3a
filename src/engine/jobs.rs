//! Waits for index builds and validations, all together.

use std::time::Duration;

use tokio::time::Instant;

use super::apply::ApplyError;
use super::cluster::Cluster;
use super::run::{Halt, Run};
use super::script::{Building, Progress, State};
use super::step::StatementFailure;
use crate::database::lease::LEASE_LENGTH;
use crate::database::{Error, Group, Job, JobQuestion, JobState, Outcome, StatementState, Write};
use crate::sql::JobTarget;

/// A statement of an open migration: place of the migration, number of the statement.
type Where = (usize, usize);

impl<C: Cluster> Run<'_, '_, C> {
    /// Waits until all jobs of this run have ended, by looking at them rather than by one long
    /// `CALL sys.wait_for_job`: a connection lives for at most an hour, a build may take longer,
    /// and a practitioner may interrupt.
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
                        .stop(first.0, first.1, StatementFailure::JobLookupFailed(error))
                        .await);
                }
            };
            let mut failed = None;
            for ((index, _), job) in waiting.iter().zip(jobs) {
                match job.state {
                    JobState::Running => {}
                    JobState::Completed => {
                        self.open[index.0].states.insert(index.1, State::Applied);
                    }
                    JobState::Failed if failed.is_none() => failed = Some((*index, job)),
                    JobState::Failed => {}
                }
            }
            if let Some((index, job)) = failed {
                self.failed(index, job).await?;
                continue;
            }
            let Some((index, number)) = self.questions().first().map(|(index, _)| *index) else {
                return Ok(());
            };
            if let Err(stop) = self.budget.pause(interval).await {
                return Err(self.stop(index, number, StatementFailure::BudgetEnded(stop)).await);
            }
            interval = (interval * 2).min(Duration::from_secs(2));
            if renewed.elapsed() >= LEASE_LENGTH / 3 {
                let renewal = Group::Rows { statements: Vec::new(), writes: Vec::new() };
                match self.write(&[renewal]).await {
                    Ok(()) => renewed = Instant::now(),
                    Err(Halt::LeaseLost) => return Err(ApplyError::LeaseLost),
                    Err(Halt::Failed(error)) => {
                        let failure = StatementFailure::LedgerWriteFailed(error);
                        return Err(self.stop(index, number, failure).await);
                    }
                }
            }
        }
    }

    /// Writes the ids of new jobs down, so that a later run can find them.
    async fn record_jobs(&mut self) -> Result<(), ApplyError> {
        let mut writes = Vec::new();
        let mut first = None;
        for (index, progress) in self.open.iter().enumerate() {
            for (number, building) in progress.building() {
                if let (Some(job), false) = (&building.job, building.recorded) {
                    let version = &progress.migration.version;
                    let state = StatementState::Submitted(job.clone());
                    writes.push(Write::Advance { version, number, state });
                    first = first.or(Some((index, number)));
                }
            }
        }
        let Some((index, number)) = first else { return Ok(()) };
        self.write_down(index, number, &writes).await?;
        for state in self.open.iter_mut().flat_map(|progress| progress.states.values_mut()) {
            if let State::Building(building) = state {
                building.recorded |= building.job.is_some();
            }
        }
        Ok(())
    }

    async fn look_up(&mut self, waiting: &[(Where, JobQuestion)]) -> Result<Vec<Job>, Error> {
        let questions: Vec<JobQuestion> =
            waiting.iter().map(|(_, question)| question.clone()).collect();
        let mut attempt = 1;
        loop {
            match self.cluster.jobs(&questions).await {
                // A look changes nothing, so it may be repeated.
                Err(error) if error.outcome() == Outcome::Unknown && attempt < 3 => attempt += 1,
                other => return other,
            }
        }
    }

    fn questions(&self) -> Vec<(Where, JobQuestion)> {
        let mut questions = Vec::new();
        for (index, progress) in self.open.iter().enumerate() {
            for (number, building) in progress.building() {
                if let Some(question) = question(progress, number, building) {
                    questions.push(((index, number), question));
                }
            }
        }
        questions
    }

    /// A failed build leaves an INVALID index that counts toward the table's 24, that `IF NOT
    /// EXISTS` takes for a good one, and that blocks its name: it goes. One that this run has not
    /// started is then built again; one that it has is an error.
    async fn failed(&mut self, (index, number): Where, job: Job) -> Result<(), ApplyError> {
        let migration = self.open[index].migration;
        // Once: what stands in the way of `IF NOT EXISTS` may be no index at all.
        let found = matches!(
            self.open[index].states.get(&number),
            Some(State::Building(Building { found: true, .. }))
        ) && self.open[index].rebuilt.insert(number);
        let target = self.open[index].targets.get(&number);
        let unique = matches!(target, Some(JobTarget::Index { unique: true, .. }));
        let mut duplicates = Vec::new();
        if let (false, true, Some(index)) = (found, unique, &job.index) {
            // Before the index goes, for it says what to look for.
            duplicates = self.cluster.duplicates(index).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the duplicate keys could not be looked up");
                Vec::new()
            });
        }

        let fence = Group::Rows { statements: Vec::new(), writes: Vec::new() };
        let version = &migration.version;
        let withdraw = Group::Rows {
            statements: Vec::new(),
            writes: vec![Write::Withdraw { version, number }],
        };
        let groups = match &job.index {
            Some(index) => vec![fence, Group::DropIndex(index.clone()), withdraw],
            None => vec![withdraw],
        };
        let mut dropped = None;
        match self.write(&groups).await {
            Ok(()) => {
                self.open[index].states.remove(&number);
                dropped.clone_from(&job.index);
            }
            Err(Halt::LeaseLost) => return Err(ApplyError::LeaseLost),
            // The row stays, so the next run finds the failed job and tries again.
            Err(Halt::Failed(error)) if found => {
                return Err(self
                    .stop(index, number, StatementFailure::LedgerWriteFailed(error))
                    .await);
            }
            Err(Halt::Failed(error)) => {
                tracing::warn!(%error, "the INVALID index could not be dropped");
            }
        }
        if found {
            return Ok(());
        }
        let Job { id, details, .. } = job;
        let failure = StatementFailure::JobFailed { job: id, details, dropped, duplicates };
        Err(self.stop(index, number, failure).await)
    }
}

/// What to ask about a job; nothing where neither its id nor what it builds is known.
fn question(progress: &Progress<'_>, number: usize, building: &Building) -> Option<JobQuestion> {
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
