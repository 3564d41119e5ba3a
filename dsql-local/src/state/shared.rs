//! What all sessions of a cluster share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Notify;

use super::journal::Journal;

pub(crate) struct Shared {
    pub(crate) tls: Arc<rustls::ServerConfig>,
    /// PostgreSQL's socket.
    pub(crate) socket: PathBuf,
    pub(crate) journal: Journal,
    /// How many sessions have logged in.
    pub(crate) sessions: AtomicUsize,
    pub(crate) jobs_submitted: Notify,
}
