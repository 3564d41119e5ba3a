//! Terraform provider for Amazon Aurora DSQL schema migrations.
//!
//! The way of data is one direction: `transport → provider → engine → database → sql`; see
//! `ARCHITECTURE.md`.

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
