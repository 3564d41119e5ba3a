//! Repeats a statement in batches until it changes no row.
//!
//! Each batch commits together with its progress, so a run that ends at any point loses nothing,
//! and the next run resumes with the remaining rows.

use super::progress::{OpenIndex, StatementProgress};
use super::{Executor, Retries, StatementFailure};
use crate::database::{
    Batch, Batches, Error, FailurePoint, Outcome, StatementState, TransactionError,
};
use crate::engine::cluster::Cluster;
use crate::engine::error::ApplyError;
use crate::engine::record::record;
use crate::migration::StatementNumber;

impl<C: Cluster> Executor<'_, '_, C> {
    /// Repeats a statement until it changes no row, or until the budget ends: whether a statement
    /// ever stops changing rows cannot be known in advance.
    pub(super) async fn run_batches(
        &mut self,
        index: OpenIndex,
        number: StatementNumber,
    ) -> Result<(), ApplyError> {
        let migration = self.open[index].migration;
        let Some(statement) = migration.statement(number) else { return Ok(()) };
        let mut retries = Retries::new();
        loop {
            let before = match self.open[index].states.get(&number) {
                None => Batches::default(),
                Some(StatementProgress::Batching(before)) => *before,
                Some(_) => return Ok(()),
            };
            if !self.open[index].begun {
                // The ledger has lost the migration, so it begins again.
                return Ok(());
            }
            if let Err(end) = self.budget.check() {
                let failure = StatementFailure::BudgetEnded(end);
                return Err(self.stop(index, Some(number), failure).await);
            }
            let version = &migration.version;
            let record = record(statement, number, StatementState::Batching(before));
            let batch = Batch { version, statement, record, before };
            match self.cluster.batch(&batch, self.budget).await {
                Ok(rows) => {
                    let after = before.and(rows);
                    let Batches { count, rows: total } = after;
                    let origin = &statement.origin;
                    tracing::info!(%origin, batch = count, rows, total, "batch committed");
                    let state = match rows {
                        0 => StatementProgress::Done,
                        _ => StatementProgress::Batching(after),
                    };
                    self.open[index].states.insert(number, state);
                    retries.reset();
                }
                Err(TransactionError { at, source, .. }) => {
                    self.after_failed_batch(index, number, at, source, &mut retries).await?;
                }
            }
        }
    }

    /// Prepares the next attempt after a batch has failed, or ends the run.
    async fn after_failed_batch(
        &mut self,
        index: OpenIndex,
        number: StatementNumber,
        at: FailurePoint,
        error: Error,
        retries: &mut Retries,
    ) -> Result<(), ApplyError> {
        if at == FailurePoint::LeaseLost {
            return Err(ApplyError::LeaseLost);
        }
        match error.outcome() {
            Outcome::Conflict if self.pause_after_conflict(retries).await => Ok(()),
            Outcome::Unknown => {
                self.recover(index, Some(number), error, &mut retries.recoveries).await
            }
            Outcome::Conflict | Outcome::NotApplied => {
                let failure = match at {
                    FailurePoint::RowExists | FailurePoint::RowChanged => {
                        StatementFailure::ClaimedByOther
                    }
                    FailurePoint::Ledger => StatementFailure::LedgerWriteFailed(error),
                    _ => StatementFailure::Rejected(error),
                };
                Err(self.stop(index, Some(number), failure).await)
            }
        }
    }
}
