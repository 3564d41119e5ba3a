//! The resource types, one file each, and what they share.

mod computed;
pub(super) mod migration;
pub(super) mod migration_set;
mod run;
