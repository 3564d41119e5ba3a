//! What all sessions of a cluster share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::clock::Clock;
use super::database::Database;
use super::journal::Journal;
use crate::credentials::Credentials;
use crate::faults::Faults;

pub(crate) struct Shared {
    pub(crate) tls: Arc<rustls::ServerConfig>,
    /// The name that DSQL would give to the cluster: `<identifier>.dsql.<region>.on.aws`.
    pub(crate) hostname: String,
    pub(crate) region: String,
    pub(crate) credentials: Vec<Credentials>,
    /// PostgreSQL's socket.
    pub(crate) socket: PathBuf,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    /// How many sessions have logged in.
    pub(crate) sessions: AtomicUsize,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
}

impl Shared {
    pub(crate) fn identifier(&self) -> &str {
        self.hostname.split('.').next().unwrap_or_default()
    }
}
