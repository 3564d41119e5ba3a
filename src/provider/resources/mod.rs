//! The resource types, one file each, and what they share.

mod adoption;
mod basis;
mod computed;
mod drift;
pub(super) mod migration;
pub(super) mod migration_set;
pub(super) mod policy;
pub(super) mod rules;
pub(super) mod run;
pub(super) mod source;
mod verify;

/// The set that holds every `dsql_migration` in the ledger.
pub(super) const SINGLE_MIGRATIONS: &str = "dsql_migration";
