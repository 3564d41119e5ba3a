//! Planning and execution. Knows nothing of Terraform.
//!
//! [`plan()`] is a pure function of the migrations and of what the database says about them;
//! [`apply()`] carries a plan out, one recorded step after the other; [`adoption`] judges what
//! was applied before the provider came; [`drift`] compares the schema as the last run left it with
//! the schema as it is.

pub mod adoption;
mod apply;
mod budget;
mod cluster;
pub mod drift;
mod error;
mod executor;
mod heartbeat;
mod plan;
mod record;
mod verdict;

pub use apply::apply;
pub use budget::{Budget, BudgetEnd};
pub use cluster::{Cluster, SetOnCluster};
pub use error::{ApplyError, Report, StatementError, StatementFailure};
pub use plan::{ExecOrder, Plan, PlanError, PlannedMigration, Policy, Reason, Status, plan};
pub use verdict::{Verdict, verdict};
