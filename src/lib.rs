//! Terraform provider for Amazon Aurora DSQL schema migrations: the list of its parts.

pub mod formats;
pub mod migration;
pub mod sql;
