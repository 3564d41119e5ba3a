//! A running cluster: PostgreSQL, the relay in front of it, and the clock of its jobs.

use std::fmt;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::control;
use crate::credentials::Credentials;
use crate::faults::{Fault, Faults, FiredFault, LoginFault, Matcher, Release, RuleId};
use crate::pg::{self, PostgresError, Server};
use crate::state::clock::Clock;
use crate::state::conflicts::Conflicts;
use crate::state::control::{Control, FiredJobFault, Job};
use crate::state::database::Database;
use crate::state::jobs;
use crate::state::journal::{Journal, LoggedStatement};
use crate::state::shared::{Limits, Shared};
use crate::wire::session;
use crate::wire::tls::{Tls, TlsError};

/// The host name that the certificate is issued for and that clients must connect to, because TLS
/// sends no SNI for an IP address.
const ENDPOINT: &str = "localhost";

/// How long PostgreSQL may take to start on a busy machine.
const STARTUP_PATIENCE: Duration = Duration::from_secs(30);

/// How to run a cluster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Port on the loopback interface; by default a free one.
    pub port: Option<u16>,
    /// Port through which other programs [inject faults](Cluster::inject) and query the state, 0
    /// for a free one; by default none. Anyone who can connect to this port controls the cluster.
    pub control_port: Option<u16>,
    /// AWS region that tokens must be signed for, by default `us-east-1`.
    pub region: String,
    /// Key pairs that may sign tokens, by default [`Credentials::default`]. The first one signs
    /// [`Cluster::token`].
    pub credentials: Vec<Credentials>,
    /// How long an asynchronous job takes, by default 100 milliseconds.
    pub job_delay: Duration,
    /// How long a transaction may last, by default DSQL's 300 seconds.
    pub transaction_lifetime: Duration,
    /// How long a connection may last before the cluster closes it, by default DSQL's 60 minutes.
    pub connection_lifetime: Duration,
    /// Directory in which to keep the data, created if it does not exist. By default the data is
    /// deleted with the cluster.
    pub data_dir: Option<PathBuf>,
    /// Directory with the programs of PostgreSQL 15 to 17. By default they are searched for, and
    /// fetched if none are found.
    pub pg_bin: Option<PathBuf>,
    /// Directory for a fetched PostgreSQL and for initialized data directories, by default the
    /// user's cache directory.
    pub cache_dir: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            control_port: None,
            region: "us-east-1".to_owned(),
            credentials: vec![Credentials::default()],
            job_delay: Duration::from_millis(100),
            transaction_lifetime: Duration::from_secs(300),
            connection_lifetime: Duration::from_secs(60 * 60),
            data_dir: None,
            pg_bin: None,
            cache_dir: None,
        }
    }
}

