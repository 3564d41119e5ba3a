//! The resource types, one file each, and what they share.

mod computed;
pub(super) mod migration;
pub(super) mod migration_set;
mod rules;
mod run;

/// The set that holds every `dsql_migration` in the ledger.
const SINGLE_MIGRATIONS: &str = "dsql_migration";
