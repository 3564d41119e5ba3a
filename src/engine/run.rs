//! A run on its way: sends scripts, and after a doubt asks the catalog before it goes on.

use std::time::Duration;

use super::apply::ApplyError;
use super::budget::Budget;
use super::cluster::Cluster;
use super::plan::{Plan, PlannedMigration, Status};
use super::script::{Building, Gain, Joined, Planned, Progress, State, joined, script};
use super::skip;
use super::step::{StatementError, StatementFailure};
use crate::database::retry::ATTEMPTS;
use crate::database::{
    Batches, Error, FailurePoint, Group, Outcome, StatementState, TransactionError, Write,
    pause_before,
};
use crate::migration::{Migration, Statement, Version};
use crate::sql::JobTarget;

/// How often a run picks itself up without getting any further: an oversized message, for one,
/// ends every connection.
pub(super) const RECOVERIES: u32 = 3;

/// How many migrations share a string, and so a wait. 25 leave four waits of a hundred, and more would
/// leave little less; but what a string has run is heard of when all of it has.
const TOGETHER: usize = 25;

/// Above this many bytes of SQL a string is large enough for a wait of its own.
const TOGETHER_BYTES: usize = 256 * 1024;

/// How many rows of the ledger are written in one transaction. DSQL's limit is 3,000 rows.
pub(super) const WRITES: usize = 500;

/// Why a write to the ledger did not come to its end.
pub(super) enum Halt {
    LeaseLost,
    Failed(Error),
}

/// One run on one cluster.
pub(super) struct Run<'c, 'a, C> {
    pub(super) cluster: &'c mut C,
    pub(super) budget: &'c Budget,
    /// Migrations that are not ended; all but those of the last string only wait for jobs.
    pub(super) open: Vec<Progress<'a>>,
    pub(super) applied: Vec<Version>,
}

impl<'c, 'a, C: Cluster> Run<'c, 'a, C> {
    pub(super) fn new(cluster: &'c mut C, budget: &'c Budget) -> Self {
        Self { cluster, budget, open: Vec::new(), applied: Vec::new() }
    }

    /// Whether a job of this run may still change the schema.
    pub(super) fn has_jobs(&self) -> bool {
        self.open.iter().any(|progress| progress.building().next().is_some())
    }

