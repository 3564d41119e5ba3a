//! The only place that knows tokio-postgres and the AWS SDK.
//!
//! It connects to a cluster, sends SQL, keeps the ledger tables, reads the catalog and asks for
//! jobs. It knows migrations as data, but not in which order they run or why, and nothing of
//! Terraform.

pub mod catalog;
pub mod connect;
pub mod error;
pub mod jobs;
pub mod ledger;
pub mod retry;
pub mod session;
pub mod target;
mod token;

pub use catalog::{Objects, Snapshot, Watched, schema_of, unquoted};
pub use connect::ConnectError;
pub use error::{Error, Outcome, ServerError};
pub use jobs::{Job, JobId, JobState, ListedJob};
pub use ledger::{
    LedgerSchema, MigrationRecord, MigrationState, NewMigration, Observation, StatementRecord,
    StatementState,
};
pub use session::Session;
pub use target::{Secret, Target};
