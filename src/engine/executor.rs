//! Sends the pending migrations of a plan, and reads the catalog after an unknown outcome.

mod batches;
mod earlier;
mod ending;
mod jobs;
mod leave;
mod leftovers;
mod merge;
mod next_steps;
mod progress;
mod recovery;
mod skip;

pub(super) use self::earlier::EarlierJobs;
use self::ending::unrecorded;
use self::merge::{MergedTransaction, merge};
use self::next_steps::{PlannedTransaction, next_steps};
use self::progress::{
    MigrationProgress, OpenIndex, OpenMigrations, ProgressEvent, StatementProgress, StatementRef,
};
use super::budget::Budget;
use super::cluster::Cluster;
use super::error::{ApplyError, StatementError, StatementFailure, WriteError};
use super::plan::{Plan, PlannedMigration, Status};
use crate::chain::full_chain;
use crate::database::retry::{Attempts, CONFLICT, RECOVERY, RetryReason};
use crate::database::{
    Batches, Error, FailurePoint, LEDGER_ROWS_PER_TRANSACTION, MigrationEnd, Outcome, Transaction,
    TransactionError, Write,
};
use crate::migration::{Migration, Statement, StatementNumber, Version};
use crate::sql::JobTarget;

/// How many migrations share one message, and so one round trip. With 25, a hundred migrations take
/// four round trips, and a larger number would save little; but results arrive only after the whole
/// message has run.
const MESSAGE_MIGRATIONS: usize = 25;

/// The size in bytes of SQL at which a message is large enough for a round trip of its own.
const MESSAGE_BYTES: usize = 256 * 1024;

/// For which jobs a run waits: index builds and validations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WaitForJobs {
    /// For all that it has started.
    #[default]
    All,
    /// For those that a later statement needs. The others end after the run.
    Needed,
}

/// One run on one cluster.
pub(super) struct Executor<'c, 'a, C> {
    pub(super) cluster: &'c mut C,
    budget: &'c Budget,
    wait: WaitForJobs,
    earlier: EarlierJobs,
    /// Migrations that are not finished; all but those of the last message only wait for jobs.
    open: OpenMigrations<'a>,
    /// The migrations that this run has completed.
    pub(super) applied: Vec<Version>,
    /// The migrations that it has left to their jobs.
    pub(super) building: Vec<Version>,
    /// What a failed run leaves, except for the failure that ended it.
    pub(super) unfinished: Vec<ApplyError>,
}

impl<'c, 'a, C: Cluster> Executor<'c, 'a, C> {
    pub(super) fn new(
        cluster: &'c mut C,
        budget: &'c Budget,
        wait: WaitForJobs,
        earlier: EarlierJobs,
    ) -> Self {
        let (open, applied, building, unfinished) = Default::default();
        Self { cluster, budget, wait, earlier, open, applied, building, unfinished }
    }

    /// Whether a job of this run may still change the schema.
    pub(super) fn has_jobs(&self) -> bool {
        self.open.iter().any(|(_, progress)| progress.building().next().is_some())
    }

    /// Completes all pending migrations. If that fails, the migrations that wait for jobs are
    /// settled.
    pub(super) async fn execute(&mut self, plan: &Plan<'a>) -> Result<(), ApplyError> {
        let result = self.execute_all(plan).await;
        if let Err(error) = &result {
            Box::pin(self.settle_after(error)).await;
        }
        result
    }

