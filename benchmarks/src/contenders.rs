//! One run of one contender on a cluster of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dsql_local::{Cluster, Fault, Job, Matcher, Options};
use serde_json::json;

use crate::measure::{self, Usage};
use crate::migrations::Migrations;
use crate::proxy::{Proxy, Traffic};
use crate::terraform::{Failure, Provider};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Provider,
    Sqlx,
    Psql,
}

impl Contender {
    pub(crate) const ALL: [Self; 3] = [Self::Provider, Self::Sqlx, Self::Psql];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Sqlx => "sqlx",
            Self::Psql => "psql",
        }
    }
}

/// Where their binaries are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) provider: PathBuf,
    pub(crate) sqlx: PathBuf,
    pub(crate) psql: PathBuf,
}

/// What a run has cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContenderRun {
    /// Time from the start of the program until it exits.
    pub(crate) wall: Duration,
    /// The part of it after all statements were answered; only the provider waits for the index
    /// builds, and records the schema.
    pub(crate) builds: Duration,
    pub(crate) usage: Usage,
    /// What the proxy has seen, if there was a delay and so a proxy.
    pub(crate) traffic: Option<Traffic>,
    /// How many statements the cluster has received.
    pub(crate) statements: usize,
}

/// Runs a contender and checks what it leaves.
///
/// On DSQL the end of an index build causes a conflict in the current transaction, and neither sqlx
/// nor psql repeats it. So all builds are held until the contender has sent everything.
pub(crate) async fn run(
    contender: Contender,
    programs: &Programs,
    migrations: &Migrations,
    delay: Duration,
) -> Result<ContenderRun, Failure> {
    let mut options = Options::default();
    options.job_delay = Duration::ZERO;
    let cluster = Arc::new(Cluster::start(options).await?);
    cluster.hold_jobs().await?;
    let proxy = if delay.is_zero() {
        None
    } else {
        let there = Arc::downgrade(&cluster);
        let logged_in = move || there.upgrade().is_some_and(|cluster| cluster.sessions() > 0);
        Some(Proxy::start(cluster.port(), delay, logged_in)?)
    };
    let port = proxy.as_ref().map_or(cluster.port(), Proxy::port);

    let directory = tempfile::tempdir()?;
    let usage = directory.path().join("usage");
    let mut command = measure::measuring(&usage)?;
    let began = Instant::now();
    let mut builds = Duration::ZERO;
    match contender {
        Contender::Provider => {
            command
                .arg(&programs.provider)
                .env("DSQL_ENDPOINT", cluster.endpoint())
                .env("DSQL_PORT", port.to_string())
                .env("DSQL_CA_FILE", cluster.ca_file())
                .env("DSQL_TOKEN", cluster.token("admin"));
            let released = release_at_first_look(&cluster);
            let applied = async {
                let mut provider = Provider::start(command.into()).await?;
                provider.apply(&[("dir", json!(migrations.provider))]).await?;
                provider.shut_down().await
            };
            let (mut applied, mut released) = (std::pin::pin!(applied), std::pin::pin!(released));
            // A provider that stops before it asks for its builds never asks.
            builds = tokio::select! {
                ended = &mut applied => {
                    ended?;
                    return Err("the builds were not waited for".into());
                }
                released = &mut released => {
                    applied.await?;
                    released?.elapsed()
                }
            };
        }
        Contender::Sqlx => {
            let url = format!(
                "postgres://admin@{}:{port}/postgres?sslmode=verify-full&sslrootcert={}",
                cluster.endpoint(),
                cluster.ca_file().display()
            );
            command
                .arg(&programs.sqlx)
                .args(["migrate", "run", "--no-dotenv", "--database-url", &url, "--source"])
                .arg(&migrations.sqlx)
                .env("PGPASSWORD", cluster.token("admin"));
            finish(command).await?;
        }
        Contender::Psql => {
            let mut psql = psql(command, &programs.psql, &cluster, port);
            psql.args(["--set", "ON_ERROR_STOP=1", "--file"]).arg(&migrations.psql);
            finish(psql).await?;
        }
    }
    let wall = began.elapsed();
    let (traffic, statements) = (proxy.as_ref().map(Proxy::traffic), cluster.statements().len());
    cluster.release_jobs().await?;
    while cluster.jobs().await?.iter().any(is_running) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    check(&programs.psql, &cluster, migrations, directory.path()).await?;
    let usage = measure::read(&usage)?;
    drop(proxy);
    if let Some(cluster) = Arc::into_inner(cluster) {
        cluster.stop().await;
    }
    Ok(ContenderRun { wall, builds, usage, traffic, statements })
}

/// Lets the builds continue when the provider asks for them the first time: it has sent everything
/// then. Says when that was.
async fn release_at_first_look(cluster: &Cluster) -> Result<Instant, Failure> {
    cluster.inject(Matcher::containing("INDEX_BUILD"), Fault::HoldBefore);
    while cluster.fired_faults().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let now = Instant::now();
    cluster.release_jobs().await?;
    cluster.release_held();
    Ok(now)
}

fn is_running(job: &Job) -> bool {
    job.status == "submitted" || job.status == "processing"
}

/// psql as a program to measure, or for itself.
fn psql(mut command: Command, psql: &Path, cluster: &Cluster, port: u16) -> Command {
    let target = format!(
        "host={} port={port} user=admin dbname=postgres sslmode=verify-full sslrootcert={}",
        cluster.endpoint(),
        cluster.ca_file().display()
    );
    command.arg(psql).args(["--no-psqlrc", "--quiet", "--dbname", &target]);
    command.env("PGPASSWORD", cluster.token("admin"));
    command
}

/// Runs a program whose output is of no interest unless it fails.
async fn finish(command: Command) -> Result<Vec<u8>, Failure> {
    let mut command = tokio::process::Command::from(command);
    let output = command.stdin(Stdio::null()).output().await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = [output.stdout, output.stderr].concat();
    Err(format!("{:?} failed:\n{}", command.as_std(), String::from_utf8_lossy(&text)).into())
}

/// Compares rows and catalog with what the migrations have to leave.
async fn check(
    program: &Path,
    cluster: &Cluster,
    migrations: &Migrations,
    directory: &Path,
) -> Result<(), Failure> {
    let questions = directory.join("questions.sql");
    std::fs::write(&questions, migrations.questions())?;
    let mut psql = psql(Command::new("env"), program, cluster, cluster.port());
    psql.args(["--tuples-only", "--no-align", "--file"]).arg(&questions);
    let found = String::from_utf8(finish(psql).await?)?;
    let expected = migrations.outcome();
    if found == expected {
        return Ok(());
    }
    let mut lines = found.lines().zip(expected.lines()).filter(|(found, wanted)| found != wanted);
    Err(format!("what is there is not what has to be: {:?}", lines.next()).into())
}
