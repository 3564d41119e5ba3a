//! Makes the ledger row of a statement.

use crate::database::{StatementRecord, StatementState};
use crate::migration::{Statement, StatementNumber};
use crate::sql;

/// Makes the row of a statement without facts of the catalog, which the write that inserts it adds.
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
        build: None,
    }
}
