//! A value that changes with every write to the rows of a migration set.

use crate::database::Rows;
use crate::database::error::Error;
use crate::database::ledger_schema::LedgerSchema;

/// Two stamps are equal if no one has written to the rows of the set in between. Comparing them is
/// cheaper than reading the rows again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(pub String);

impl Default for Stamp {
    /// The stamp of a set without rows, as in a ledger that was just created.
    fn default() -> Self {
        Self("0 0".to_owned())
    }
}

/// Returns an SQL expression for the stamp. `set` is a literal.
pub(crate) fn stamp_sql(ledger: &LedgerSchema, set: &str) -> String {
    format!(
        "concat_ws(' ',
           (SELECT concat_ws(' ', count(*), sum(run), max(started_at), max(finished_at))
              FROM {ledger}.migration WHERE set_name = {set}),
           (SELECT concat_ws(' ', count(*), max(changed_at), max(state))
              FROM {ledger}.statement WHERE set_name = {set}))"
    )
}

impl Stamp {
    pub(crate) fn from_rows(rows: &Rows) -> Result<Self, Error> {
        match rows.first().map(Vec::as_slice) {
            Some([Some(stamp)]) => Ok(Self(stamp.clone())),
            _ => Err(Error::Answer("the ledger returned no stamp".into())),
        }
    }
}
