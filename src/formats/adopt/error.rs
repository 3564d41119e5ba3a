//! Why the ledger of another tool cannot be taken over.

use super::super::FormatError;
use crate::migration::fact::QualifiedName;
use crate::migration::{Checksum, Version};

/// One reason; nothing has been written.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The tool began a migration and did not end it.
    #[error("{table} says that {row} {problem}")]
    Unfinished {
        /// The ledger.
        table: QualifiedName,
        /// The row, as the tool names the migration.
        row: String,
        /// What it says, in words that follow the row.
        problem: String,
    },
    /// The ledger has a migration that the directory does not have.
    #[error("no file for {row}, which {table} says is applied")]
    NoFile {
        /// The ledger.
        table: QualifiedName,
        /// The row, as the tool names the migration.
        row: String,
    },
    /// The file is not the one that the tool has run, by the tool's own checksum.
    #[error("{file} is not the text that {table} says was applied")]
    Changed {
        /// The ledger.
        table: QualifiedName,
        /// File as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
        /// The checksum that the provider would record.
        found: Checksum,
    },
    /// Rows that cannot be understood, or that contradict each other.
    #[error("{table}: {problem}")]
    Contradiction {
        /// The ledger.
        table: QualifiedName,
        /// What is wrong.
        problem: String,
    },
    /// A file could not be read again.
    #[error("a file could not be read again for its checksum")]
    File(#[source] FormatError),
    /// A file has changed since it was read a moment ago.
    #[error("{file} has just been changed")]
    ChangedDuringRead {
        /// File as written in the configuration.
        file: String,
    },
}
