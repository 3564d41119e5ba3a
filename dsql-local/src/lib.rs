//! A local emulator of Aurora DSQL for tests and trials: a relay in front of a real PostgreSQL 16
//! that refuses statements and responds as DSQL does, with its error texts and SQLSTATEs.
//!
//! ```no_run
//! # async fn example() -> Result<(), dsql_local::Error> {
//! let cluster = dsql_local::Cluster::start(dsql_local::Options::default()).await?;
//! let (host, port, ca_file) = (cluster.endpoint(), cluster.port(), cluster.ca_file());
//! let password = cluster.token("admin");
//! # let _ = (host, port, ca_file, password);
//! // Connect with TLS to the database `postgres`.
//! cluster.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! PostgreSQL is found on the machine, or fetched once with `npm` or `pip`. Transactions, errors,
//! catalogs and both query protocols are PostgreSQL's own. DSQL's rules are triggers and functions
//! inside it, and the relay rewrites the few statements that PostgreSQL does not have.
//!
//! The emulator shares no code with the provider that it tests, so that an error in one of the two
//! cannot hide in the other.

mod cluster;
mod control;
mod credentials;
mod faults;
mod pg;
mod rules;
mod state;
mod wire;

pub use cluster::{Cluster, Error, Options};
pub use credentials::Credentials;
pub use faults::{Fault, FiredFault, InvalidRegex, LoginFault, Matcher, RuleId};
pub use pg::PostgresError;
pub use state::control::{FiredJobFault, Job};
pub use state::journal::{LoggedStatement, Outcome};
pub use wire::tls::TlsError;
