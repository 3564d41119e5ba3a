//! Planning and execution. Knows nothing of Terraform.
//!
//! [`plan()`] is a pure function of the migrations and of what the database says about them;
//! [`apply()`] carries a plan out, one recorded step after the other; [`adoption`] judges what
//! was applied before the provider came; [`drift`] compares the schema as the last run left it with
//! the schema as it is.

pub mod adoption;
pub mod apply;
mod batch;
pub mod budget;
pub mod cluster;
mod doubt;
pub mod drift;
mod heartbeat;
mod jobs;
pub mod plan;
mod run;
mod script;
mod skip;
pub mod step;
pub mod verdict;

pub use apply::{ApplyError, Report, apply};
pub use budget::{Budget, BudgetEnd};
pub use cluster::{Cluster, SetOnCluster};
pub use plan::{ExecOrder, Plan, PlanError, PlannedMigration, Policy, Reason, Status, plan};
pub use step::{StatementError, StatementFailure};
pub use verdict::{Verdict, verdict};