    async fn execute_all(&mut self, plan: &Plan<'a>) -> Result<(), ApplyError> {
        self.drop_abandoned(plan).await?;
        let pending: Vec<&PlannedMigration<'a>> = plan.pending().collect();
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let (entries, others) = rest.split_at(message_len(rest));
            self.run_migrations(entries).await?;
            rest = others;
        }
        match self.wait {
            WaitForJobs::All => self.complete_jobs().await?,
            WaitForJobs::Needed => self.leave_jobs().await?,
        }
        // A plan that runs nothing does not change a status.
        if !pending.is_empty() {
            self.record_earlier().await;
        }
        Ok(())
    }

    /// Waits until no migration of the run has a job.
    async fn complete_jobs(&mut self) -> Result<(), ApplyError> {
        // A build that was started again has to be awaited again.
        while !self.open.is_empty() {
            self.await_jobs(None).await?;
            self.end_awaited().await?;
            self.advance().await?;
        }
        Ok(())
    }

    /// Runs migrations that share a message. A migration that needs facts of the catalog before it
    /// runs does not share one.
    async fn run_migrations(
        &mut self,
        entries: &[&PlannedMigration<'a>],
    ) -> Result<(), ApplyError> {
        for entry in entries {
            let after = match entry.status {
                Status::Rerun { last } => Some(last.run),
                Status::Pending { .. } | Status::Applied(_) | Status::Excluded(_) => None,
            };
            let index = self.open.push(MigrationProgress::new(entry.migration, after));
            if let Status::Rerun { last } = entry.status {
                self.drop_leftovers(index, last).await?;
            }
            if let Status::Pending { begun: Some(record) } = entry.status {
                self.open[index].runs_before = record.run;
                self.restore(index, record).await?;
                if self.open[index].building().next().is_some() {
                    self.continue_jobs().await?;
                }
            }
            if entry.migration.is_repeatable() {
                self.skip(index).await?;
            }
        }
        while let Some(blocked) = self.advance().await? {
            self.await_jobs(Some(blocked)).await?;
        }
        Ok(())
    }

    /// Finds the statements of a repeatable migration whose whole effect the catalog shows. The
    /// server would reject, for example, the creation of a role that exists.
    async fn skip(&mut self, index: OpenIndex) -> Result<(), ApplyError> {
        let progress = &self.open[index];
        let migration: &'a Migration = progress.migration;
        let unsent: Vec<(StatementNumber, &Statement)> = migration
            .numbered()
            .filter(|(number, _)| !progress.states.contains_key(number))
            .filter(|(number, _)| !progress.skipped.contains(number))
            .collect();
        let facts = skip::facts(&unsent);
        let (Some(&(first, _)), false) = (unsent.first(), facts.is_empty()) else { return Ok(()) };
        let now = self.facts(index, first, &facts).await?;
        self.open[index].skipped.extend(skip::skipped(&unsent, &now));
        Ok(())
    }

    /// Sends what can be sent. Returns the statement that has to wait for a job before its
    /// migration and the following ones can continue.
    ///
    /// Also records the results of jobs, before a later statement drops what they have built.
    async fn advance(&mut self) -> Result<Option<StatementRef>, ApplyError> {
        let result = self.send().await;
        self.close();
        result
    }

    /// Removes the migrations that have ended from the list of open ones.
    fn close(&mut self) {
        for progress in self.open.close() {
            let version = progress.migration.version.clone();
            let is_building = progress.building().next().is_some();
            if is_building { self.building.push(version) } else { self.applied.push(version) }
        }
    }

    /// Ends the migrations that only waited for their jobs, together.
    async fn end_awaited(&mut self) -> Result<(), ApplyError> {
        let mut ending: Vec<(OpenIndex, Vec<ProgressEvent>)> = Vec::new();
        let mut writes = Vec::new();
        for (index, progress) in self.open.iter().filter(|(_, it)| it.begun) {
            let rest = next_steps(progress, &mut Vec::new()).transactions;
            if rest.iter().all(|planned| !planned.transaction.is_work()) {
                ending.push((index, rest.iter().flat_map(|it| it.events.clone()).collect()));
                writes.extend(rest.into_iter().flat_map(|it| it.transaction.into_writes()));
            }
        }
        let Some(&(first, _)) = ending.first() else { return Ok(()) };
        self.write_for(first, Some(StatementNumber::FIRST), &writes).await?;
        self.record_events(ending.iter().map(|(index, events)| (*index, events.as_slice())));
        self.close();
        Ok(())
    }

    /// Notes what committed writes mean.
    fn record_events<'e>(
        &mut self,
        ended: impl IntoIterator<Item = (OpenIndex, &'e [ProgressEvent])>,
    ) {
        for (index, events) in ended {
            events.iter().for_each(|event| self.open[index].record(event, None));
        }
    }

    /// Records what has already happened, in as few transactions as possible. A failure is reported
    /// for the statement `number`.
    async fn write_for(
        &mut self,
        index: OpenIndex,
        number: Option<StatementNumber>,
        writes: &[Write<'a>],
    ) -> Result<(), ApplyError> {
        let result = self.write_all(writes).await;
        self.or_stop(index, number, result).await
    }

    /// Writes to the ledger, in as few transactions as possible.
    async fn write_all(&mut self, writes: &[Write<'_>]) -> Result<(), WriteError> {
        let transactions: Vec<Transaction<'_>> = writes
            .chunks(LEDGER_ROWS_PER_TRANSACTION)
            .map(|chunk| Transaction::Ledger(chunk.to_vec()))
            .collect();
        self.write(&transactions).await
    }

    /// Ends the run at a statement if a write to the ledger has failed.
    async fn or_stop(
        &mut self,
        index: OpenIndex,
        number: Option<StatementNumber>,
        result: Result<(), WriteError>,
    ) -> Result<(), ApplyError> {
        match result {
            Ok(()) => Ok(()),
            Err(WriteError::LeaseLost) => Err(ApplyError::LeaseLost),
            Err(WriteError::Changed(error) | WriteError::Failed(error)) => {
                let failure = StatementFailure::LedgerWriteFailed(error);
                Err(self.stop(index, number, failure).await)
            }
        }
    }

    /// Plans the next message from the progress of all open migrations.
    fn plan_message(&self) -> PlannedMessage<'a> {
        let own = self.open.iter().flat_map(|(_, progress)| progress.running());
        let mut running: Vec<Option<&JobTarget>> =
            own.map(Some).chain(self.earlier.targets()).collect();
        let mut message = PlannedMessage::default();
        for (index, progress) in self.open.iter() {
            let steps = next_steps(progress, &mut running);
            message.transactions.extend(steps.transactions.into_iter().map(|it| (index, it)));
            let migration = index;
            message.blocked = steps.blocked.map(|number| StatementRef { migration, number });
            message.batch = steps.batch.map(|number| (index, number));
            // The migrations after it have to wait as well.
            if message.blocked.is_some() || message.batch.is_some() {
                break;
            }
        }
        message
    }

    async fn send(&mut self) -> Result<Option<StatementRef>, ApplyError> {
        let mut retries = Retries::new();
        loop {
            let PlannedMessage { mut transactions, blocked, batch } = self.plan_message();
            if transactions.is_empty() {
                let Some((index, number)) = batch else { return Ok(blocked) };
                Box::pin(self.run_batches(index, number)).await?;
                continue;
            }
            self.keep_within_budget(&mut transactions).await?;
            let merged = merge(transactions);
            let transactions: Vec<Transaction<'a>> =
                merged.iter().map(|it| it.transaction.clone()).collect();
            let (committed, failed) =
                match self.cluster.run_transactions(&transactions, self.budget).await {
                    Ok(jobs) => (jobs, None),
                    Err(TransactionError { committed, at, source }) => {
                        (committed, Some((at, source)))
                    }
                };
            let mut merged = merged.into_iter();
            for (job, sent) in committed.iter().zip(merged.by_ref()) {
                for (index, event) in &sent.events {
                    self.open[*index].record(event, job.as_ref());
                    retries.reset();
                }
            }
            if let (Some((at, error)), Some(sent)) = (failed, merged.next()) {
                self.after_failure(&sent, at, error, &mut retries).await?;
            }
        }
    }

    /// Ends the run if its budget has ended. What is left of the migrations before the next
    /// statement is still recorded.
    async fn keep_within_budget(
        &mut self,
        planned: &mut Vec<(OpenIndex, PlannedTransaction<'a>)>,
    ) -> Result<(), ApplyError> {
        let work = planned.iter().find(|(_, planned)| planned.transaction.is_work());
        let Some((index, number)) = work.map(|(index, first)| (*index, first.number)) else {
            return Ok(());
        };
        let Err(end) = self.budget.check() else { return Ok(()) };
        planned.retain(|(other, _)| *other < index);
        if planned.is_empty() {
            return Err(self.stop(index, number, StatementFailure::BudgetEnded(end)).await);
        }
        Ok(())
    }

    /// Prepares the next attempt after a transaction has failed, or ends the run.
    async fn after_failure(
        &mut self,
        sent: &MergedTransaction<'a>,
        at: FailurePoint,
        error: Error,
        retries: &mut Retries,
    ) -> Result<(), ApplyError> {
        match at {
            FailurePoint::LeaseLost => return Err(ApplyError::LeaseLost),
            // The next check of the budget ends the run.
            FailurePoint::BudgetEnded => return Ok(()),
            _ => {}
        }
        match error.outcome() {
            Outcome::Conflict if self.pause_after_conflict(retries).await => {
                if sent.is_schema_change() {
                    // DSQL was seen to commit a schema change and to respond with a conflict.
                    self.reload().await?;
                }
                Ok(())
            }
            Outcome::Unknown => {
                self.recover(sent.index, sent.number, error, &mut retries.recoveries).await
            }
            Outcome::Conflict | Outcome::NotApplied => self.rejected(sent, at, error).await,
        }
    }

    /// Counts a conflict, and waits. Returns whether the transaction may be sent again.
    async fn pause_after_conflict(&self, retries: &mut Retries) -> bool {
        let Some(pause) = retries.conflicts.pause_after(RetryReason::Conflict) else {
            return false;
        };
        // If the budget ends, the next check ends the run.
        let _ended = self.budget.pause(pause).await;
        true
    }

    /// Reports a transaction that the server rejected: because of the statement itself, or because
    /// of another run.
    async fn rejected(
        &mut self,
        sent: &MergedTransaction<'a>,
        at: FailurePoint,
        error: Error,
    ) -> Result<(), ApplyError> {
        let (index, mut number) = (sent.index, sent.number);
        let failure = match (&sent.transaction, at) {
            (Transaction::Ddl(_) | Transaction::DropIndex(_), _) => {
                if self.was_applied_before(index, number).await? {
                    return Ok(());
                }
                StatementFailure::Rejected(error)
            }
            (Transaction::Dml { .. }, FailurePoint::Statement(offset)) => {
                number = number.map(|first| first.plus(offset));
                StatementFailure::Rejected(error)
            }
            (Transaction::Dml { .. }, FailurePoint::Commit) => StatementFailure::Rejected(error),
            (_, FailurePoint::RowExists) => StatementFailure::ClaimedByOther,
            (_, FailurePoint::RowChanged) => {
                let version = self.open[index].migration.version.clone();
                return Err(ApplyError::AppliedByOther { version });
            }
            (Transaction::Ledger(_) | Transaction::Dml { .. }, _) => {
                StatementFailure::LedgerWriteFailed(error)
            }
        };
        let rolled_back = matches!(failure, StatementFailure::Rejected(_))
            .then(|| sent.rolled_back(at == FailurePoint::Commit));
        let mut stopped = self.stop(index, number, failure).await;
        if let ApplyError::Statement { source, .. } = &mut stopped {
            source.rolled_back = rolled_back.flatten();
        }
        Err(stopped)
    }

    /// Whether a rejected schema change had been applied by an earlier attempt whose outcome was
    /// unknown. In that case, the server rejects it because of its own effect.
    async fn was_applied_before(
        &mut self,
        index: OpenIndex,
        number: Option<StatementNumber>,
    ) -> Result<bool, ApplyError> {
        let Some(number) = number.filter(|it| self.open[index].uncertain.contains(it)) else {
            return Ok(false);
        };
        self.reload().await?;
        Ok(!self.open[index].is_intended(number))
    }

    /// Ends the run at a statement, and records the failure in the ledger.
    async fn stop(
        &mut self,
        index: OpenIndex,
        number: Option<StatementNumber>,
        failure: StatementFailure,
    ) -> ApplyError {
        let progress = &self.open[index];
        let migration = progress.migration;
        let version = &migration.version;
        let mut writes = Vec::new();
        if let Some(number) = number
            && progress.is_intended(number)
            && matches!(failure, StatementFailure::Rejected(_))
        {
            // It was certainly not applied, so its text may change, and the next run does not have
            // to read the catalog. If this write is lost, the next run reads it. Before a later
            // statement, its row stays.
            writes.push(match progress.states.keys().next_back() {
                Some(last) if *last > number => {
                    Write::Fail { version, number, job: None, object: None }
                }
                _ => Write::Withdraw { version, number },
            });
        }
        // A message that was fenced off has applied statements, and could not record them.
        writes.extend(unrecorded(progress));
        let batches = match number.and_then(|number| progress.states.get(&number)) {
            Some(StatementProgress::Batching(batches)) => *batches,
            _ => Batches::default(),
        };
        let mut error = StatementError::new(migration, number, Some(batches), failure);
        error.applied = progress.applied();
        let end = MigrationEnd::Failed(full_chain(&error));
        writes.push(Write::End { version, end });
        // The migration of another run must not be marked, and no more requests are sent to a
        // database that does not respond.
        let is_ours = !matches!(
            error.failure,
            StatementFailure::ClaimedByOther | StatementFailure::OutcomeUnknown(_)
        );
        if is_ours {
            match self.write(&[Transaction::Ledger(writes)]).await {
                Ok(()) => {}
                Err(WriteError::LeaseLost) => {
                    tracing::warn!("the lease is lost; the failure is not recorded");
                }
                Err(WriteError::Changed(error) | WriteError::Failed(error)) => {
                    tracing::warn!(%error, "the failure is not recorded");
                }
            }
        }
        ApplyError::Statement { version: version.clone(), source: Box::new(error) }
    }

    /// Runs transactions that may be repeated: writes to the ledger, and dropping an invalid index.
    ///
    /// The pauses do not depend on the budget: a run that was cancelled still records what it did.
    pub(super) async fn write(
        &mut self,
        transactions: &[Transaction<'_>],
    ) -> Result<(), WriteError> {
        let mut done = 0;
        let mut conflicts = Attempts::new(&CONFLICT);
        let mut recoveries = Attempts::new(&RECOVERY);
        while done < transactions.len() {
            let Err(TransactionError { committed, at, source }) =
                self.cluster.run_transactions(&transactions[done..], self.budget).await
            else {
                return Ok(());
            };
            done += committed.len();
            match at {
                FailurePoint::LeaseLost => return Err(WriteError::LeaseLost),
                FailurePoint::RowChanged => return Err(WriteError::Changed(source)),
                _ => {}
            }
            let is_repeated = match source.outcome() {
                Outcome::NotApplied => false,
                Outcome::Conflict => conflicts.should_retry(&source).await,
                Outcome::Unknown => {
                    recoveries.should_retry(&source).await
                        && match self.cluster.fence_former_connection().await {
                            Ok(true) => true,
                            Ok(false) => return Err(WriteError::LeaseLost),
                            Err(error) => return Err(WriteError::Failed(error)),
                        }
                }
            };
            if !is_repeated {
                return Err(WriteError::Failed(source));
            }
        }
        Ok(())
    }
}

/// What can be sent next.
#[derive(Default)]
struct PlannedMessage<'a> {
    /// The transactions that can be sent now, in order.
    transactions: Vec<(OpenIndex, PlannedTransaction<'a>)>,
    /// The statement that follows them, if it has to wait for a job.
    blocked: Option<StatementRef>,
    /// The statement that follows them, if it runs in batches.
    batch: Option<(OpenIndex, StatementNumber)>,
}

/// The failed attempts of one message, since the run last made progress.
struct Retries {
    conflicts: Attempts,
    recoveries: Attempts,
}

impl Retries {
    fn new() -> Self {
        Self { conflicts: Attempts::new(&CONFLICT), recoveries: Attempts::new(&RECOVERY) }
    }

    fn reset(&mut self) {
        *self = Self::new();
    }
}

/// Returns how many of the pending migrations share the next message. A migration that needs facts
/// of the catalog before it runs does not share one.
fn message_len(pending: &[&PlannedMigration<'_>]) -> usize {
    let mut bytes = 0;
    let fresh = pending.iter().take(MESSAGE_MIGRATIONS).take_while(|entry| {
        let statements = &entry.migration.statements;
        bytes += statements.iter().map(|statement| statement.text.len()).sum::<usize>();
        matches!(entry.status, Status::Pending { begun: None })
            && !entry.migration.is_repeatable()
            && bytes <= MESSAGE_BYTES
    });
    fresh.count().max(1)
}

#[cfg(test)]
mod tests;
