//! Merges the transactions of several migrations. Pure.

use super::next_steps::PlannedTransaction;
use super::progress::{OpenIndex, ProgressEvent};
use crate::database::{LEDGER_ROWS_PER_TRANSACTION, Transaction, Write};
use crate::engine::error::RolledBack;
use crate::migration::StatementNumber;

/// A transaction of a message, with the events that its commit means for each migration.
#[derive(Debug)]
pub(super) struct MergedTransaction<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) events: Vec<(OpenIndex, ProgressEvent)>,
    /// The migration that is reported if the transaction fails.
    pub(super) index: OpenIndex,
    /// The statement that is reported if the transaction fails as a whole.
    pub(super) number: Option<StatementNumber>,
}

impl MergedTransaction<'_> {
    pub(super) fn is_schema_change(&self) -> bool {
        matches!(self.transaction, Transaction::Ddl(_))
    }

    /// What a rejection of the transaction undoes; `None` if it has no statement of a migration.
    pub(super) fn rolled_back(&self, at_commit: bool) -> Option<RolledBack> {
        let first = self.number?;
        let count = match &self.transaction {
            Transaction::Dml { statements, .. } => statements.len(),
            Transaction::Ddl(_) => 1,
            Transaction::Ledger(_) | Transaction::DropIndex(_) => return None,
        };
        let statements = (0..count).map(|offset| first.plus(offset)).collect();
        Some(RolledBack { statements, at_commit })
    }
}

/// Lets the end of a migration and the beginning of the next share a transaction, because each
/// commit has to reach all Availability Zones: of three commits around a schema change, two remain.
///
/// A failure is reported for the last migration, because only a beginning is rejected for a reason
/// of its own. Row changes stay alone: every ledger row in their transaction counts toward their
/// 3,000 rows. A transaction has at most [`LEDGER_ROWS_PER_TRANSACTION`] writes, because any number
/// of migrations may end after they waited for their jobs.
pub(super) fn merge<'a>(
    planned: impl IntoIterator<Item = (OpenIndex, PlannedTransaction<'a>)>,
) -> Vec<MergedTransaction<'a>> {
    let mut all: Vec<MergedTransaction<'a>> = Vec::new();
    for (index, PlannedTransaction { transaction, events, number }) in planned {
        let events = events.into_iter().map(|event| (index, event)).collect();
        let mut next = MergedTransaction { transaction, events, index, number };
        if let Some(last) = all.last_mut()
            && let (Some(before), Some(after)) =
                (writes(&mut last.transaction), writes(&mut next.transaction))
            && before.len() + after.len() <= LEDGER_ROWS_PER_TRANSACTION
        {
            before.append(after);
            last.events.append(&mut next.events);
            (last.index, last.number) = (next.index, next.number);
        } else {
            all.push(next);
        }
    }
    all
}

/// The writes of a transaction that does nothing else.
fn writes<'t, 'a>(transaction: &'t mut Transaction<'a>) -> Option<&'t mut Vec<Write<'a>>> {
    match transaction {
        Transaction::Ledger(writes) => Some(writes),
        Transaction::Dml { .. } | Transaction::Ddl(_) | Transaction::DropIndex(_) => None,
    }
}
