//! Runs cargo to write files that are generated.

use std::path::Path;
use std::process::Command;

use crate::Result;

/// Writes the generated parts of `docs/`.
pub(crate) fn docs(root: &Path) -> Result<()> {
    cargo(root, &["test", "--test", "docs"], Some(("UPDATE_DOCS", "1")))
}

/// Writes the expected plans. Needs what the end-to-end tests need.
pub(crate) fn snapshots(root: &Path) -> Result<()> {
    cargo(root, &["test", "--test", "e2e", "plan_output"], Some(("INSTA_UPDATE", "always")))
}

/// Formats all code, because the length of a name decides about line breaks around it.
pub(crate) fn format_code(root: &Path) -> Result<()> {
    cargo(root, &["fmt", "--all"], None)
}

fn cargo(root: &Path, arguments: &[&str], variable: Option<(&str, &str)>) -> Result<()> {
    let status =
        Command::new(env!("CARGO")).args(arguments).envs(variable).current_dir(root).status()?;
    let command = arguments.join(" ");
    if status.success() { Ok(()) } else { Err(format!("cargo {command}: {status}").into()) }
}
