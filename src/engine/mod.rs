//! Planning and execution, without any knowledge of Terraform.
//!
//! [`plan()`] is a pure function of the migrations and their records in the ledger; [`apply()`]
//! carries out a plan and records each step; [`adoption`] adopts migrations that were applied
//! before the provider was used; [`drift`] compares the schema as the last run left it with the
//! schema now.

pub mod adoption;
mod after_baseline;
mod apply;
mod budget;
mod cluster;
mod comparison;
pub mod difference;
pub mod drift;
mod error;
mod executor;
mod existing;
mod expected;
mod heartbeat;
mod judge;
mod observe;
mod plan;
mod printed;
mod record;
mod unknown_names;
mod verdict;

pub use after_baseline::unseen_after;
pub use apply::{apply, has_writes};
pub use budget::{Budget, BudgetEnd};
pub use cluster::{Cluster, SetOnCluster};
pub use error::{ApplyError, Report, RolledBack, StatementError, StatementFailure};
pub use executor::WaitForJobs;
pub use existing::{
    ExistingDefinition, ExistingObject, compare_existing, created_objects, existing_objects,
    repeated_objects,
};
pub use judge::judge;
pub use observe::observe;
pub use plan::{
    ExecOrder, KeptStatement, Plan, PlanError, PlannedMigration, Policy, Reason, Status, compare,
    plan, renames,
};
pub use unknown_names::{UnknownName, created_relations, referenced_relations, unknown_names};
pub use verdict::Verdict;
