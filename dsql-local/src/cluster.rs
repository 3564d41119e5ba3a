//! A running cluster: PostgreSQL, the relay before it, and the clock of its jobs.

mod control;

pub use control::{FiredJobFault, Job};

use std::fmt;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::faults::{Fault, Faults, FiredFault, Matcher, RuleId};
use crate::pg::{self, PostgresError, Server};
use crate::state::clock::Clock;
use crate::state::conflicts::Conflicts;
use crate::state::database::Database;
use crate::state::jobs;
use crate::state::journal::{Journal, LoggedStatement};
use crate::state::shared::{Limits, Shared};
use crate::wire::tls::{Tls, TlsError};
use crate::wire::{session, token};

/// The name that the certificate is for, and that clients have to connect to: an address sends no SNI.
const ENDPOINT: &str = "localhost";

/// How long PostgreSQL may take to start on a busy machine.
const STARTUP_PATIENCE: Duration = Duration::from_secs(30);

/// How to run a cluster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The port on the loopback interface; a free one if it is not given.
    pub port: Option<u16>,
    /// How long an asynchronous job takes.
    pub job_delay: Duration,
    /// How long a transaction may live; stands for DSQL's 300 seconds.
    pub transaction_lifetime: Duration,
    /// How long a connection may live before the cluster closes it; stands for DSQL's 60 minutes.
    pub connection_lifetime: Duration,
    /// A directory with the programs of PostgreSQL 15 to 17; looked for, and fetched if need be, if it is not given.
    pub pg_bin: Option<PathBuf>,
    /// Where a fetched PostgreSQL and initialised data directories are kept; the user's cache if it is not given.
    pub cache_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let job_delay = Duration::from_millis(100);
        Self {
            port: None,
            job_delay,
            transaction_lifetime: Duration::from_secs(300),
            connection_lifetime: Duration::from_secs(60 * 60),
            pg_bin: None,
            cache_dir: None,
        }
    }
}

/// Why a cluster did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no PostgreSQL, or it did not start.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The port is in use, or may not be used.
    #[error("cannot listen on port {port}")]
    Port {
        /// The port, or 0 for a free one.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// PostgreSQL has not done what a test has asked of it.
    #[error("the cluster's PostgreSQL has refused")]
    Refused(#[from] tokio_postgres::Error),
    /// There is no certificate to offer.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificate of the cluster's authority could not be written.
    #[error("cannot write {}", path.display())]
    CaFile {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A local cluster that answers as Aurora DSQL does.
///
/// It ends when it is dropped, and also when the process is killed: PostgreSQL stops and its data is removed.
pub struct Cluster {
    shared: Arc<Shared>,
    port: u16,
    ca_file: PathBuf,
    tasks: [JoinHandle<()>; 2],
    /// Last, so that the sessions are told to end before PostgreSQL is.
    server: Server,
}

impl Cluster {
    /// Starts a fresh, empty cluster. The first one ever on a machine may fetch PostgreSQL, and initialises it.
    pub async fn start(options: Options) -> Result<Self, Error> {
        // First, because it is what a user gets wrong.
        let port = options.port.unwrap_or(0);
        let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        let (port, listener) = listening.map_err(|source| Error::Port { port, source })?;

        let Options { transaction_lifetime, connection_lifetime, .. } = options;
        let limits = Limits { transaction_lifetime, connection_lifetime };
        let Options { pg_bin, cache_dir, job_delay, .. } = options;
        let starting =
            tokio::task::spawn_blocking(move || pg::start(pg_bin.as_deref(), cache_dir.as_deref()));
        let server = match starting.await {
            Ok(started) => started?,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        let tls = Tls::generate(ENDPOINT)?;
        let ca_file = server.dir().join("ca.pem");
        fs::write(&ca_file, &tls.ca_pem)
            .map_err(|source| Error::CaFile { path: ca_file.clone(), source })?;

        let database = Database::connect(&server.socket_dir(), STARTUP_PATIENCE)
            .await
            .ok_or_else(|| server.not_started())?;
        let shared = Arc::new(Shared {
            tls: tls.server,
            socket: server.socket(),
            journal: Journal::default(),
            faults: Faults::default(),
            sessions: AtomicUsize::new(0),
            conflicts: Conflicts::default(),
            limits,
            clock: Clock::default(),
            database,
        });
        let for_clock = Arc::clone(&shared);
        let tasks = [
            tokio::spawn(accept(listener, Arc::clone(&shared))),
            tokio::spawn(async move { jobs::run(&for_clock.database, job_delay).await }),
        ];
        Ok(Self { shared, port, ca_file, tasks, server })
    }

    /// The host to connect to, `localhost`.
    pub fn endpoint(&self) -> &str {
        ENDPOINT
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the cluster's own authority, a PEM file that is removed with the cluster.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// A token that this cluster accepts as the password of `user` for fifteen minutes.
    pub fn token(&self, user: &str) -> String {
        token::example(ENDPOINT, user)
    }

    /// Every statement received so far, in order.
    pub fn statements(&self) -> Vec<LoggedStatement> {
        self.shared.journal.snapshot()
    }

    /// Makes a fault happen to the statement that the matcher waits for.
    ///
    /// Rules are used up in order: a statement is shown to the first one that fits it. A connection that is to end does
    /// so even if a statement before it in the same message fails; any other fault then waits on.
    pub fn inject(&self, matcher: Matcher, fault: Fault) -> RuleId {
        self.shared.faults.add(matcher, fault)
    }

    /// The faults that have happened, in order.
    pub fn fired_faults(&self) -> Vec<FiredFault> {
        self.shared.faults.fired()
    }

    /// The rules that have not fired yet, in order.
    pub fn waiting_faults(&self) -> Vec<RuleId> {
        self.shared.faults.waiting()
    }

    /// Drops the rules that have not fired yet.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// How many sessions have logged in so far.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::SeqCst)
    }

    /// Ends all sessions and PostgreSQL, and removes the data; dropping does the same, but blocks the thread for it.
    pub async fn stop(self) {
        // A panic in there leaves nothing to be done about it here.
        tokio::task::spawn_blocking(move || drop(self)).await.ok();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.server.stop();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and its sessions with it.
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((tcp, _)) = accepted {
                    sessions.spawn(session::serve(tcp, Arc::clone(&shared)));
                }
            }
            // A session that ended with an error has lost its client, who knows already.
            Some(_) = sessions.join_next() => {}
        }
    }
}
