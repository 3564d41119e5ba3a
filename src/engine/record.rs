//! The row of a statement in the ledger.

use crate::database::{StatementRecord, StatementState};
use crate::migration::{Statement, StatementNumber};
use crate::sql;

/// Makes the row of a statement. The write that stores it adds the facts of the catalog.
pub(super) fn record(
    statement: &Statement,
    number: StatementNumber,
    state: StatementState,
) -> StatementRecord {
    StatementRecord {
        number,
        checksum: statement.checksum(),
        class: statement.class.into(),
        summary: sql::summary(statement.shown()),
        state,
        before: None,
    }
}
