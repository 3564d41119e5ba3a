//! The directory that keeps a fetched PostgreSQL and the initialised templates between runs.
//!
//! Entries appear whole or not at all: they are made beside their place and renamed into it, under a lock that other
//! processes respect.

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

    /// The entry `name`; if it is absent, `make` fills a fresh directory that then takes its place.
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
        // Another process may have made it while this one waited.
        if path.exists() {
            return Ok(path);
        }

        let scratch = TempDir::with_prefix_in("new-", &self.root)
            .map_err(PostgresError::file("create a directory in", &self.root))?;
        let content = scratch.path().join("content");
        fs::create_dir(&content).map_err(PostgresError::file("create", &content))?;
        // The account that runs PostgreSQL need not be the one that owns the cache.
        fs::set_permissions(scratch.path(), Permissions::from_mode(0o755))
            .map_err(PostgresError::file("open up", scratch.path()))?;
        make(&content)?;
        fs::rename(&content, &path).map_err(PostgresError::file("create", &path))?;
        Ok(path)
    }

    pub(super) fn existing(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join(name)).filter(|path| path.exists())
    }
}

/// Root's home is closed to `nobody`, so root has the system's cache.
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
