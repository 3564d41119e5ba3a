//! Finds the statements by which migrations have created tables.

use super::error::Error;
use super::ledger_schema::LedgerSchema;
use super::session::{Session, all_answered, literal};
use crate::migration::fact::QualifiedName;

impl Session {
    /// Returns the summaries of the statements of all sets that may have created one of these
    /// tables; read-only, one round trip. The ledger must exist.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn creations_of(
        &mut self,
        tables: &[QualifiedName],
        ledger: &LedgerSchema,
    ) -> Result<Vec<String>, Error> {
        let has_name = |table: &QualifiedName| {
            format!("position(lower({}) IN lower(summary)) > 0", literal(&table.name))
        };
        let names: Vec<String> = tables.iter().map(has_name).collect();
        let sql = format!(
            "SELECT DISTINCT summary FROM {ledger}.statement
              WHERE class = 'ddl' AND state = 'done' AND summary ILIKE 'CREATE%' AND ({})",
            names.join(" OR ")
        );
        let rows = all_answered(self.read(&sql).await?, 1)?.pop().unwrap_or_default();
        Ok(rows.into_iter().flatten().flatten().collect())
    }
}
