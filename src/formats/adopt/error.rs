//! Why migrations cannot be adopted from the history table of another tool.

use crate::formats::FormatError;
use crate::migration::fact::QualifiedName;
use crate::migration::{Checksum, Version};

/// A migration that a tool has started and not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRow {
    /// What is recorded, in words that follow the name of the migration.
    pub problem: String,
    /// The statements that correct the history table; `None` if a single one cannot.
    pub settlement: Option<Settlement>,
}

/// Two statements; a person runs one of them. On DSQL, the commands of most tools for this purpose
/// fail, because they need advisory locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// If the work of the migration was completed by hand.
    pub completed: String,
    /// If the work of the migration was reverted, so that it runs again.
    pub reverted: String,
}

impl UnfinishedRow {
    pub(super) fn new(problem: impl Into<String>, completed: String, reverted: String) -> Self {
        let settlement = Some(Settlement { completed, reverted });
        Self { problem: problem.into(), settlement }
    }
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
    },
    /// The history table lists a migration that the directory does not contain.
    #[error("no file for {row}, which {table} records as applied")]
    NoFile {
        /// The history table.
        table: QualifiedName,
        /// The migration as the tool names it.
        row: String,
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
