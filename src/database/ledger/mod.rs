//! The ledger: the applied migrations, statement by statement, and the recorded schema.
//!
//! Its tables have natural keys, because sequences on DSQL are not gapless counters. Every write
//! names the row that it expects, so that a concurrent change makes it fail.

mod batch;
mod create;
mod lease;
pub(super) mod read;
mod record;
mod stamp;
mod transaction;
mod write;
mod write_sql;

pub(super) use self::lease::parse_lease;

pub use self::batch::Batch;
pub use self::lease::{Claim, Holder, LEASE_LENGTH, Lease};
pub use self::record::{
    Batches, MigrationRecord, MigrationState, RecordedClass, StatementRecord, StatementState,
};
pub use self::stamp::Stamp;
pub use self::transaction::{FailurePoint, Transaction, TransactionError};
pub use self::write::Write;
