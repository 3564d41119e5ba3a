//! The commands for contributors. `cargo xtask` lists them.

#![allow(clippy::print_stdout, reason = "this program prints for the person who runs it")]

mod changes;
mod edit;
mod format;
mod generate;
mod hazard;
mod name;
#[cfg(test)]
mod stubs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use changes::Changes;
use name::Name;

type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

const USAGE: &str = "\
Usage: cargo xtask <command>

  docs                Write the generated parts of docs/.
  snapshots           Write the expected plans in tests/e2e/snapshots/.
  new-hazard <name>   Add a hazard, for example drop_table.
  new-format <name>   Add a directory format, for example golang-migrate.
";

/// Marks text that a contributor has to replace. A test fails while any is left.
const MARK: &str = "TODO(stub)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["docs"] => root().and_then(|root| generate::docs(&root)),
        ["snapshots"] => root().and_then(|root| generate::snapshots(&root)),
        ["new-hazard", name] => add(name, &hazard::NEW),
        ["new-format", name] => add(name, &format::NEW),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A kind of stub: the changes that add it, and what to do afterward.
struct Stub {
    changes: fn(&Path, &Name) -> Result<Changes>,
    next_steps: fn(&Name) -> String,
}

/// Writes a stub and prints the next steps.
fn add(name: &str, stub: &Stub) -> Result<()> {
    let root = root()?;
    let name = Name::parse(name)?;
    let changes = (stub.changes)(&root, &name)?;
    changes.write()?;
    generate::format_code(&root)?;
    for path in changes.paths() {
        println!("wrote {path}");
    }
    println!("\nNext steps:\n\n{}", (stub.next_steps)(&name));
    Ok(())
}

/// Finds the root of the repository from the current directory.
fn root() -> Result<PathBuf> {
    let current = std::env::current_dir()?;
    let root = current.ancestors().find(|path| path.join("xtask/Cargo.toml").is_file());
    root.map(Path::to_owned).ok_or_else(|| "run cargo xtask inside the repository".into())
}
