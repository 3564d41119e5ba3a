//! Recovery after an unknown outcome: reads the ledger again, and the catalog where the ledger does
//! not decide.

use super::progress::{Building, OpenIndex, StatementProgress};
use super::{Executor, StatementFailure};
use crate::database::retry::{Attempts, RetryReason};
use crate::database::{Error, JobQuestion, MigrationRecord, MigrationState, StatementState};
use crate::engine::cluster::Cluster;
use crate::engine::error::ApplyError;
use crate::engine::judge::judge;
use crate::engine::verdict::Verdict;
use crate::migration::fact::{Fact, Facts};
use crate::migration::{Class, Statement, StatementNumber};
use crate::sql::{self, JobTarget};

impl<C: Cluster> Executor<'_, '_, C> {
    /// After a lost reply: fences off the former connection, and reads what happened. `recoveries`
    /// counts how often the run has recovered without making progress.
    pub(super) async fn recover(
        &mut self,
        index: OpenIndex,
        number: Option<StatementNumber>,
        lost: Error,
        recoveries: &mut Attempts,
    ) -> Result<(), ApplyError> {
        tracing::warn!(error = %lost, "a reply was lost; reading what the database contains");
        if let Some(pause) = recoveries.pause_after(RetryReason::UnknownOutcome) {
            // If the budget ends, the next check ends the run.
            let _ended = self.budget.pause(pause).await;
            match self.cluster.fence_former_connection().await {
                Ok(true) => return self.reload().await,
                Ok(false) => return Err(ApplyError::LeaseLost),
                Err(error) => tracing::warn!(%error, "the database could not be reached"),
            }
        }
        Err(self.stop(index, number, StatementFailure::OutcomeUnknown(lost)).await)
    }

    /// Reads the ledger and the catalog again, for all open migrations.
    pub(super) async fn reload(&mut self) -> Result<(), ApplyError> {
        let observed = self.cluster.observe().await.map_err(|source| ApplyError::Ledger {
            doing: "the ledger could not be read after a reply was lost",
            source,
        })?;
        for index in self.open.indexes() {
            let progress = &mut self.open[index];
            let version = &progress.migration.version;
            let record = observed.migrations.iter().find(|record| record.version == *version);
            // A repeatable migration that has not begun again has the rows of its last run.
            match record.filter(|record| progress.after.is_none_or(|after| record.run > after)) {
                Some(record) => {
                    // This run may have begun it although the reply did not arrive.
                    let is_of_run = record.run > progress.runs_before;
                    progress.begun = is_of_run && record.state != MigrationState::Failed;
                    self.restore(index, record).await?;
                }
                None => {
                    progress.begun = false;
                    progress.states.clear();
                    progress.failed.clear();
                }
            }
        }
        Ok(())
    }

    /// Restores the progress of a migration from its ledger rows, and from the catalog where they
    /// do not decide. What this run knows from a response takes precedence over a row that could
    /// not be written.
    pub(super) async fn restore(
        &mut self,
        index: OpenIndex,
        record: &MigrationRecord,
    ) -> Result<(), ApplyError> {
        let progress = &mut self.open[index];
        progress.ended = record.state == MigrationState::Applied;
        let mut known = std::mem::take(&mut progress.states);
        progress.failed.clear();
        for row in &record.statements {
            let own = known.remove(&row.number);
            let is_known =
                matches!(own, Some(StatementProgress::Applied | StatementProgress::Building(_)));
            if row.has_failed() && !is_known {
                progress.failed.insert(row.number);
                continue;
            }
            let state = match (&row.state, own) {
                (StatementState::Done | StatementState::Skipped, _) => StatementProgress::Done,
                (_, Some(own @ (StatementProgress::Applied | StatementProgress::Building(_)))) => {
                    own
                }
                (StatementState::Batching(batches), _) => StatementProgress::Batching(*batches),
                (StatementState::Submitted(job), _) => StatementProgress::Building(Building {
                    job: Some(job.clone()),
                    index: None,
                    looked_up: false,
                    object: None,
                    recorded: true,
                    found: true,
                }),
                (StatementState::Intended | StatementState::Failed(_), _) => {
                    StatementProgress::Intended { before: row.before.clone() }
                }
            };
            progress.states.insert(row.number, state);
        }
        self.drop_leftovers(index, record).await?;
        self.doubt_unlisted_builds(index, record).await?;
        self.resolve_outcomes(index).await
    }

