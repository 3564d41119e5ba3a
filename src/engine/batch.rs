//! A statement that is repeated in batches until it changes no row.
//!
//! Each batch commits together with its progress, so a run that ends anywhere has lost nothing and
//! the next one goes on with the rows that are left.

use super::apply::ApplyError;
use super::cluster::Cluster;
use super::run::{RECOVERIES, Run};
use super::script::State;
use super::step::{StatementFailure, record};
use crate::database::retry::ATTEMPTS;
use crate::database::{
    Batch, Batches, FailurePoint, Outcome, StatementState, TransactionError, pause_before,
};

impl<C: Cluster> Run<'_, '_, C> {
    /// Repeats a statement until it changes no row, or until the budget ends: nobody can tell from
    /// outside whether a statement comes to an end.
    pub(super) async fn run_batches(
        &mut self,
        index: usize,
        number: usize,
    ) -> Result<(), ApplyError> {
        let migration = self.open[index].migration;
        let statement = &migration.statements[number - 1];
        let mut conflicts = 0;
        let mut recoveries = 0;
        loop {
            let before = match self.open[index].states.get(&number) {
                None => Batches::default(),
                Some(State::Batching(before)) => *before,
                Some(_) => return Ok(()),
            };
            if !self.open[index].begun {
                // The ledger has lost the migration; the script begins it anew.
                return Ok(());
            }
            if let Err(stop) = self.budget.check() {
                return Err(self.stop(index, number, StatementFailure::BudgetEnded(stop)).await);
            }
            let version = &migration.version;
            let record = record(migration, number, StatementState::Batching(before));
            let batch = Batch { version, statement, record, before };
            let TransactionError { at, source: error, .. } =
                match self.cluster.batch(&batch, self.budget).await {
                    Ok(rows) => {
                        let after = before.and(rows);
                        let Batches { count, rows: total } = after;
                        let origin = &statement.origin;
                        tracing::info!(%origin, batch = count, rows, total, "batch committed");
                        let state = if rows == 0 { State::Done } else { State::Batching(after) };
                        self.open[index].states.insert(number, state);
                        (conflicts, recoveries) = (0, 0);
                        continue;
                    }
                    Err(interrupted) => interrupted,
                };
            match error.outcome() {
                _ if at == FailurePoint::LeaseLost => return Err(ApplyError::LeaseLost),
                Outcome::Conflict if conflicts < ATTEMPTS => {
                    conflicts += 1;
                    tokio::time::sleep(pause_before(conflicts)).await;
                }
                Outcome::Unknown if recoveries < RECOVERIES => {
                    tracing::warn!(%error, "an answer was lost; asking the database what happened");
                    recoveries += 1;
                    self.recover(index, number, error).await?;
                }
                Outcome::Unknown => {
                    return Err(self
                        .stop(index, number, StatementFailure::OutcomeUnknown(error))
                        .await);
                }
                Outcome::Conflict | Outcome::NotApplied => {
                    let failure = match (at, error.code()) {
                        (FailurePoint::Ledger, Some("22012" | "23505")) => {
                            StatementFailure::ClaimedByOther
                        }
                        (FailurePoint::Ledger, _) => StatementFailure::LedgerWriteFailed(error),
                        _ => StatementFailure::Rejected(error),
                    };
                    return Err(self.stop(index, number, failure).await);
                }
            }
        }
    }
}
