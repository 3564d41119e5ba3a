//! The only place that knows tokio-postgres and the AWS SDK.
//!
//! It connects to a cluster, sends SQL, keeps the ledger tables, reads the catalog and asks for
//! jobs. It knows migrations as data, but not in which order they run or why, and nothing of
//! Terraform.

mod array;
mod authorities;
pub mod catalog;
pub mod connect;
mod control_plane;
pub mod error;
pub mod facts;
mod https;
mod identity;
pub mod jobs;
pub mod lease;
pub mod ledger;
mod message;
pub mod retry;
pub mod session;
mod tables;
pub mod target;
mod token;

pub use catalog::{Objects, Snapshot, Watched, schema_of, unquoted};
pub use connect::{CertificateProblem, ConnectError, Refused};
pub use error::{Error, Outcome, ServerError};
pub use identity::{Identity, Role, RoleSession, WebIdentity, WebToken};
pub use jobs::{Job, JobId, JobQuestion, JobState, ListedJob};
pub use lease::{Claim, Holder, Lease};
pub use ledger::{
    Batch, Batches, FailurePoint, Group, LedgerSchema, MigrationRecord, MigrationState,
    Observation, Stamp, StatementRecord, StatementState, TransactionError, Write,
};
pub use retry::pause_before;
pub use session::{Hide, Session};
pub use target::{Naming, Secret, Target, endpoint_of, region_of};
pub use token::{TokenFacts, new_token};
