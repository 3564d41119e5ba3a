//! Reads the arguments and the environment, builds the provider, and serves it to Terraform.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use terraform_provider_dsql::chain::chain;
use terraform_provider_dsql::provider::contract::Provider;
use terraform_provider_dsql::provider::{DsqlProvider, Environment};
use terraform_provider_dsql::transport::{self, HandshakeEnvironment, ServeError, log};
use tokio::runtime::Runtime;

const HELP: &str = "\
Terraform provider for Amazon Aurora DSQL schema migrations.

Terraform starts this program. To use it, require the provider in a configuration:

    terraform {
      required_providers {
        dsql = { source = \"dsql-migrate/dsql\" }
      }
    }

Usage: terraform-provider-dsql [OPTION]

Options:
  --debug    Run in the foreground and print TF_REATTACH_PROVIDERS, which makes Terraform
             attach to this process. Press Ctrl-C to stop it.
  --version  Print the version.
  --help     Print this help.
";

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{}", chain(&error));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run());
    // A thread that reads a file may never end.
    runtime.shutdown_background();
    ended
}

async fn run() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let serving = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve(false).await,
        ["--debug" | "-debug"] => serve(true).await,
        ["--version" | "-V"] => {
            return print(concat!("terraform-provider-dsql ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        ["--help" | "-h"] => return print(HELP),
        _ => {
            eprintln!("unknown arguments: {}\n\n{HELP}", arguments.join(" "));
            return ExitCode::from(2);
        }
    };
    match serving {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn serve(debug: bool) -> Result<(), ServeError> {
    let var = |name: &str| std::env::var(name).ok();
    log::install_panic_hook();
    log::install(log::level(var));
    let handshake = HandshakeEnvironment::from_vars(var);
    let provider: Arc<dyn Provider> =
        Arc::new(DsqlProvider::new(Environment::new(var, host_name())));
    if debug {
        transport::serve_for_debugging(provider, handshake).await
    } else {
        transport::serve(provider, handshake).await
    }
}

/// The name of this machine, for people who find the lease of an apply. Shells rarely export it.
#[cfg(unix)]
fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
