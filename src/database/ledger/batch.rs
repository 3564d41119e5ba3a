//! One batch of a statement that is repeated until it changes no row, together with its progress.
//!
//! The number of changed rows is known only from the server's answer, and has to be in the row that
//! commits with them: so a batch is two messages, the second of which records and commits.

use super::write::{FailurePoint, TransactionError};
use super::{Batches, LedgerSchema, StatementRecord, StatementState};
use crate::database::lease::{FENCE_ERROR, Lease};
use crate::database::session::{Answers, Session, literal};
use crate::migration::{Statement, Version};

/// A batch to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<'a> {
    /// The statement's migration.
    pub version: &'a Version,
    /// The statement.
    pub statement: &'a Statement,
    /// Its row in the ledger, but for its state.
    pub record: StatementRecord,
    /// What the batches before it have done.
    pub before: Batches,
}

impl Batches {
    /// With one more batch; the one that changes nothing does not count.
    #[must_use]
    pub fn and(self, rows: u64) -> Self {
        Self { count: self.count + u64::from(rows > 0), rows: self.rows + rows }
    }
}

impl Session {
    /// Runs one batch and records it in the same transaction: as done if it has changed no row.
    /// Nothing is repeated. Gives the number of rows that it has changed.
    ///
    /// # Errors
    /// The first error; then nothing of the batch is applied, unless the outcome of the error is
    /// unknown and its place the commit.
    pub async fn run_batch(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
        batch: &Batch<'_>,
    ) -> Result<u64, TransactionError> {
        let interrupted = |at, error| TransactionError { committed: Vec::new(), at, source: error };
        if let Err(error) = self.renew().await {
            return Err(interrupted(FailurePoint::Ledger, error));
        }
        let statement = &batch.statement.text;
        let fence = lease.fence_sql(ledger, set);
        // The new line ends a comment that a statement may end with.
        let sql = format!("BEGIN;\n{fence};\n{statement}\n;\n");
        let Answers { rows: answers, changed, error } = self.collect(&sql).await;
        if let Some(error) = error {
            self.leave_transaction(&error).await;
            let at = match answers.len() {
                // What stands before the statement, or a string that was not even parsed.
                0 if error.code() == Some("42601") => FailurePoint::Statement(0),
                0 => FailurePoint::Ledger,
                1 if error.code() == Some(FENCE_ERROR) => FailurePoint::LeaseLost,
                1 => FailurePoint::Ledger,
                _ => FailurePoint::Statement(0),
            };
            return Err(interrupted(at, error));
        }
        let progress = progress_sql(ledger, set, batch, changed);
        let Answers { rows: answers, error, .. } =
            self.collect(&format!("{progress};\nCOMMIT")).await;
        match error {
            None => Ok(changed),
            Some(error) => {
                self.leave_transaction(&error).await;
                let at =
                    if answers.is_empty() { FailurePoint::Ledger } else { FailurePoint::Commit };
                Err(interrupted(at, error))
            }
        }
    }
}

/// Fails if the row says that the statement is anything but on its way.
fn progress_sql(ledger: &LedgerSchema, set: &str, batch: &Batch<'_>, rows: u64) -> String {
    let Batches { count, rows: total } = batch.before.and(rows);
    let state =
        if rows == 0 { StatementState::Done } else { StatementState::Batching(batch.before) };
    let (state, _) = state.parts();
    let record = &batch.record;
    format!(
        "INSERT INTO {ledger}.statement AS found
           (set_name, version, number, checksum, class, summary, state, batches, changed_rows,
            changed_at)
         VALUES ({}, {}, {}, {}, {}, {}, '{state}', {count}, {total}, now())
         ON CONFLICT (set_name, version, number) DO UPDATE SET
           checksum = excluded.checksum, class = excluded.class, summary = excluded.summary,
           state = excluded.state, changed_rows = excluded.changed_rows,
           batches = excluded.batches / CASE WHEN found.state = 'batching' THEN 1 ELSE 0 END,
           changed_at = excluded.changed_at",
        literal(set),
        literal(&batch.version.0),
        record.number,
        literal(&record.checksum.0),
        literal(&record.class),
        literal(&record.summary),
    )
}
