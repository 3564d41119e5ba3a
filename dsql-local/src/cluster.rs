//! A running cluster: PostgreSQL, the relay before it, and the clock of its jobs.

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
use crate::faults::{Fault, Faults, FiredFault, LogInFault, Matcher, Release, RuleId};
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
    /// The port for [faults and questions](Cluster::inject) from other programs, 0 for a free one; none if it is not
    /// given. Whoever reaches it rules the cluster.
    pub control_port: Option<u16>,
    /// The region that tokens have to be for; `us-east-1` if it is not set.
    pub region: String,
    /// The keys that sign tokens; [`Credentials::default`] if it is not set. The first ones sign [`Cluster::token`].
    pub credentials: Vec<Credentials>,
    /// How long an asynchronous job takes.
    pub job_delay: Duration,
    /// How long a transaction may live; stands for DSQL's 300 seconds.
    pub transaction_lifetime: Duration,
    /// How long a connection may live before the cluster closes it; stands for DSQL's 60 minutes.
    pub connection_lifetime: Duration,
    /// The directory to keep the data in, made if need be; thrown away with the cluster if it is not given.
    pub data_dir: Option<PathBuf>,
    /// A directory with the programs of PostgreSQL 15 to 17; looked for, and fetched if need be, if it is not given.
    pub pg_bin: Option<PathBuf>,
    /// Where a fetched PostgreSQL and initialised data directories are kept; the user's cache if it is not given.
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
/// It ends when it is dropped, and also when the process is killed: PostgreSQL stops and its data is removed, but for
/// [a directory of your own](Options::data_dir).
pub struct Cluster {
    control: Control,
    port: u16,
    control_port: Option<u16>,
    ca_file: PathBuf,
    tasks: Vec<JoinHandle<()>>,
    /// Last, so that the sessions are told to end before PostgreSQL is.
    server: Server,
}

