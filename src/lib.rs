//! Terraform provider for Amazon Aurora DSQL schema migrations.
//!
//! Requests flow in one direction: `transport → provider → engine → database`. `ARCHITECTURE.md`
//! describes the parts and which of them may name which.

pub mod chain;
pub mod database;
pub mod diagnostic;
pub mod engine;
pub mod formats;
pub mod migration;
pub mod provider;
pub mod schema;
pub mod sql;
pub mod transport;
pub mod value;
