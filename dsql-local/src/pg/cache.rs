//! The directory that keeps a fetched PostgreSQL and the initialized templates between runs.
//!
//! An entry appears completely or not at all: it is created next to its final path and then
//! renamed, under a lock that other processes respect.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::PostgresError;
use super::account::Account;

pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(super) fn open(dir: Option<&Path>, account: &Account) -> Result<Self, PostgresError> {
        let root = dir.map_or_else(|| default_dir(account), Path::to_owned);
        fs::create_dir_all(&root).map_err(PostgresError::file("create", &root))?;
        Ok(Self { root })
    }

    /// Returns the path of the entry `name`. If the entry does not exist, `make` fills a new
    /// directory that becomes the entry.
    pub(super) fn entry(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), PostgresError>,
    ) -> Result<PathBuf, PostgresError> {
        let path = self.root.join(name);
        if path.exists() {
            return Ok(path);
        }
        let lock = self.root.join("lock");
        let file = File::create(&lock).map_err(PostgresError::file("create", &lock))?;
        file.lock().map_err(PostgresError::file("lock", &lock))?;
        // Another process may have created it while this one waited.
        if path.exists() {
            return Ok(path);
        }

        let scratch = TempDir::with_prefix_in("new-", &self.root)
            .map_err(PostgresError::file("create a directory in", &self.root))?;
        let content = scratch.path().join("content");
        fs::create_dir(&content).map_err(PostgresError::file("create", &content))?;
        // The account that runs PostgreSQL may be another one than the owner of the cache.
        fs::set_permissions(scratch.path(), Permissions::from_mode(0o755))
            .map_err(PostgresError::file("change the permissions of", scratch.path()))?;
        make(&content)?;
        fs::rename(&content, &path).map_err(PostgresError::file("create", &path))?;
        Ok(path)
    }

    pub(super) fn existing(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join(name)).filter(|path| path.exists())
    }
}

/// Returns the default cache directory. For root it is a system directory, because `nobody` cannot
/// read root's home directory.
fn default_dir(account: &Account) -> PathBuf {
    let user = || {
        let absolute = |dir: &PathBuf| dir.is_absolute();
        std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(absolute)
            .or_else(|| Some(std::env::home_dir()?.join(".cache")).filter(absolute))
            .unwrap_or_else(std::env::temp_dir)
    };
    match account {
        Account::Own => user(),
        Account::Nobody { .. } => PathBuf::from("/var/cache"),
    }
    .join("dsql-local")
}
