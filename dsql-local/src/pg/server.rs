//! A running PostgreSQL with its own data directory, which is removed when the emulator ends in any
//! way.

use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::Access;
use tempfile::TempDir;

use super::PostgresError;
use super::account::Account;
use super::find::Installation;
use super::template::{self, Template};

const WATCHDOG: &str = include_str!("watchdog.sh");

/// Maximum length of the directory's path. The path of a Unix socket has at most 107 bytes on Linux
/// and 103 on macOS, and this one ends with `/socket/.s.PGSQL.5432`.
const MAX_DIR_LENGTH: usize = 80;

/// A file system in memory that every user of a Linux machine can write to.
const MEMORY: &str = "/dev/shm";

/// How much free memory is enough, in bytes. A new cluster takes 15 MB.
const ENOUGH_MEMORY: u64 = 1 << 30;

/// How long the PostgreSQL of a killed emulator may take to release its data.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Server {
    dir: PathBuf,
    /// The directory in which the data is kept.
    kept: Option<PathBuf>,
    watchdog: Child,
    /// Closing it is the signal to stop.
    lifeline: Option<ChildStdin>,
}

impl Server {
    /// Starts the processes. The server accepts connections a little later.
    pub(super) fn start(
        installation: &Installation,
        template: &Template,
        kept: Option<&Path>,
        account: &Account,
    ) -> Result<Self, PostgresError> {
        let kept = kept.map(|dir| KeptData::open(dir, template, account)).transpose()?;
        let (kept, lock) = kept.map_or((None, Stdio::null()), |it| (Some(it.dir), it.lock.into()));
        let parent = temporary_dir(account);
        let dir = TempDir::with_prefix_in("dsql-local-", &parent)
            .map_err(PostgresError::file("create a directory in", &parent))?;
        // Other users may read the CA certificate. The data and the socket are one level below,
        // where others have no access.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755))
            .and_then(|()| account.own(dir.path()))
            .map_err(PostgresError::file("change the permissions of", dir.path()))?;
        let mut watchdog = account
            .command("/bin/sh")
            .args(["-c", WATCHDOG, "dsql-local"])
            .arg(dir.path())
            .arg(template.path())
            .arg(installation.program("postgres"))
            .arg(kept.as_deref().unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(Stdio::null())
            // Ctrl-C in a terminal reaches the whole process group, and the watchdog has to outlive
            // this process.
            .process_group(0)
            .spawn()
            .map_err(PostgresError::file("run", Path::new("/bin/sh")))?;
        let lifeline = watchdog.stdin.take();
        // From here on the watchdog removes the directory.
        Ok(Self { dir: dir.keep(), kept, watchdog, lifeline })
    }

    /// Returns the directory in which the data is kept, or else the one that is removed with the
    /// server.
    pub(crate) fn home(&self) -> &Path {
        self.kept.as_ref().unwrap_or(&self.dir)
    }

    pub(crate) fn socket_dir(&self) -> PathBuf {
        self.dir.join("socket")
    }

    /// Returns the path of the socket itself.
    pub(crate) fn socket(&self) -> PathBuf {
        self.socket_dir().join(".s.PGSQL.5432")
    }

    /// Returns whether PostgreSQL appears to have ended. A server that starts locks its data first
    /// and logs something only after that.
    pub(crate) fn seems_ended(&self) -> bool {
        !self.home().join("data/postmaster.pid").exists() && !self.log().is_empty()
    }

    /// Returns the error for a server that did not accept connections in time.
    pub(crate) fn not_started(&self) -> PostgresError {
        PostgresError::NotStarted { log: self.log().trim().to_owned() }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("postgres.log")).unwrap_or_default()
    }

    /// Stops PostgreSQL and removes its directory. Nothing is left when this returns.
    pub(crate) fn stop(&mut self) {
        self.lifeline = None;
        // The process has ended already or cannot be waited for; in both cases nothing is left to
        // do.
        self.watchdog.wait().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A data directory that outlives the server.
struct KeptData {
    dir: PathBuf,
    lock: File,
}

impl KeptData {
    fn open(dir: &Path, template: &Template, account: &Account) -> Result<Self, PostgresError> {
        fs::create_dir_all(dir).map_err(PostgresError::file("create", dir))?;
        // PostgreSQL runs in another working directory.
        let dir = fs::canonicalize(dir).map_err(PostgresError::file("resolve", dir))?;
        account.own(&dir).map_err(PostgresError::file("change the owner of", &dir))?;
        let path = dir.join("lock");
        let lock = File::create(&path).map_err(PostgresError::file("create", &path))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(PostgresError::InUse { dir }),
                Err(TryLockError::Error(error)) => {
                    return Err(PostgresError::file("lock", &path)(error));
                }
            }
        }
        let data = dir.join("data");
        if data.exists() && !template::was_copied_from(&data, template) {
            return Err(PostgresError::OtherVersion { dir });
        }
        Ok(Self { dir, lock })
    }
}

/// Returns the directory that the user configured for temporary files, unless it is the usual one;
/// otherwise a file system in memory, because a `CREATE TABLE` creates four files, which takes a
/// disk longer than PostgreSQL needs for the statement.
fn temporary_dir(account: &Account) -> PathBuf {
    let usual = Path::new("/tmp");
    let (wanted, memory) = (std::env::temp_dir(), Path::new(MEMORY));
    // Accessible to PostgreSQL's account, and short enough for a socket.
    let is_usable = *account == Account::Own
        && wanted.is_absolute()
        && wanted.as_os_str().len() + "/dsql-local-123456".len() <= MAX_DIR_LENGTH;
    if is_usable && wanted != usual {
        wanted
    } else if has_room(memory, ENOUGH_MEMORY) {
        memory.to_owned()
    } else {
        usual.to_owned()
    }
}

/// Returns whether the path is a writable directory with this much free space. Containers often
/// have only 64 MB of memory there.
fn has_room(dir: &Path, bytes: u64) -> bool {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(dir, access).is_ok()
        && rustix::fs::statvfs(dir).is_ok_and(|it| it.f_bavail * it.f_frsize >= bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_counts_only_in_a_writable_directory() {
        let dir = TempDir::new().expect("a directory");
        assert!(has_room(dir.path(), 1));
        assert!(!has_room(dir.path(), u64::MAX));
        assert!(!has_room(&dir.path().join("missing"), 0));
    }
}
