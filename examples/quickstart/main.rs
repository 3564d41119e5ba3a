//! Shows the main job on an embedded emulator. Needs `terraform` on the PATH, and a Unix system for
//! the emulator.

#![allow(clippy::print_stdout, reason = "this program talks to the person who runs it")]

#[cfg(unix)]
mod demo;

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    demo::run_all().await
}

#[cfg(not(unix))]
fn main() -> std::process::ExitCode {
    eprintln!("The emulator does not run on this operating system.");
    std::process::ExitCode::FAILURE
}
