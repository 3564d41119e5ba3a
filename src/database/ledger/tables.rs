//! The ledger's tables.

use super::LedgerSchema;
use crate::database::message::WireTransaction;

/// Each table is a transaction of its own, and each may exist already. The one that is made last
/// is among those that [`super::read_sql`] reads: as long as it is missing, there is no ledger.
pub(super) fn create_sql(ledger: &LedgerSchema) -> Vec<WireTransaction> {
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