impl Cluster {
    /// Starts a cluster, a fresh and empty one unless its data was kept. The first one ever on a machine may fetch PostgreSQL, and initialises it.
    pub async fn start(options: Options) -> Result<Self, Error> {
        // First, because it is what a user gets wrong.
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

    /// The host to connect to, `localhost`.
    pub fn endpoint(&self) -> &str {
        ENDPOINT
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port for control from other programs, if it was asked for.
    pub fn control_port(&self) -> Option<u16> {
        self.control_port
    }

    /// The certificate of the cluster's own authority, a PEM file that is new with every start and removed with the data.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The name that DSQL would give to the cluster, `<26 characters>.dsql.<region>.on.aws`.
    ///
    /// No name server knows it. A client that is told the address, `127.0.0.1`, beside the name may use it in place of
    /// [`Cluster::endpoint`]: the certificate is for both.
    pub fn hostname(&self) -> &str {
        self.control.hostname()
    }

    /// A token that this cluster accepts as the password of `user` for fifteen minutes, for its
    /// [endpoint](Self::endpoint). Any tool that signs with the cluster's [credentials](Options::credentials) makes
    /// one as well.
    ///
    /// A role other than `admin` needs an `AWS IAM GRANT` to the [ARN](Credentials::arn) of the credentials.
    pub fn token(&self, user: &str) -> String {
        self.control.token(ENDPOINT, user)
    }

    /// The same for [`Cluster::hostname`].
    pub fn hostname_token(&self, user: &str) -> String {
        self.control.token(self.hostname(), user)
    }

    /// Every statement received so far, in order.
    pub fn statements(&self) -> Vec<LoggedStatement> {
        self.statements_since(0)
    }

    /// How many statements were received so far.
    pub fn received(&self) -> usize {
        self.control.received()
    }

    /// The statements received after the first so many.
    pub fn statements_since(&self, first: usize) -> Vec<LoggedStatement> {
        self.control.statements_since(first)
    }

    /// Makes a fault happen to the statement that the matcher waits for.
    ///
    /// Rules are used up in order: a statement is shown to the first one that fits it. A connection that is to end does
    /// so even if a statement before it in the same message fails; any other fault then waits on.
    pub fn inject(&self, matcher: Matcher, fault: Fault) -> RuleId {
        self.control.faults().add(matcher, fault)
    }

    /// Makes a fault happen to the next log-in that has none yet.
    pub fn fail_log_in(&self, fault: LogInFault) {
        self.control.faults().add_login_fault(fault);
    }

    /// How many faults wait for a log-in.
    pub fn waiting_log_in_faults(&self) -> usize {
        self.control.faults().waiting_login_faults()
    }

    /// The faults that have happened to statements, in order.
    pub fn fired_faults(&self) -> Vec<FiredFault> {
        self.control.faults().fired()
    }

    /// Lets the statements go on that [`Fault::HoldBefore`] and [`Fault::HoldAnswer`] hold now. A statement is held once
    /// it is among the [fired faults](Cluster::fired_faults).
    pub fn release_held(&self) {
        self.control.faults().release(Release::Resume);
    }

    /// Ends the connections whose statements are held now: those that were not run never are.
    pub fn close_held(&self) {
        self.control.faults().release(Release::Close);
    }

    /// The rules for statements that have not fired yet, in order.
    pub fn waiting_faults(&self) -> Vec<RuleId> {
        self.control.faults().waiting()
    }

    /// Drops the faults that have not happened yet, but for those of jobs.
    pub fn clear_faults(&self) {
        self.control.faults().clear();
    }

    /// Lets every job stand where it is, also those to come, until [`Cluster::release_jobs`].
    pub async fn hold_jobs(&self) -> Result<(), Error> {
        Ok(self.control.hold_jobs().await?)
    }

    /// Lets held jobs go on.
    pub async fn release_jobs(&self) -> Result<(), Error> {
        Ok(self.control.release_jobs().await?)
    }

    /// Makes the next job for an index, or the next validation on a table, end as `failed`.
    ///
    /// `object` is its name as `schema.name`; the object need not exist yet.
    pub async fn fail_job(&self, object: &str, details: &str) -> Result<(), Error> {
        Ok(self.control.fail_job(object, details).await?)
    }

    /// The jobs that have failed because of [`Cluster::fail_job`], in the order of those calls.
    pub async fn fired_job_faults(&self) -> Result<Vec<FiredJobFault>, Error> {
        Ok(self.control.fired_job_faults().await?)
    }

    /// Forgets the jobs that have ended, as DSQL does when they are thirty minutes old and another is submitted.
    pub async fn purge_jobs(&self) -> Result<(), Error> {
        Ok(self.control.purge_jobs().await?)
    }

    /// Submits an `ANALYZE` of a table, given as `schema.name`, as DSQL does now and then on its own.
    pub async fn submit_analyze(&self, table: &str) -> Result<(), Error> {
        Ok(self.control.submit_analyze(table).await?)
    }

    /// All jobs in the order of their submission, also those whose id nobody was told.
    pub async fn jobs(&self) -> Result<Vec<Job>, Error> {
        Ok(self.control.jobs().await?)
    }

    /// Sets how far the cluster's clock is ahead of this machine's, in seconds; negative is behind.
    ///
    /// Tokens are checked by it, jobs run and are forgotten, transactions (300 seconds) and connections (60 minutes) age,
    /// those that are open included; and `now()`, `transaction_timestamp()`, `statement_timestamp()` and
    /// `clock_timestamp()` tell it. The keywords `CURRENT_TIMESTAMP`, `CURRENT_DATE` and so on, which PostgreSQL looks up
    /// nowhere, `timeofday()`, `age(t)` and `'now'` keep to the machine's clock.
    pub async fn skew_clock(&self, seconds: i64) -> Result<(), Error> {
        Ok(self.control.skew_clock(seconds).await?)
    }

    /// How many sessions have logged in so far.
    pub fn sessions(&self) -> usize {
        self.control.sessions()
    }

    /// How many sessions there are now: also those whose client has gone, as long as they are at work.
    pub fn open_sessions(&self) -> usize {
        self.control.open_sessions()
    }

    /// Returns when PostgreSQL has ended on its own; what remains of the cluster then is of no use.
    pub async fn ended(&self) {
        self.control.ended().await;
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

/// 26 characters, another one for each directory.
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
