//! Lists the migration sets of a ledger, for messages.

use super::error::Error;
use super::ledger_schema::LedgerSchema;
use super::session::Session;

impl Session {
    /// Reads the names of the migration sets that the ledger contains; read-only. The ledger must
    /// exist.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn set_names(&mut self, ledger: &LedgerSchema) -> Result<Vec<String>, Error> {
        let sql = format!("SELECT DISTINCT set_name FROM {ledger}.migration ORDER BY set_name");
        let rows = self.read(&sql).await?.into_iter().flatten();
        Ok(rows.flatten().flatten().collect())
    }
}
