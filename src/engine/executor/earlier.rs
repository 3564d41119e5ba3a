//! Jobs of earlier runs of the set that did not wait for them.
//!
//! This run waits for one of them only if a statement needs what it builds. It records those that
//! have ended.

use std::collections::BTreeSet;

use crate::database::{
    BuildState, JobId, JobQuestion, LedgerStatement, MigrationRecord, MigrationState, Observation,
    StatementState, Write,
};
use crate::engine::plan::Plan;
use crate::migration::{Class, StatementNumber, Version};
use crate::sql::{self, JobTarget};

/// A job of an earlier run that is not known to have ended.
#[derive(Debug, Clone)]
pub(super) struct EarlierJob {
    pub(super) version: Version,
    pub(super) number: StatementNumber,
    pub(super) job: JobId,
    /// What it builds; `None` if the ledger does not have the text of its statement.
    pub(super) target: Option<JobTarget>,
    question: JobQuestion,
}

/// The jobs of earlier runs of the set that did not wait for them.
#[derive(Debug, Default)]
pub(in crate::engine) struct EarlierJobs {
    running: Vec<EarlierJob>,
    /// The statements whose jobs have ended.
    ended: Vec<(Version, StatementNumber)>,
    /// The migrations whose jobs have failed, or that have others than those above.
    others: BTreeSet<Version>,
    /// The migrations that this run begins again. Their rows are not those of the jobs.
    again: BTreeSet<Version>,
}

impl EarlierJobs {
    pub(in crate::engine) fn of(observation: &Observation, plan: &Plan<'_>) -> Self {
        let again = plan.pending().map(|entry| entry.migration.version.clone());
        let mut jobs = Self { again: again.collect(), ..Self::default() };
        // A migration with a failed job is pending, and this run restores all of its jobs.
        let is_building =
            |it: &&MigrationRecord| it.state == MigrationState::Building && it.is_applied();
        for record in observation.migrations.iter().filter(is_building) {
            for row in &record.statements {
                let StatementState::Submitted(job) = &row.state else { continue };
                let is_it = |it: &&LedgerStatement| {
                    it.is_own && it.version == record.version && it.number == row.number
                };
                let statement = observation.statements.iter().find(is_it);
                jobs.add(record, row.number, job, statement);
            }
        }
        jobs
    }

    fn add(
        &mut self,
        record: &MigrationRecord,
        number: StatementNumber,
        job: &JobId,
        statement: Option<&LedgerStatement>,
    ) {
        let version = record.version.clone();
        let state = statement.and_then(|it| Some(it.build.as_ref()?.state));
        let object = statement.and_then(|it| it.object);
        match (state, object, statement) {
            (Some(BuildState::Valid | BuildState::Gone), ..) => self.ended.push((version, number)),
            (Some(BuildState::Running), Some(object), Some(statement)) => {
                let is_index = statement.class == Class::AsyncIndex.into();
                self.running.push(EarlierJob {
                    version,
                    number,
                    job: job.clone(),
                    target: statement.text.as_deref().and_then(sql::job_target),
                    question: JobQuestion::Object { job: Some(job.clone()), object, is_index },
                });
            }
            _ => drop(self.others.insert(version)),
        }
    }

    /// What the running jobs build; `None` where that is unknown.
    pub(super) fn targets(&self) -> impl Iterator<Item = Option<&JobTarget>> {
        self.running.iter().map(|job| job.target.as_ref())
    }

    pub(super) fn questions(&self) -> impl Iterator<Item = JobQuestion> {
        self.running.iter().map(|job| job.question.clone())
    }

    /// Notes that a job has ended, and returns it; `None` if it is not among the running ones.
    pub(super) fn end(&mut self, job: &JobId, is_completed: bool) -> Option<EarlierJob> {
        let at = self.running.iter().position(|running| running.job == *job)?;
        let ended = self.running.remove(at);
        if is_completed {
            self.ended.push((ended.version.clone(), ended.number));
        } else {
            self.others.insert(ended.version.clone());
        }
        Some(ended)
    }

    /// The IDs of the running jobs, in the order of the questions.
    pub(super) fn ids(&self) -> Vec<JobId> {
        self.running.iter().map(|job| job.job.clone()).collect()
    }

    /// The writes that record the jobs that have ended, and the migrations that they complete.
    pub(super) fn writes(&self) -> Vec<Write<'_>> {
        let mut writes: Vec<Write<'_>> = Vec::new();
        let is_recorded =
            |(version, _): &&(Version, StatementNumber)| !self.again.contains(version);
        for (version, number) in self.ended.iter().filter(is_recorded) {
            writes.push(Write::Advance { version, number: *number, state: StatementState::Done });
        }
        let is_open = |version: &Version| {
            self.others.contains(version) || self.running.iter().any(|job| job.version == *version)
        };
        let versions: BTreeSet<&Version> =
            self.ended.iter().filter(is_recorded).map(|(version, _)| version).collect();
        let complete = versions.into_iter().filter(|version| !is_open(version));
        writes.extend(complete.map(|version| Write::Complete { version }));
        writes
    }
}
