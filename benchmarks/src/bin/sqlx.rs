//! The unmodified command line of sqlx, built from its library, so that cargo alone builds it in
//! the version that the lock file names.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    sqlx::any::install_default_drivers();
    match sqlx_cli::run(sqlx_cli::Opt::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
