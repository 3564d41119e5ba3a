//! Measures a program in a small process that starts it and does nothing else.
//!
//! Linux counts the memory of the process that forks into the peak of its child. This
//! process holds the emulator; a new process of the same binary is smaller than any contender.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

/// The word on the command line that makes this binary start a program and measure it.
pub(crate) const MEASURE: &str = "measure";

/// The resources that a program has used when it exits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// CPU time, user and system.
    pub(crate) cpu: Duration,
    /// The most memory that was resident, in bytes.
    pub(crate) peak: u64,
}

/// The program and arguments that measure another program and its arguments, which follow. Standard
/// input, output and error are that program's.
pub(crate) fn measuring(usage: &Path) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(MEASURE).arg(usage);
    Ok(command)
}

/// Starts a program, waits until it exits, and writes the resources that it used.
pub(crate) fn measure(arguments: &[String]) -> io::Result<ExitCode> {
    let [usage, program, arguments @ ..] = arguments else {
        return Err(io::Error::other("measure <file> <program> [<argument>…]"));
    };
    let status = Command::new(program).args(arguments).status()?;
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let written = json!({
        "cpu_us": micros(used.user_time()) + micros(used.system_time()),
        "peak_kib": used.max_rss(),
    });
    fs::write(usage, written.to_string())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the resources that [`measure`] wrote.
pub(crate) fn read(usage: &Path) -> io::Result<Usage> {
    let written: Value = serde_json::from_slice(&fs::read(usage)?)?;
    let number = |key: &str| written[key].as_u64().ok_or_else(|| io::Error::other("no usage"));
    Ok(Usage { cpu: Duration::from_micros(number("cpu_us")?), peak: number("peak_kib")? << 10 })
}