/// Why a cluster did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No PostgreSQL is available, or it did not start.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The port is in use or not permitted.
    #[error("cannot listen on port {port}")]
    Port {
        /// The requested port, 0 for any free one.
        port: u16,
        /// The error of the operating system.
        source: io::Error,
    },
    /// PostgreSQL rejected a statement that carries out a method of [`Cluster`].
    #[error("PostgreSQL rejected a statement of the cluster")]
    Refused(#[from] tokio_postgres::Error),
    /// No certificate could be created.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificate of the cluster's authority could not be written.
    #[error("cannot write {}", path.display())]
    CaFile {
        /// The file that [`Cluster::ca_file`] would return.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// A local cluster that behaves like Aurora DSQL.
///
/// The cluster ends when this value is dropped, and also when the process is killed: PostgreSQL
/// stops and its data is removed, except in [a directory that you choose](Options::data_dir).
pub struct Cluster {
    control: Control,
    port: u16,
    control_port: Option<u16>,
    ca_file: PathBuf,
    tasks: Vec<JoinHandle<()>>,
    /// The last field, so that the sessions end before PostgreSQL does.
    server: Server,
}

impl Cluster {
    /// Starts a cluster, which is empty unless its data was kept.
    ///
    /// The first start on a machine initializes PostgreSQL and may have to fetch it.
    pub async fn start(options: Options) -> Result<Self, Error> {
        // Ports first, because they are the most likely mistake.
        let (port, listener) = listen(options.port.unwrap_or(0)).await?;
        let control_listener = match options.control_port {
            Some(port) => Some(listen(port).await?),
            None => None,
        };

        let Options { transaction_lifetime, connection_lifetime, .. } = options;
        let limits = Limits { transaction_lifetime, connection_lifetime };
        let Options { pg_bin, cache_dir, data_dir, job_delay, region, credentials, .. } = options;
        let starting = tokio::task::spawn_blocking(move || {
            pg::start(pg_bin.as_deref(), cache_dir.as_deref(), data_dir.as_deref())
        });
        let server = match starting.await {
            Ok(started) => started?,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        let hostname = format!("{}.dsql.{region}.on.aws", identifier(server.home()));
        let tls = Tls::generate(&[ENDPOINT, &hostname])?;
        let ca_file = server.home().join("ca.pem");
        fs::write(&ca_file, &tls.ca_pem)
            .map_err(|source| Error::CaFile { path: ca_file.clone(), source })?;

        let database = Database::connect(&server, STARTUP_PATIENCE)
            .await
            .ok_or_else(|| server.not_started())?;
        let clock = Clock::default();
        let shared = Arc::new(Shared {
            tls: tls.server,
            hostname,
            region,
            credentials,
            socket: server.socket(),
            journal: Journal::default(),
            faults: Faults::default(),
            sessions: AtomicUsize::new(0),
            conflicts: Conflicts::default(),
            limits,
            started: clock.moment(),
            clock,
            database,
        });
        let control = Control::new(Arc::clone(&shared));
        let for_jobs = Arc::clone(&shared);
        let mut tasks = vec![
            tokio::spawn(accept(listener, shared)),
            tokio::spawn(async move { jobs::run(&for_jobs, job_delay).await }),
        ];
        let control_port = control_listener.map(|(port, listener)| {
            tasks.push(tokio::spawn(control::serve(listener, control.clone())));
            port
        });
        Ok(Self { control, port, control_port, ca_file, tasks, server })
    }

    /// Returns the host name to connect to, always `localhost`.
    pub fn endpoint(&self) -> &str {
        ENDPOINT
    }

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the port for control by other programs, if [`Options::control_port`] requested one.
    pub fn control_port(&self) -> Option<u16> {
        self.control_port
    }

    /// Returns the path of the certificate of the cluster's own authority, a PEM file. It is new at
    /// every start and removed with the data.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Returns the host name that DSQL would give to the cluster, `<26
    /// characters>.dsql.<region>.on.aws`.
    ///
    /// The name is not in DNS. A client that can be given the address `127.0.0.1` in addition to
    /// the name may use it instead of [`Cluster::endpoint`]: the certificate covers both.
    pub fn hostname(&self) -> &str {
        self.control.hostname()
    }

    /// Returns a token that this cluster accepts as the password of `user` at its
    /// [endpoint](Self::endpoint) for 15 minutes. Any tool that signs with the cluster's
    /// [credentials](Options::credentials) can create one too.
    ///
    /// A role other than `admin` needs an `AWS IAM GRANT` to the [ARN](Credentials::arn) of the
    /// credentials.
    pub fn token(&self, user: &str) -> String {
        self.control.token(ENDPOINT, user)
    }

    /// Returns a token like [`Cluster::token`], but for [`Cluster::hostname`].
    pub fn hostname_token(&self, user: &str) -> String {
        self.control.token(self.hostname(), user)
    }

    /// Returns all statements received so far, in order.
    pub fn statements(&self) -> Vec<LoggedStatement> {
        self.statements_since(0)
    }

    /// Returns the number of statements received so far.
    pub fn received(&self) -> usize {
        self.control.received()
    }

    /// Returns all statements received so far except the first `first`.
    pub fn statements_since(&self, first: usize) -> Vec<LoggedStatement> {
        self.control.statements_since(first)
    }

    /// Injects a fault into a statement that the matcher selects.
    ///
    /// Each rule fires once, and a statement is offered to the first rule that matches it. A fault
    /// that closes the connection happens even if an earlier statement in the same message fails;
    /// any other fault then remains pending.
    pub fn inject(&self, matcher: Matcher, fault: Fault) -> RuleId {
        self.control.faults().add(matcher, fault)
    }

    /// Injects a fault into the next login that has none yet.
    pub fn fail_login(&self, fault: LoginFault) {
        self.control.faults().add_login_fault(fault);
    }

    /// Returns the number of faults that are pending for logins.
    pub fn waiting_login_faults(&self) -> usize {
        self.control.faults().waiting_login_faults()
    }

    /// Returns the faults that have happened to statements, in order.
    pub fn fired_faults(&self) -> Vec<FiredFault> {
        self.control.faults().fired()
    }

    /// Resumes the statements that [`Fault::HoldBefore`] and [`Fault::HoldAnswer`] hold at this
    /// moment. A statement is held once it appears among the [fired faults](Cluster::fired_faults).
    pub fn release_held(&self) {
        self.control.faults().release(Release::Resume);
    }

    /// Closes the connections whose statements are held at this moment. Statements that have not
    /// run yet never run.
    pub fn close_held(&self) {
        self.control.faults().release(Release::Close);
    }

    /// Returns the rules for statements that have not fired yet, in order.
    pub fn waiting_faults(&self) -> Vec<RuleId> {
        self.control.faults().waiting()
    }

    /// Removes all pending faults, except those for jobs.
    pub fn clear_faults(&self) {
        self.control.faults().clear();
    }

    /// Pauses all jobs, including future ones, until [`Cluster::release_jobs`].
    pub async fn hold_jobs(&self) -> Result<(), Error> {
        Ok(self.control.hold_jobs().await?)
    }

    /// Resumes paused jobs.
    pub async fn release_jobs(&self) -> Result<(), Error> {
        Ok(self.control.release_jobs().await?)
    }

    /// Makes the next job for an index, or the next validation of a table, end as `failed`.
    ///
    /// `object` is the name in the form `schema.name`. The object does not have to exist yet.
    pub async fn fail_job(&self, object: &str, details: &str) -> Result<(), Error> {
        Ok(self.control.fail_job(object, details).await?)
    }

    /// Returns the jobs that failed because of [`Cluster::fail_job`], in the order of those calls.
    pub async fn fired_job_faults(&self) -> Result<Vec<FiredJobFault>, Error> {
        Ok(self.control.fired_job_faults().await?)
    }

    /// Deletes the jobs that have ended, as DSQL does when they are 30 minutes old and another job
    /// is submitted.
    pub async fn purge_jobs(&self) -> Result<(), Error> {
        Ok(self.control.purge_jobs().await?)
    }

    /// Submits an `ANALYZE` of a table, given as `schema.name`, as DSQL does by itself from time to
    /// time.
    pub async fn submit_analyze(&self, table: &str) -> Result<(), Error> {
        Ok(self.control.submit_analyze(table).await?)
    }

    /// Returns all jobs in the order of submission, including those whose ID no client received.
    pub async fn jobs(&self) -> Result<Vec<Job>, Error> {
        Ok(self.control.jobs().await?)
    }

    /// Sets how far the cluster's clock is ahead of the machine's clock, in seconds; a negative
    /// number sets it back.
    ///
    /// The clock affects the expiry of tokens, the progress and deletion of jobs, the age of open
    /// transactions (300 seconds) and connections (60 minutes), and the results of `now()`,
    /// `transaction_timestamp()`, `statement_timestamp()` and `clock_timestamp()`. It does not
    /// affect `timeofday()`, `age(t)`, `'now'`, or keywords such as `CURRENT_TIMESTAMP` and
    /// `CURRENT_DATE`, which PostgreSQL does not look up in its catalog.
    pub async fn skew_clock(&self, seconds: i64) -> Result<(), Error> {
        Ok(self.control.skew_clock(seconds).await?)
    }

    /// Returns the number of sessions that have logged in so far.
    pub fn sessions(&self) -> usize {
        self.control.sessions()
    }

    /// Returns the number of open sessions, including those whose client has disconnected while a
    /// statement is still running.
    pub fn open_sessions(&self) -> usize {
        self.control.open_sessions()
    }

    /// Returns when PostgreSQL has ended unexpectedly. The cluster is then no longer usable.
    pub async fn ended(&self) {
        self.control.ended().await;
    }

    /// Ends all sessions and PostgreSQL, and removes the data. Dropping the cluster does the same,
    /// but blocks the thread.
    pub async fn stop(self) {
        // There is nothing left to do about a panic in there.
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

/// Derives 26 characters that differ for each directory.
fn identifier(dir: &Path) -> String {
    let hash = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let letter =
        |byte: &u8| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(byte % 32)]);
    hash.iter().take(26).map(letter).collect()
}

async fn listen(port: u16) -> Result<(u16, TcpListener), Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .and_then(|listener| Ok((listener.local_addr()?.port(), listener)))
        .map_err(|source| Error::Port { port, source })
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, which ends its sessions.
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((tcp, _)) = accepted {
                    sessions.spawn(session::serve(tcp, Arc::clone(&shared)));
                }
            }
            // A session that ended with an error has lost its client already.
            Some(_) = sessions.join_next() => {}
        }
    }
}
