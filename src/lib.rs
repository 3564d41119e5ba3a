//! Terraform provider for Amazon Aurora DSQL schema migrations.
//!
//! The way of data is one direction: `transport → provider → engine → database → sql`; see
//! `ARCHITECTURE.md`.

pub mod database;
pub mod engine;
pub mod formats;
pub mod migration;
pub mod sql;
