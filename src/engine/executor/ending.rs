//! The end of a run that has failed while other migrations wait for jobs.
//!
//! A run that reports an error does not wait for a build that may take minutes. It reads the state
//! of its jobs once, records those that have ended, and leaves the others to the next run. No
//! migration keeps the state `running` without a run.

use std::collections::BTreeMap;

use super::jobs::LeaseLost;
use super::leave::left;
use super::next_steps::next_steps;
use super::progress::{
    Building, MigrationProgress, OpenIndex, ProgressEvent, StatementProgress, StatementRef,
};
use super::{Executor, StatementError, StatementFailure, WaitForJobs};
use crate::chain::full_chain;
use crate::database::{JobState, MigrationEnd, StatementState, Write};
use crate::engine::cluster::Cluster;
use crate::engine::error::ApplyError;
use crate::migration::StatementNumber;

impl<'a, C: Cluster> Executor<'_, 'a, C> {
    /// Records what the failed run leaves of all migrations except the one that ended it.
    pub(super) async fn settle_after(&mut self, error: &ApplyError) {
        let ended_at = match error {
            ApplyError::Statement { version, source } => match &source.failure {
                // The database does not respond, or another run is in progress.
                StatementFailure::OutcomeUnknown(_)
                | StatementFailure::JobLookupFailed(_)
                | StatementFailure::ClaimedByOther => return,
                _ => {
                    let index = self
                        .open
                        .indexes()
                        .find(|index| self.open[*index].migration.version == *version);
                    index.map(|index| (index, source.number))
                }
            },
            ApplyError::AppliedByOther { .. } | ApplyError::LedgerChanged => None,
            ApplyError::Ledger { .. }
            | ApplyError::LedgerReadOnly(_)
            | ApplyError::LedgerUpgradeDenied(_)
            | ApplyError::LedgerNameTaken(_)
            | ApplyError::LedgerUpgradeHeld(_)
            | ApplyError::LeaseHeld(_)
            | ApplyError::LeaseLost
            | ApplyError::NotStarted(_) => return,
        };
        let Some(failures) = self.look_up_once(ended_at).await else { return };
        let (writes, ended) = self.last_writes(ended_at.map(|(index, _)| index), &failures);
        if self.write_all(&writes).await.is_err() {
            tracing::warn!("what the run has left of other migrations is not recorded");
            return;
        }
        self.record_events(ended.iter().map(|(index, events)| (*index, events.as_slice())));
        for (index, errors) in failures {
            let progress = &self.open[index];
            if progress.ended {
                continue;
            }
            let version = &progress.migration.version;
            for mut source in errors {
                source.applied = progress.applied();
                let source = Box::new(source);
                self.unfinished.push(ApplyError::Statement { version: version.clone(), source });
            }
        }
        self.close();
        self.record_earlier().await;
    }

    /// Reads the jobs once. Returns the statements whose jobs have failed or are still running, by
    /// migration; `None` if nothing more may be sent.
    async fn look_up_once(
        &mut self,
        ended_at: Option<(OpenIndex, Option<StatementNumber>)>,
    ) -> Option<BTreeMap<OpenIndex, Vec<StatementError>>> {
        let mut waiting = self.questions();
        // Its failure is known.
        waiting.retain(|(at, _)| ended_at != Some((at.migration, Some(at.number))));
        let questions: Vec<_> = waiting.iter().map(|(_, question)| question.clone()).collect();
        let jobs = match self.cluster.jobs(&questions).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::warn!(%error, "the jobs of the failed run could not be looked up");
                return None;
            }
        };
        let mut failures: BTreeMap<OpenIndex, Vec<StatementError>> = BTreeMap::new();
        for ((at, _), job) in waiting.into_iter().zip(jobs) {
            let failure = match job.state {
                JobState::Completed => {
                    let states = &mut self.open[at.migration].states;
                    states.insert(at.number, StatementProgress::Applied);
                    continue;
                }
                JobState::Running => {
                    let failure = self.still_running(at)?;
                    let states = &mut self.open[at.migration].states;
                    if let Some(StatementProgress::Building(building)) = states.get_mut(&at.number)
                    {
                        building.found_running(job);
                    }
                    failure
                }
                JobState::Failed => match self.failure(at, job).await {
                    Ok(failure) => failure,
                    Err(LeaseLost) => return None,
                },
            };
            let migration = self.open[at.migration].migration;
            let error = StatementError::new(migration, Some(at.number), None, failure);
            failures.entry(at.migration).or_default().push(error);
        }
        Some(failures)
    }

    fn still_running(&self, at: StatementRef) -> Option<StatementFailure> {
        let statement = self.open[at.migration].migration.statement(at.number)?;
        Some(StatementFailure::StillRunning(statement.class))
    }

    /// The writes that record what is left, and the migrations that they end. The migration at
    /// which the run has ended keeps its failure.
    fn last_writes(
        &self,
        ended_at: Option<OpenIndex>,
        failures: &BTreeMap<OpenIndex, Vec<StatementError>>,
    ) -> (Vec<Write<'a>>, Vec<(OpenIndex, Vec<ProgressEvent>)>) {
        let (mut writes, mut ended) = (Vec::new(), Vec::new());
        for (index, progress) in self.open.iter().filter(|(_, it)| it.begun && !it.ended) {
            let rest = next_steps(progress, &mut Vec::new());
            let is_complete = rest.batch.is_none()
                && rest.transactions.iter().all(|planned| !planned.transaction.is_work())
                && progress.building().next().is_none();
            if is_complete && ended_at != Some(index) {
                let events = rest.transactions.iter().flat_map(|it| it.events.clone()).collect();
                ended.push((index, events));
                writes.extend(
                    rest.transactions.into_iter().flat_map(|it| it.transaction.into_writes()),
                );
                continue;
            }
            let only_running = || {
                let mut errors = failures.get(&index).into_iter().flatten();
                errors.all(|error| matches!(error.failure, StatementFailure::StillRunning(_)))
            };
            if self.wait == WaitForJobs::Needed
                && ended_at != Some(index)
                && only_running()
                && let Some(left) = left(progress)
            {
                ended.push((index, left.events));
                writes.extend(left.writes);
                continue;
            }
            writes.extend(unrecorded(progress));
            if ended_at == Some(index) {
                continue;
            }
            let failure = match failures.get(&index).and_then(|errors| errors.first()) {
                Some(error) => full_chain(error),
                None => {
                    let next = progress
                        .migration
                        .numbered()
                        .find(|(number, _)| !progress.states.contains_key(number));
                    let number = next.map(|(number, _)| number);
                    let failure = StatementFailure::NotReached;
                    full_chain(&StatementError::new(progress.migration, number, None, failure))
                }
            };
            let version = &progress.migration.version;
            writes.push(Write::End { version, end: MigrationEnd::Failed(failure) });
        }
        (writes, ended)
    }
}

/// The statements of a migration whose states in the ledger are out of date.
pub(super) fn unrecorded<'a>(progress: &MigrationProgress<'a>) -> Vec<Write<'a>> {
    let version = &progress.migration.version;
    let state = |state: &StatementProgress| match state {
        StatementProgress::Applied => Some(StatementState::Done),
        StatementProgress::Building(Building { job: Some(job), recorded: false, .. }) => {
            Some(StatementState::Submitted(job.clone()))
        }
        _ => None,
    };
    let states = progress.states.iter();
    let out_of_date = states.filter_map(|(number, it)| Some((*number, state(it)?)));
    out_of_date.map(|(number, state)| Write::Advance { version, number, state }).collect()
}
