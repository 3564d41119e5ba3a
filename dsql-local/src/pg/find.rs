//! Which PostgreSQL to use.
//!
//! In this order: the requested directory, 16 from the cache, an installed 16, a fetched 16, an
//! installed 15 or 17. DSQL's own major version is 16, and the others print some things
//! differently.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::PostgresError;
use super::cache::Cache;
use super::fetch;

/// Environment variable that names a directory with PostgreSQL's programs.
const BIN_VARIABLE: &str = "DSQL_LOCAL_PG_BIN";

const WANTED_MAJOR: u32 = 16;

#[derive(Debug)]
pub(super) struct Installation {
    bin: PathBuf,
    version: String,
}

impl Installation {
    fn at(bin: &Path) -> Result<Self, PostgresError> {
        let unusable = |reason: String| PostgresError::Unusable { bin: bin.to_owned(), reason };
        if !bin.join("initdb").exists() {
            return Err(unusable("initdb is missing".to_owned()));
        }
        let output = Command::new(bin.join("postgres"))
            .arg("--version")
            .output()
            .map_err(|error| unusable(error.to_string()))?;
        // For example: postgres (PostgreSQL) 16.14 (Debian ..)
        let printed = String::from_utf8_lossy(&output.stdout);
        let Some(version) = printed.split_whitespace().nth(2).filter(|_| output.status.success())
        else {
            return Err(unusable(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        };
        let found = Self { bin: bin.to_owned(), version: version.to_owned() };
        match found.major() {
            Some(15..=17) => Ok(found),
            _ => Err(unusable(format!("the version is {version}"))),
        }
    }

    fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

pub(super) fn find(asked: Option<&Path>, cache: &Cache) -> Result<Installation, PostgresError> {
    let variable = std::env::var_os(BIN_VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    if let Some(bin) = asked.map(Path::to_owned).or(variable) {
        return Installation::at(&bin);
    }
    if let Some(bin) = fetch::fetched(cache) {
        return Installation::at(&bin);
    }
    let mut installed = installed();
    if let Some(wanted) = installed.iter().position(|found| found.major() == Some(WANTED_MAJOR)) {
        return Ok(installed.swap_remove(wanted));
    }
    match fetch::fetch(cache) {
        Ok(bin) => Installation::at(&bin),
        // A modified archive needs the attention of a person, so nothing else is tried.
        Err(error @ PostgresError::Tampered { .. }) => Err(error),
        Err(missing @ PostgresError::Missing { .. }) => installed.into_iter().next().ok_or(missing),
        Err(error) => installed
            .into_iter()
            .next()
            .ok_or_else(|| PostgresError::Missing { reason: error.to_string() }),
    }
}

fn installed() -> Vec<Installation> {
    let configured = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|dir| PathBuf::from(dir.trim()));
    let usual = [WANTED_MAJOR, 17, 15].into_iter().flat_map(|major| {
        [
            format!("/usr/lib/postgresql/{major}/bin"),
            format!("/usr/pgsql-{major}/bin"),
            format!("/opt/homebrew/opt/postgresql@{major}/bin"),
            format!("/usr/local/opt/postgresql@{major}/bin"),
            format!("/Applications/Postgres.app/Contents/Versions/{major}/bin"),
        ]
        .map(PathBuf::from)
    });
    configured.into_iter().chain(usual).filter_map(|bin| Installation::at(&bin).ok()).collect()
}
