//! The resource types, one file each, and what they share.

mod adoption;
mod apply;
mod basis;
mod builds;
mod computed;
pub(super) mod counted;
pub(super) mod drift;
mod existing;
mod import;
pub(super) mod location;
pub(super) mod migration;
pub(super) mod migration_set;
pub(super) mod observe;
mod operation;
mod plan_result;
mod planned_drift;
pub(super) mod policy;
pub(super) mod rules;
mod same_text;
pub(super) mod source;
mod state_ledger;
mod steps;
mod unknown_names;
mod upgrade;
mod verify;
mod wait;

/// The set that holds every `dsql_migration` in the ledger.
pub(super) const SINGLE_MIGRATIONS: &str = "dsql_migration";