    /// Brings all pending migrations to their end.
    pub(super) async fn run(&mut self, plan: &Plan<'a>) -> Result<(), ApplyError> {
        let pending: Vec<&PlannedMigration<'a>> = plan.pending().collect();
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let (entries, others) = rest.split_at(together(rest));
            self.run_migrations(entries).await?;
            rest = others;
        }
        // What was built again is a build to wait for again.
        while !self.open.is_empty() {
            self.await_jobs().await?;
            self.end_together().await?;
            self.advance().await?;
        }
        Ok(())
    }

    /// Runs migrations that share a string; those that need a look at the catalog come alone.
    async fn run_migrations(
        &mut self,
        entries: &[&PlannedMigration<'a>],
    ) -> Result<(), ApplyError> {
        for entry in entries {
            let index = self.open.len();
            let after = match entry.status {
                Status::Rerun { last } => Some(last.run),
                Status::Pending { .. } | Status::Applied(_) | Status::Excluded(_) => None,
            };
            self.open.push(Progress::new(entry.migration, after));
            if let Status::Pending { begun: Some(record) } = entry.status {
                self.settle(index, record).await?;
                if self.open[index].building().next().is_some() {
                    // Builds of an earlier run are brought to their end before anything new.
                    self.await_jobs().await?;
                }
            }
            if entry.migration.is_repeatable() {
                self.skip(index).await?;
            }
        }
        while self.advance().await? {
            self.await_jobs().await?;
        }
        Ok(())
    }

    /// Finds the statements of a repeatable migration whose whole effect the catalog has: the
    /// server would refuse to create a role that is there.
    async fn skip(&mut self, index: usize) -> Result<(), ApplyError> {
        let progress = &self.open[index];
        let migration: &'a Migration = progress.migration;
        let unsent: Vec<(usize, &Statement)> = (1..)
            .zip(&migration.statements)
            .filter(|(number, _)| !progress.states.contains_key(number))
            .collect();
        let facts = skip::facts(&unsent);
        let (Some(&(first, _)), false) = (unsent.first(), facts.is_empty()) else { return Ok(()) };
        let now = self.facts(index, first, &facts).await?;
        self.open[index].skipped = skip::skipped(&unsent, &now);
        Ok(())
    }

    /// Sends what can be sent. True if a migration has to wait for a job before it and those behind
    /// it can go on.
    ///
    /// Of those that only waited too: what their jobs have built is written down before a later
    /// statement takes it away again.
    async fn advance(&mut self) -> Result<bool, ApplyError> {
        let result = self.send().await;
        self.close();
        result
    }

    /// Takes what has ended off the list.
    fn close(&mut self) {
        let ended = |progress: &Progress<'a>| progress.ended;
        let versions = self.open.iter().filter(|progress| ended(progress));
        self.applied.extend(versions.map(|progress| progress.migration.version.clone()));
        self.open.retain(|progress| !ended(progress));
    }

    /// Ends the migrations that have only waited for their jobs.
    async fn end_together(&mut self) -> Result<(), ApplyError> {
        let mut ending: Vec<(usize, Vec<Gain>)> = Vec::new();
        let mut writes = Vec::new();
        for (index, progress) in self.open.iter().enumerate().filter(|(_, it)| it.begun) {
            let rest = script(progress, &mut Vec::new()).groups;
            if rest.iter().all(|planned| !planned.is_work()) {
                ending.push((index, rest.iter().flat_map(|it| it.gains.clone()).collect()));
                writes.extend(rest.into_iter().flat_map(|planned| planned.group.into_writes()));
            }
        }
        let Some(&(first, _)) = ending.first() else { return Ok(()) };
        self.write_down(first, 1, &writes).await?;
        for (index, gains) in &ending {
            gains.iter().for_each(|gain| self.open[*index].gain(gain, None));
        }
        self.close();
        Ok(())
    }

    /// Writes to the ledger what has happened already, as much in a transaction as it takes. A
    /// failure is told of the statement `number` at `place`.
    pub(super) async fn write_down(
        &mut self,
        index: usize,
        number: usize,
        writes: &[Write<'a>],
    ) -> Result<(), ApplyError> {
        let groups: Vec<Group<'a>> = writes
            .chunks(WRITES)
            .map(|chunk| Group::Rows { statements: Vec::new(), writes: chunk.to_vec() })
            .collect();
        match self.write(&groups).await {
            Ok(()) => Ok(()),
            Err(Halt::LeaseLost) => Err(ApplyError::LeaseLost),
            Err(Halt::Failed(error)) => {
                Err(self.stop(index, number, StatementFailure::LedgerWriteFailed(error)).await)
            }
        }
    }

    async fn send(&mut self) -> Result<bool, ApplyError> {
        let mut conflicts = 0;
        let mut recoveries = 0;
        loop {
            let mut running: Vec<&JobTarget> =
                self.open.iter().flat_map(Progress::running).collect();
            let mut blocked = false;
            let mut batch = None;
            let mut planned: Vec<(usize, Planned<'a>)> = Vec::new();
            for (index, progress) in self.open.iter().enumerate() {
                let script = script(progress, &mut running);
                blocked = script.blocked;
                batch = script.batch.map(|number| (index, number));
                planned.extend(script.groups.into_iter().map(|group| (index, group)));
                // What stands behind it has its turn after it.
                if blocked || batch.is_some() {
                    break;
                }
            }
            if planned.is_empty() {
                let Some((index, number)) = batch else { return Ok(blocked) };
                Box::pin(self.run_batches(index, number)).await?;
                continue;
            }
            let work = planned.iter().find(|(_, planned)| planned.is_work());
            if let Some((index, number)) = work.map(|(index, first)| (*index, first.number))
                && let Err(stop) = self.budget.check()
            {
                // What is left of the migrations before it is only to be written down.
                planned.retain(|(other, _)| *other < index);
                if planned.is_empty() {
                    return Err(self
                        .stop(index, number, StatementFailure::BudgetEnded(stop))
                        .await);
                }
            }

            let sent = joined(planned);
            let groups: Vec<Group<'a>> = sent.iter().map(|sent| sent.group.clone()).collect();
            let result = self.cluster.run(&groups, self.budget).await;
            let (committed, interrupted) = match result {
                Ok(jobs) => (jobs, None),
                Err(TransactionError { committed, at, source: error }) => {
                    (committed, Some((at, error)))
                }
            };
            let mut sent = sent.into_iter();
            for (job, sent) in committed.iter().zip(sent.by_ref()) {
                for (index, gain) in &sent.gains {
                    self.open[*index].gain(gain, job.as_ref());
                    (conflicts, recoveries) = (0, 0);
                }
            }
            let Some((at, error)) = interrupted else { continue };
            let Some(sent) = sent.next() else { continue };
            let (index, number) = sent.at;
            match error.outcome() {
                _ if at == FailurePoint::LeaseLost => return Err(ApplyError::LeaseLost),
                // The budget has ended, and stops the run above.
                _ if at == FailurePoint::BudgetEnded => {}
                Outcome::Conflict if conflicts < ATTEMPTS => {
                    conflicts += 1;
                    tokio::time::sleep(pause_before(conflicts)).await;
                    if sent.is_schema_change() {
                        // DSQL was seen to commit a schema change and to answer with a conflict.
                        self.look_again().await?;
                    }
                }
                Outcome::Unknown if recoveries < RECOVERIES => {
                    tracing::warn!(%error, "an answer was lost; asking the database what happened");
                    recoveries += 1;
                    self.recover(index, number, error).await?;
                }
                Outcome::Unknown => {
                    let failure = StatementFailure::OutcomeUnknown(error);
                    return Err(self.stop(index, number, failure).await);
                }
                Outcome::Conflict | Outcome::NotApplied => {
                    self.refused(&sent, at, error).await?;
                }
            }
        }
    }

    /// What the server refused: the statement's own fault, or another run's doing.
    async fn refused(
        &mut self,
        sent: &Joined<'a>,
        at: FailurePoint,
        error: Error,
    ) -> Result<(), ApplyError> {
        let (index, number) = sent.at;
        let failure = match (&sent.group, at) {
            (Group::Schema(_) | Group::DropIndex(_), _) => {
                if self.open[index].uncertain.contains(&number) {
                    // It may find its own work.
                    self.look_again().await?;
                    let is_open = matches!(
                        self.open[index].states.get(&number),
                        Some(State::Intended { .. })
                    );
                    if !is_open {
                        return Ok(());
                    }
                }
                StatementFailure::Rejected(error)
            }
            (Group::Rows { .. }, FailurePoint::Statement(nth)) => {
                return Err(self
                    .stop(index, number + nth, StatementFailure::Rejected(error))
                    .await);
            }
            (Group::Rows { statements, .. }, FailurePoint::Commit) if !statements.is_empty() => {
                StatementFailure::Rejected(error)
            }
            (Group::Rows { .. }, _) => match error.code() {
                Some("23505") => StatementFailure::ClaimedByOther,
                Some("22012") => {
                    let version = self.open[index].migration.version.clone();
                    return Err(ApplyError::AppliedByOther { version });
                }
                _ => StatementFailure::LedgerWriteFailed(error),
            },
        };
        Err(self.stop(index, number, failure).await)
    }

    /// Ends the run at a statement, and leaves a note in the ledger for its readers.
    pub(super) async fn stop(
        &mut self,
        index: usize,
        number: usize,
        failure: StatementFailure,
    ) -> ApplyError {
        let migration = self.open[index].migration;
        let version = &migration.version;
        let mut writes = Vec::new();
        let is_intended =
            matches!(self.open[index].states.get(&number), Some(State::Intended { .. }));
        if is_intended && matches!(failure, StatementFailure::Rejected(_)) {
            // Certainly not applied: it may be mended, and the next run need not ask. If this
            // write is lost, the next run asks the catalog.
            writes.push(Write::Withdraw { version, number });
        }
        for (number, state) in &self.open[index].states {
            // What a string that was shut out has done, and could not write down any more.
            let state = match state {
                State::Applied => StatementState::Done,
                State::Building(Building { job: Some(job), recorded: false, .. }) => {
                    StatementState::Submitted(job.clone())
                }
                _ => continue,
            };
            writes.push(Write::Advance { version, number: *number, state });
        }
        let batches = match self.open[index].states.get(&number) {
            Some(State::Batching(batches)) => *batches,
            _ => Batches::default(),
        };
        let error = StatementError::new(migration, number, Some(batches), failure);
        writes.push(Write::End { version, failure: Some(in_one_line(&error)) });
        // Another run's migration is not ours to mark, and a database that does not answer need
        // not be asked again.
        let is_ours = !matches!(
            error.failure,
            StatementFailure::ClaimedByOther | StatementFailure::OutcomeUnknown(_)
        );
        if is_ours
            && let Err(halt) = self.write(&[Group::Rows { statements: Vec::new(), writes }]).await
        {
            match halt {
                Halt::LeaseLost => tracing::warn!("the lease is lost; the failure is not recorded"),
                Halt::Failed(error) => tracing::warn!(%error, "the failure is not recorded"),
            }
        }
        ApplyError::Statement { version: version.clone(), source: Box::new(error) }
    }

    /// Runs groups that may be repeated: writes to the ledger, and taking an invalid index away.
    pub(super) async fn write(&mut self, groups: &[Group<'_>]) -> Result<(), Halt> {
        let mut done = 0;
        let mut attempt = 1;
        while done < groups.len() {
            let Err(TransactionError { committed, at, source: error }) =
                self.cluster.run(&groups[done..], self.budget).await
            else {
                return Ok(());
            };
            done += committed.len();
            match error.outcome() {
                _ if at == FailurePoint::LeaseLost => return Err(Halt::LeaseLost),
                Outcome::NotApplied => return Err(Halt::Failed(error)),
                _ if attempt >= ATTEMPTS => return Err(Halt::Failed(error)),
                Outcome::Conflict => tokio::time::sleep(pause_before(attempt)).await,
                Outcome::Unknown => match self.cluster.fence_former_connection().await {
                    Ok(true) => {}
                    Ok(false) => return Err(Halt::LeaseLost),
                    Err(error) if attempt >= RECOVERIES => return Err(Halt::Failed(error)),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
            }
            attempt += 1;
        }
        Ok(())
    }
}

/// How many migrations from the first on share a string: one that must be asked about before it
/// runs comes alone.
fn together(pending: &[&PlannedMigration<'_>]) -> usize {
    let mut bytes = 0;
    let fresh = pending.iter().take(TOGETHER).take_while(|entry| {
        let statements = &entry.migration.statements;
        bytes += statements.iter().map(|statement| statement.text.len()).sum::<usize>();
        matches!(entry.status, Status::Pending { begun: None })
            && !entry.migration.is_repeatable()
            && bytes <= TOGETHER_BYTES
    });
    fresh.count().max(1)
}

/// An error with its causes, joined once.
fn in_one_line(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
