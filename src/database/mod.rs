//! Everything that is sent to a cluster or to AWS.
//!
//! It opens sessions, sends SQL, maintains the ledger, and reads the catalog and the jobs. It knows
//! migrations as data, but not in which order they run, nor why; it does not know Terraform. No
//! other part names tokio-postgres or the AWS SDK.

mod aws;
mod builds;
mod catalog;
mod connect;
mod created_tables;
mod error;
mod history_tables;
mod jobs;
mod ledger;
mod ledger_schema;
mod message;
mod observe;
pub mod retry;
mod secret;
mod session;
mod set_names;
mod target;
mod tls;

pub use self::aws::token::new_token;
pub use self::catalog::{
    Aspect, CatalogObject, CatalogRelation, CatalogRelations, DescribedObject, ObjectKind, Objects,
    Snapshot, TablesByName, Watched, privilege, schema_of, unquoted,
};
pub use self::error::{
    CertificateProblem, Condition, ConnectError, Error, LoginRefusal, Outcome, ServerError,
    TokenFacts,
};
pub use self::history_tables::{AdoptedByOther, FoundTables, KnownTable, TableSearch};
pub use self::jobs::{Job, JobId, JobQuestion, JobState, ListedJob};
pub use self::ledger::{
    Batch, Batches, Build, BuildState, Claim, FailurePoint, Holder, LAYOUT, LEASE_LENGTH, Layout,
    Lease, LedgerHeader, LedgerSetup, LedgerState, LedgerStatement, LedgerTable, MigrationEnd,
    MigrationRecord, MigrationState, NameTaken, ReadOnlyReason, RecordTimes, RecordedClass, Stamp,
    StatementRecord, StatementState, Transaction, TransactionError, UnrecordedRun, UpgradeDenied,
    Write, tables_sql,
};
pub use self::ledger_schema::LedgerSchema;
pub use self::message::LEDGER_ROWS_PER_TRANSACTION;
pub use self::observe::{CountedObjects, Observation, ObserveQuery};
pub use self::secret::Secret;
pub use self::session::{Hide, Rows, Session};
pub use self::target::{
    Identity, Naming, Role, RoleSession, Target, WebIdentity, WebToken, endpoint_of, region_of,
};
