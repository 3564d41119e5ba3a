//! A data directory that contains DSQL's rules, created once and copied for each cluster.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};

use super::account::Account;
use super::cache::Cache;
use super::find::Installation;
use super::{PostgresError, SUPERUSER};

const BOOTSTRAP: &str =
    concat!(include_str!("../sql/bootstrap.sql"), include_str!("../sql/catalog.sql"));

/// Settings of a server that is never restarted: fast, small and silent.
const SETTINGS: &str = "
listen_addresses = ''
max_connections = 300
shared_buffers = 16MB
huge_pages = off
# So that a killed server leaves no shared memory behind.
dynamic_shared_memory_type = mmap
max_worker_processes = 0
max_wal_senders = 0
wal_level = minimal
fsync = off
full_page_writes = off
synchronous_commit = off
autovacuum = off
jit = off
log_min_messages = fatal
timezone = 'UTC'
default_transaction_isolation = 'repeatable read'
# DSQL never waits for a lock. The relay ends such waits; this is for those that it does not notice.
lock_timeout = 3s
deadlock_timeout = 100ms
# DSQL's limit for a query is 128 MiB.
temp_file_limit = 128MB
";

/// An initialized data directory, which must not be written to.
#[derive(Debug)]
pub(super) struct Template {
    path: PathBuf,
    name: String,
}

/// The file in a data directory that names the template from which it was copied.
const NAME_FILE: &str = "dsql-local-template";

impl Template {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns whether a data directory was copied from this template.
pub(super) fn was_copied_from(data: &Path, template: &Template) -> bool {
    fs::read_to_string(data.join(NAME_FILE)).is_ok_and(|name| name == template.name)
}

/// Returns the template, creating it at first use.
pub(super) fn prepare(
    cache: &Cache,
    installation: &Installation,
    account: &Account,
) -> Result<Template, PostgresError> {
    let mut hash = Sha256::new();
    for part in [BOOTSTRAP, SETTINGS, NAME_FILE, &format!("{account:?}")] {
        hash.update(part);
    }
    let hash = hex::encode(&hash.finalize()[..6]);
    let name = format!("template-{}-{hash}", installation.version());
    let path = cache.entry(&name, |dir| {
        make(installation, account, dir)?;
        let file = dir.join(NAME_FILE);
        fs::write(&file, &name).map_err(PostgresError::file("write", &file))?;
        // The account that runs PostgreSQL copies it.
        account.own(&file).map_err(PostgresError::file("change the owner of", &file))
    })?;
    Ok(Template { path, name })
}

fn make(installation: &Installation, account: &Account, dir: &Path) -> Result<(), PostgresError> {
    account.own(dir).map_err(PostgresError::file("change the owner of", dir))?;
    let initdb = installation.program("initdb");
    let output = account
        .command(&initdb)
        .args(["--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"])
        .args(["--no-sync", "--no-instructions", "--wal-segsize=1", "--pgdata"])
        .arg(dir)
        .output()
        .map_err(PostgresError::file("run", &initdb))?;
    if !output.status.success() {
        return Err(failed("initdb", &output.stderr));
    }
    let conf = dir.join("postgresql.conf");
    fs::OpenOptions::new()
        .append(true)
        .open(&conf)
        .and_then(|mut file| file.write_all(SETTINGS.as_bytes()))
        .map_err(PostgresError::file("write", &conf))?;
    load_bootstrap(installation, account, dir)
}

fn load_bootstrap(
    installation: &Installation,
    account: &Account,
    dir: &Path,
) -> Result<(), PostgresError> {
    let postgres = installation.program("postgres");
    let failed_to_run = || PostgresError::file("run", &postgres);
    let mut child = account
        .command(&postgres)
        .args(["--single", "-j", "-c", "exit_on_error=on", "-c", "log_min_messages=warning", "-D"])
        .arg(dir)
        .arg("postgres")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed_to_run())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A server that has ended reports the reason on its standard error, which is read below.
        stdin.write_all(BOOTSTRAP.as_bytes()).ok();
    }
    let output = child.wait_with_output().map_err(failed_to_run())?;
    if output.status.success() { Ok(()) } else { Err(failed("postgres --single", &output.stderr)) }
}

fn failed(program: &str, stderr: &[u8]) -> PostgresError {
    PostgresError::Failed {
        program: program.to_owned(),
        output: String::from_utf8_lossy(stderr).trim().to_owned(),
    }
}
