//! Creates the ledger's schema and tables.

use tokio_postgres::error::SqlState;

use crate::database::error::Error;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::message::{MessageError, WireTransaction};
use crate::database::retry::{Attempts, CREATE_LEDGER, RetryReason, Retryable};
use crate::database::session::Session;

impl Session {
    /// Creates the objects of the ledger that do not exist, under the policy [`CREATE_LEDGER`].
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn create_ledger(&mut self, ledger: &LedgerSchema) -> Result<(), Error> {
        let transactions = create_sql(ledger);
        let mut created = 0;
        // A role without the privilege to create schemas can use one that `admin` has created for
        // it. PostgreSQL denies `CREATE SCHEMA IF NOT EXISTS` even if the schema exists.
        let mut schema_denied = None;
        let mut attempts = Attempts::new(&CREATE_LEDGER);
        loop {
            let sent = self.send_transactions(&transactions[created..]).await;
            let Err(MessageError { committed, source, .. }) = sent else { return Ok(()) };
            created += committed.len();
            if created == 0 && source.is(&SqlState::INSUFFICIENT_PRIVILEGE) {
                schema_denied = Some(source);
                created = 1;
                continue;
            }
            let error = CreateError(source);
            if !attempts.should_retry(&error).await {
                let is_missing = error.0.is(&SqlState::INVALID_SCHEMA_NAME);
                return Err(schema_denied.filter(|_| is_missing).unwrap_or(error.0));
            }
        }
    }
}

/// An error of a statement that may be sent again whatever its outcome.
struct CreateError(Error);

impl Retryable for CreateError {
    fn retry_reason(&self) -> Option<RetryReason> {
        // `IF NOT EXISTS` checks before it creates. If two runs check at the same time, the
        // catalog's unique index rejects one of them.
        let created_by_other = [
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_SCHEMA,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_OBJECT,
        ];
        if created_by_other.iter().any(|code| self.0.is(code)) {
            Some(RetryReason::Conflict)
        } else {
            self.0.retry_reason()
        }
    }
}

/// Each statement is a transaction of its own, and its object may exist already. The table that is
/// created last is one that `observe` reads, so that an incomplete ledger counts as a missing one.
fn create_sql(ledger: &LedgerSchema) -> Vec<WireTransaction> {
    [
        format!("CREATE SCHEMA IF NOT EXISTS {ledger}"),
        format!(
            "CREATE TABLE IF NOT EXISTS {ledger}.migration (
               set_name text NOT NULL, version text NOT NULL, position integer NOT NULL,
               description text NOT NULL, checksum text NOT NULL, statement_count integer NOT NULL,
               state text NOT NULL, started_at timestamptz NOT NULL, finished_at timestamptz,
               applied_by text NOT NULL, duration_ms bigint, error text,
               adopted_from text, kind text NOT NULL, run integer NOT NULL, values_digest text,
               PRIMARY KEY (set_name, version))"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {ledger}.statement (
               set_name text NOT NULL, version text NOT NULL, number integer NOT NULL,
               checksum text NOT NULL, class text NOT NULL, summary text NOT NULL,
               state text NOT NULL, job_id text, catalog_before text,
               batches bigint, changed_rows bigint, changed_at timestamptz NOT NULL,
               PRIMARY KEY (set_name, version, number))"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {ledger}.lease (
               set_name text NOT NULL PRIMARY KEY, owner text NOT NULL, holder text NOT NULL,
               expires_at timestamptz NOT NULL, drift text)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {ledger}.heartbeat (
               set_name text NOT NULL PRIMARY KEY, owner text NOT NULL,
               expires_at timestamptz NOT NULL)"
        ),
        format!(
            "CREATE TABLE IF NOT EXISTS {ledger}.schema_object (
               relation text NOT NULL PRIMARY KEY, schema_name text NOT NULL,
               objects text NOT NULL,
               changed_at timestamptz NOT NULL)"
        ),
    ]
    .into_iter()
    .map(|sql| WireTransaction { statements: vec![sql], bare: false })
    .collect()
}
