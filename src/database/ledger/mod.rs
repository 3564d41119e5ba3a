//! The ledger: the applied migrations, statement by statement, and the recorded schema.
//!
//! Its tables have natural keys, because sequences on DSQL are not gapless counters. Every write
//! names the state in which it expects its row, so that it fails after a concurrent change.

mod batch;
mod build;
mod header;
pub(super) mod layout;
mod lease;
pub(super) mod read;
mod record;
mod relations;
mod settings;
mod setup;
mod stamp;
mod transaction;
mod unrecorded;
mod write;
mod write_sql;

pub(super) use self::header::header_sql;
pub(super) use self::unrecorded::{parse_leases, parse_unrecorded};

pub use self::batch::Batch;
pub use self::build::{Build, BuildState};
pub use self::header::{LedgerHeader, LedgerState, ReadOnlyReason};
pub use self::layout::{LAYOUT, Layout, LedgerTable};
pub use self::lease::{Claim, Holder, LEASE_LENGTH, Lease};
pub use self::read::RecordTimes;
pub use self::record::{
    Batches, MigrationRecord, MigrationState, RecordedClass, StatementRecord, StatementState,
};
pub use self::relations::NameTaken;
pub use self::setup::{LedgerSetup, UpgradeDenied, tables_sql};
pub use self::stamp::Stamp;
pub use self::transaction::{FailurePoint, Transaction, TransactionError};
pub use self::unrecorded::{LedgerStatement, UnrecordedRun};
pub use self::write::{MigrationEnd, Write};
