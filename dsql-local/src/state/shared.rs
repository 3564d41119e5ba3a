//! What all sessions of a cluster share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::clock::{Clock, Moment};
use super::conflicts::Conflicts;
use super::database::Database;
use super::journal::Journal;
use crate::credentials::Credentials;
use crate::faults::Faults;

pub(crate) struct Shared {
    pub(crate) tls: Arc<rustls::ServerConfig>,
    /// Host name that DSQL would give to the cluster: `<identifier>.dsql.<region>.on.aws`.
    pub(crate) hostname: String,
    pub(crate) region: String,
    pub(crate) credentials: Vec<Credentials>,
    /// Path of PostgreSQL's socket.
    pub(crate) socket: PathBuf,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    /// Number of sessions that have logged in.
    pub(crate) sessions: AtomicUsize,
    pub(crate) conflicts: Conflicts,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) started: Moment,
    pub(crate) database: Database,
}

/// How long transactions and connections may last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) transaction_lifetime: Duration,
    pub(crate) connection_lifetime: Duration,
}

impl Shared {
    pub(crate) fn identifier(&self) -> &str {
        self.hostname.split('.').next().unwrap_or_default()
    }
}
