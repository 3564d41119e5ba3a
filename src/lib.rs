//! Terraform provider for Amazon Aurora DSQL schema migrations.
//!
//! The binary is in `main.rs`; the parts are here so that tests can use them.

pub mod diagnostic;
/// What Terraform may ask of this provider, and the answers.
pub mod provider {
    pub mod contract;
}
pub mod schema;
pub mod transport;
pub mod value;
