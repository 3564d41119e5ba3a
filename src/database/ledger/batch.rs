//! One batch of a statement that is repeated until it changes no row, together with its progress.
//!
//! The number of changed rows is known only from the server's response, and must be in the ledger
//! row that commits with the changes. A batch is therefore two messages; the second one records the
//! progress and commits.

use super::lease::{FENCE_ERROR, Lease};
use super::record::{Batches, StatementRecord, StatementState};
use super::settings::check_sql;
use super::transaction::{FailurePoint, TransactionError};
use crate::database::error::{Error, Outcome};
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Answers, Session, literal};
use crate::migration::{Statement, Version};

/// A batch to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<'a> {
    /// Version of the statement's migration.
    pub version: &'a Version,
    /// The statement.
    pub statement: &'a Statement,
    /// Its row in the ledger; the state is replaced by the progress.
    pub record: StatementRecord,
    /// The progress of the batches before this one.
    pub before: Batches,
}

impl Session {
    /// Executes one batch, records it in the same transaction (as done if it changed no row), and
    /// returns the number of changed rows. Nothing is repeated.
    ///
    /// # Errors
    /// The first error. The batch was rolled back, unless the error is at the commit and its
    /// outcome is unknown.
    pub async fn run_batch(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
        batch: &Batch<'_>,
    ) -> Result<u64, TransactionError> {
        let failed = |at, source| TransactionError { committed: Vec::new(), at, source };
        if let Err(error) = self.renew().await {
            return Err(failed(FailurePoint::Ledger, error));
        }
        let statement = &batch.statement.text;
        let fence = lease.fence_sql(ledger, set);
        let before = format!("BEGIN;\n{fence};\n");
        // The line break ends a comment at the end of the statement.
        let sql = format!("{before}{statement}\n;\n");
        let Answers { rows: answers, changed, error } = self.collect_exactly(&sql, 3).await;
        if let Some(mut error) = error {
            self.leave_transaction(&error).await;
            let at = match answers.len() {
                // A message that cannot be parsed is rejected before its first statement runs.
                0 if error.outcome() == Outcome::NotApplied => FailurePoint::Statement(0),
                1 if error.is(&FENCE_ERROR) => FailurePoint::LeaseLost,
                0 | 1 => FailurePoint::Ledger,
                _ => FailurePoint::Statement(0),
            };
            error.move_position(before.chars().count(), statement);
            return Err(failed(at, error));
        }
        let progress = progress_sql(ledger, set, batch, changed);
        let check = self.settings.as_deref().map_or("SELECT 1".to_owned(), check_sql);
        let Answers { rows: answers, error, .. } =
            self.collect_exactly(&format!("{check};\n{progress};\nCOMMIT"), 3).await;
        let Some(error) = error else { return Ok(changed) };
        self.leave_transaction(&error).await;
        Err(match answers.len() {
            0 if error.is(&FENCE_ERROR) => {
                failed(FailurePoint::Statement(0), Error::SettingsChanged)
            }
            0 => failed(FailurePoint::Ledger, error),
            1 => failed(FailurePoint::of_write(&error), error),
            _ => failed(FailurePoint::Commit, error),
        })
    }
}

/// The write fails with a division by zero if the row has another state than `batching`, or than
/// `failed`, which is that of another statement that was in its place.
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
           batches = excluded.batches
             / CASE WHEN found.state IN ('batching', 'failed') THEN 1 ELSE 0 END,
           changed_at = excluded.changed_at",
        literal(set),
        literal(&batch.version.0),
        record.number,
        literal(&record.checksum.0),
        literal(record.class.as_str()),
        literal(&record.summary),
    )
}
