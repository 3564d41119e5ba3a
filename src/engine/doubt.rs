//! After a doubt: reads the ledger anew, and asks the catalog where it does not say enough.

use std::collections::BTreeSet;

use super::apply::ApplyError;
use super::cluster::Cluster;
use super::run::{RECOVERIES, Run};
use super::script::{Building, State};
use super::step::StatementFailure;
use super::verdict::{Verdict, new_index, verdict};
use crate::database::{
    Error, MigrationRecord, MigrationState, Outcome, StatementState, pause_before,
};
use crate::migration::fact::{Fact, Facts};
use crate::migration::{Class, Statement};
use crate::sql::{self, JobTarget};

impl<C: Cluster> Run<'_, '_, C> {
    /// After a lost answer: shuts out what the old connection may still do, then asks.
    pub(super) async fn recover(
        &mut self,
        index: usize,
        number: usize,
        lost: Error,
    ) -> Result<(), ApplyError> {
        let mut attempt = 1;
        loop {
            match self.cluster.fence_former_connection().await {
                Ok(true) => return self.look_again().await,
                Ok(false) => return Err(ApplyError::LeaseLost),
                Err(error) if attempt < RECOVERIES => {
                    tracing::debug!(%error, attempt, "the database could not be asked");
                    tokio::time::sleep(pause_before(attempt)).await;
                    attempt += 1;
                }
                Err(error) => {
                    tracing::warn!(%error, "the database could not be asked");
                    let failure = StatementFailure::OutcomeUnknown(lost);
                    return Err(self.stop(index, number, failure).await);
                }
            }
        }
    }

    /// Reads the ledger and the catalog anew, for all open migrations.
    pub(super) async fn look_again(&mut self) -> Result<(), ApplyError> {
        let mut attempt = 1;
        let seen = loop {
            match self.cluster.observe().await {
                Ok(seen) => break seen,
                Err(error) if error.outcome() == Outcome::Unknown && attempt < RECOVERIES => {
                    attempt += 1;
                }
                Err(source) => {
                    return Err(ApplyError::Ledger {
                        doing: "the ledger could not be read after an answer was lost",
                        source,
                    });
                }
            }
        };
        for index in 0..self.open.len() {
            let version = &self.open[index].migration.version;
            let after = self.open[index].after;
            let record = seen.migrations.iter().find(|record| record.version == *version);
            // A repeatable migration that has not begun again has the rows of its last run.
            match record.filter(|record| after.is_none_or(|after| record.run > after)) {
                Some(record) => {
                    // What this run has begun, whether it heard of it or not.
                    self.open[index].begun = record.state != MigrationState::Failed;
                    self.settle(index, record).await?;
                }
                None => {
                    self.open[index].begun = false;
                    self.open[index].states.clear();
                }
            }
        }
        Ok(())
    }

    /// Takes over what the ledger says of a migration, and asks the catalog where it does not say
    /// enough. What this run knows from an answer counts more than a row that was not written.
    pub(super) async fn settle(
        &mut self,
        index: usize,
        record: &MigrationRecord,
    ) -> Result<(), ApplyError> {
        let progress = &mut self.open[index];
        progress.ended = record.state == MigrationState::Applied;
        let mut known = std::mem::take(&mut progress.states);
        for row in &record.statements {
            let own = known.remove(&row.number);
            let state = match (&row.state, own) {
                (StatementState::Done | StatementState::Skipped, _) => State::Done,
                (_, Some(own @ (State::Applied | State::Building(_)))) => own,
                (StatementState::Batching(batches), _) => State::Batching(*batches),
                (StatementState::Submitted(job), _) => State::Building(Building {
                    job: Some(job.clone()),
                    index: None,
                    recorded: true,
                    found: true,
                }),
                (StatementState::Intended, _) => State::Intended { before: row.before.clone() },
            };
            progress.states.insert(row.number, state);
        }
        self.name_indexes(index, record).await?;
        self.judge(index).await
    }