    /// Leaves the index builds of an earlier run whose jobs `sys.jobs` does not list any more to
    /// the catalog. Only the definition leads to such an index: one whose name the server has
    /// chosen would be built a second time, and one with a name may be that of someone else.
    async fn doubt_unlisted_builds(
        &mut self,
        index: OpenIndex,
        record: &MigrationRecord,
    ) -> Result<(), ApplyError> {
        let progress = &self.open[index];
        let (mut builds, mut questions) = (Vec::new(), Vec::new());
        for row in &record.statements {
            let StatementState::Submitted(job) = &row.state else { continue };
            let (Some(JobTarget::Index { index: name, .. }), Some(StatementProgress::Building(_))) =
                (progress.targets.get(&row.number), progress.states.get(&row.number))
            else {
                continue;
            };
            let name = name.as_ref().map(ToString::to_string);
            questions.push(JobQuestion::Index { job: Some(job.clone()), index: name });
            builds.push(row);
        }
        let Some(first) = builds.first() else { return Ok(()) };
        let jobs = match self.cluster.jobs(&questions).await {
            Ok(jobs) => jobs,
            Err(error) => {
                let failure = StatementFailure::JobLookupFailed(error);
                return Err(self.stop(index, Some(first.number), failure).await);
            }
        };
        for (row, job) in builds.into_iter().zip(jobs) {
            if job.id.is_none() {
                let doubted = StatementProgress::Intended { before: row.before.clone() };
                self.open[index].states.insert(row.number, doubted);
            }
        }
        Ok(())
    }

    /// Decides from the catalog which statements of unknown outcome were applied.
    async fn resolve_outcomes(&mut self, index: OpenIndex) -> Result<(), ApplyError> {
        let progress = &self.open[index];
        let migration = progress.migration;
        let unresolved: Vec<(StatementNumber, &Statement, Option<Facts>)> = progress
            .states
            .iter()
            .filter_map(|(number, state)| match state {
                StatementProgress::Intended { before } => {
                    Some((*number, migration.statement(*number)?, before.clone()))
                }
                StatementProgress::Applied
                | StatementProgress::Building(_)
                | StatementProgress::Batching(_)
                | StatementProgress::Done => None,
            })
            .collect();
        for (number, statement, before) in unresolved {
            let verdict = match &before {
                Some(before) => self.judge(index, number, statement, before).await?,
                // The row was written by hand, or the statement may be repeated.
                None if sql::effect(&statement.text).repeatable => Verdict::NotApplied,
                None => Verdict::CannotTell { findings: Vec::new() },
            };
            let state = match verdict {
                Verdict::NotApplied => None,
                Verdict::Applied { index } if statement.class == Class::AsyncIndex => {
                    let building = Building {
                        job: None,
                        index,
                        looked_up: false,
                        object: None,
                        recorded: false,
                        found: true,
                    };
                    Some(StatementProgress::Building(building))
                }
                Verdict::Applied { .. } => Some(StatementProgress::Applied),
                // Its author has declared that it may run again.
                Verdict::CannotTell { .. } if migration.is_repeatable() => None,
                Verdict::CannotTell { findings } => {
                    let failure = StatementFailure::Undetermined { findings };
                    return Err(self.stop(index, Some(number), failure).await);
                }
            };
            let progress = &mut self.open[index];
            // If the server rejects its repetition, the catalog decides again.
            progress.uncertain.insert(number);
            if let Some(state) = state {
                progress.states.insert(number, state);
            }
        }
        Ok(())
    }

    /// Decides from the catalog whether a statement was applied. If the catalog cannot be read, the
    /// run ends at the statement.
    async fn judge(
        &mut self,
        index: OpenIndex,
        number: StatementNumber,
        statement: &Statement,
        before: &Facts,
    ) -> Result<Verdict, ApplyError> {
        match judge(self.cluster, &statement.text, before).await {
            Ok(verdict) => Ok(verdict),
            Err(error) => {
                let failure = StatementFailure::OutcomeUnknown(error);
                Err(self.stop(index, Some(number), failure).await)
            }
        }
    }

    /// Reads facts from the catalog. If that fails, the run ends at the statement `number`.
    pub(super) async fn facts(
        &mut self,
        index: OpenIndex,
        number: StatementNumber,
        facts: &[Fact],
    ) -> Result<Facts, ApplyError> {
        match self.cluster.facts(facts).await {
            Ok(now) => Ok(now),
            Err(error) => {
                let failure = StatementFailure::OutcomeUnknown(error);
                Err(self.stop(index, Some(number), failure).await)
            }
        }
    }
}
