//! Turns the files that a format accepts into migrations in order.

use super::error::{FormatError, NameProblem};
use super::listing::{SourceFile, reverts};
use super::read::{self, NamedFile, ReadMigration};

/// A file that is a migration by its name; its text has not been examined yet.
pub(super) struct AcceptedFile<K> {
    /// Orders the files; equal keys are the same version to the tool.
    pub(super) key: K,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) source: SourceFile,
}

/// The files that a format accepts, and an error for each file that it rejects.
pub(super) struct Entries<K> {
    pub(super) accepted: Vec<AcceptedFile<K>>,
    pub(super) errors: Vec<FormatError>,
}

impl<K: Ord> Entries<K> {
    pub(super) fn new() -> Self {
        Self { accepted: Vec::new(), errors: Vec::new() }
    }

    /// Adds one file, or the error that rejects it.
    pub(super) fn push(&mut self, file: Result<AcceptedFile<K>, FormatError>) {
        match file {
            Ok(file) => self.accepted.push(file),
            Err(error) => self.errors.push(error),
        }
    }

    /// Sorts the files by key, rejects equal keys, and reads each text with `read`.
    pub(super) fn migrations(
        self,
        read: impl Fn(&NamedFile<'_>, &str) -> ReadMigration,
    ) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
        let Self { mut accepted, mut errors } = self;
        accepted.sort_by(|a, b| a.key.cmp(&b.key));
        for pair in accepted.windows(2) {
            if let [a, b] = pair
                && a.key == b.key
            {
                errors.push(same_version(&a.source.file, &b.source.file));
            }
        }
        let migrations = accepted.into_iter().map(|accepted| {
            let AcceptedFile { version, description, source, .. } = accepted;
            let named =
                NamedFile { file: &source.file, version: &version, description: &description };
            source.text.map(|text| read(&named, &text))
        });
        read::all_or_errors(errors, migrations.collect())
    }
}

/// The error for two files with the same version. If one of them reverts the other, a number of its
/// own would make it run.
pub(super) fn same_version(first: &str, second: &str) -> FormatError {
    if reverts(second, first) {
        return FormatError::file(second, NameProblem::DownFile);
    }
    if reverts(first, second) {
        return FormatError::file(first, NameProblem::DownFile);
    }
    FormatError::file(second, NameProblem::DuplicateVersion { first: first.to_owned() })
}
