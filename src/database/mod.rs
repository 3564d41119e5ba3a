//! The only place that knows tokio-postgres and the AWS SDK.
//!
//! It connects to a cluster, sends SQL, keeps the ledger tables, reads the catalog and asks for
//! jobs. It knows migrations as data, but not in which order they run or why, and nothing of
//! Terraform.

pub mod catalog;
pub mod connect;
pub mod error;
pub mod facts;
pub mod jobs;
pub mod lease;
pub mod ledger;
pub mod retry;
mod script;
pub mod session;
mod tables;
pub mod target;
mod token;

pub use catalog::{Objects, Snapshot, Watched, schema_of, unquoted};
pub use connect::ConnectError;
pub use error::{Error, Outcome, ServerError};
pub use jobs::{Job, JobId, JobQuestion, JobState, ListedJob};
pub use lease::{Claim, Holder, Lease};
pub use ledger::{
    Group, Interrupted, LedgerSchema, MigrationRecord, MigrationState, Observation, Place, Stamp,
    StatementRecord, StatementState, Write,
};
pub use retry::pause_before;
pub use session::Session;
pub use target::{Secret, Target};
