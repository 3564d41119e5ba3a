//! Why migrations cannot be adopted from the history table of another tool.

use super::UnfinishedRow;
use crate::formats::FormatError;
use crate::migration::fact::QualifiedName;
use crate::migration::{Checksum, Version};

/// A file with the version of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFile {
    /// The file as written in the configuration.
    pub file: String,
    /// Its version.
    pub version: Version,
    /// The checksum that the provider would record.
    pub found: Checksum,
}

/// One reason. Nothing has been written.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The tool started a migration and did not finish it.
    #[error("{table} records that {row} {}", unfinished.problem)]
    Unfinished {
        /// The history table.
        table: QualifiedName,
        /// The migration as the tool names it.
        row: String,
        /// What is recorded.
        unfinished: UnfinishedRow,
        /// Whether the directory contains its file.
        has_file: bool,
    },
    /// The history table lists a migration that the directory does not contain.
    #[error("no file for {row}, which {table} records as applied")]
    NoFile {
        /// The history table.
        table: QualifiedName,
        /// The migration as the tool names it.
        row: String,
        /// Whether the row has the version of the file.
        has_version: bool,
    },
    /// The file differs from the one that the tool ran, according to the tool's own checksum.
    #[error("{file} does not match the checksum in {table}")]
    Changed {
        /// The history table.
        table: QualifiedName,
        /// The file as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
        /// The checksum that the provider would record.
        found: Checksum,
        /// The migration as the tool names it, if only the name of its file has changed.
        renamed_from: Option<String>,
    },
    /// The file with the version of a row has another name than the row.
    #[error(
        "{table} records {row}, {}",
        of_version.as_ref().map_or("and no file has this version".to_owned(), |it| {
            format!("but the file with this version, {}, has another name", it.file)
        })
    )]
    OtherName {
        /// The history table.
        table: QualifiedName,
        /// The migration as the tool names it.
        row: String,
        /// The file with the version of the row.
        of_version: Option<RecordedFile>,
        /// The file with the name of the row, as written in the configuration.
        of_name: Option<String>,
        /// The statement that gives the row the version of that file.
        correction: Option<String>,
    },
    /// The history table lists a migration that the directory does not contain, and a pending file
    /// has the text that the tool ran, according to its checksum.
    #[error("{table} records {row}, which has no file, and {file} has the same text")]
    Moved {
        /// The history table.
        table: QualifiedName,
        /// The migration as the tool names it.
        row: String,
        /// The file as written in the configuration.
        file: String,
        /// The statement that gives the row the version of the file.
        correction: String,
    },
    /// Rows that have no meaning, or that contradict each other.
    #[error("{table}: {problem}")]
    Contradiction {
        /// The history table.
        table: QualifiedName,
        /// What is wrong.
        problem: String,
    },
    /// A file could be read before, but not again.
    #[error("cannot read a file again to compare its checksum")]
    File(#[source] FormatError),
    /// A file has changed since it was read as a migration.
    #[error("{file} changed while it was being read")]
    ChangedDuringRead {
        /// The file as written in the configuration.
        file: String,
    },
}