    /// Finds the indexes that a server has named by itself: once `sys.jobs` has forgotten the job,
    /// its id leads to nothing, and the index would be built a second time.
    async fn name_indexes(
        &mut self,
        index: usize,
        record: &MigrationRecord,
    ) -> Result<(), ApplyError> {
        let migration = self.open[index].migration;
        let is_list = |fact: &Fact| matches!(fact, Fact::Indexes(_));
        let unnamed: Vec<(usize, &Facts, Fact)> = record
            .statements
            .iter()
            .filter(|row| matches!(row.state, StatementState::Submitted(_)))
            .filter_map(|row| {
                let effect = sql::effect(&migration.statements[row.number - 1].text);
                let list = effect.facts().into_iter().find(is_list)?;
                Some((row.number, row.before.as_ref()?, list))
            })
            .collect();
        let Some(&(first, ..)) = unnamed.first() else { return Ok(()) };
        let facts: Vec<Fact> = unnamed.iter().map(|(.., fact)| fact.clone()).collect();
        let now = self.facts(index, first, &facts).await?;
        for (number, before, fact) in unnamed {
            if let Some(State::Building(building)) = self.open[index].states.get_mut(&number)
                && building.index.is_none()
            {
                building.index = new_index(&fact, before, &now);
            }
        }
        Ok(())
    }

    /// Decides from the catalog which statements were applied of those that were meant to be.
    async fn judge(&mut self, index: usize) -> Result<(), ApplyError> {
        let progress = &self.open[index];
        let doubtful: Vec<(usize, Option<Facts>)> = progress
            .states
            .iter()
            .filter_map(|(number, state)| match state {
                State::Intended { before } => Some((*number, before.clone())),
                State::Applied | State::Building(_) | State::Batching(_) | State::Done => None,
            })
            .collect();
        let Some(&(first, _)) = doubtful.first() else { return Ok(()) };
        let migration = progress.migration;
        let text = |number: usize| migration.statements[number - 1].text.as_str();
        let facts: BTreeSet<Fact> =
            doubtful.iter().flat_map(|(number, _)| sql::effect(text(*number)).facts()).collect();
        let facts: Vec<Fact> = facts.into_iter().collect();

        let now = self.facts(index, first, &facts).await?;
        for (number, before) in doubtful {
            let statement = &migration.statements[number - 1];
            let state = match found_state(statement, before.as_ref(), &now) {
                // Its author has said that it may run again.
                Err(StatementFailure::Undetermined { .. }) if migration.is_repeatable() => None,
                Ok(state) => state,
                Err(failure) => return Err(self.stop(index, number, failure).await),
            };
            let progress = &mut self.open[index];
            // Whatever the server says of its repetition, the catalog has the last word.
            progress.uncertain.insert(number);
            if let Some(state) = state {
                progress.states.insert(number, state);
            }
        }
        Ok(())
    }

    /// Asks the catalog. `number` is the statement at which the run ends if it does not answer.
    pub(super) async fn facts(
        &mut self,
        index: usize,
        number: usize,
        facts: &[Fact],
    ) -> Result<Facts, ApplyError> {
        let mut attempt = 1;
        loop {
            match self.cluster.facts(facts).await {
                Ok(now) => return Ok(now),
                Err(error) if error.outcome() == Outcome::Unknown && attempt < RECOVERIES => {
                    attempt += 1;
                }
                Err(error) => {
                    return Err(self
                        .stop(index, number, StatementFailure::OutcomeUnknown(error))
                        .await);
                }
            }
        }
    }
}

/// What the catalog says of a statement whose row only says that it was meant to be sent; nothing
/// if it is still to be sent.
fn found_state(
    statement: &Statement,
    before: Option<&Facts>,
    now: &Facts,
) -> Result<Option<State>, StatementFailure> {
    let effect = sql::effect(&statement.text);
    let Some(before) = before else {
        // A row that was written by hand, or a repetition that changes nothing.
        return if effect.repeatable {
            Ok(None)
        } else {
            Err(StatementFailure::Undetermined { findings: Vec::new() })
        };
    };
    match verdict(&effect, before, now) {
        Verdict::NotApplied => Ok(None),
        Verdict::CannotTell { findings } => Err(StatementFailure::Undetermined { findings }),
        Verdict::Applied if statement.class == Class::AsyncIndex => {
            let index = effect.facts().iter().find_map(|fact| new_index(fact, before, now));
            let has_name = matches!(
                sql::job_target(&statement.text),
                Some(JobTarget::Index { index: Some(_), .. })
            );
            if index.is_none() && !has_name {
                return Err(StatementFailure::Undetermined { findings: Vec::new() });
            }
            let building = Building { job: None, index, recorded: false, found: true };
            Ok(Some(State::Building(building)))
        }
        Verdict::Applied => Ok(Some(State::Applied)),
    }
}
