//! From the files that a format has accepted to migrations in order.

use super::FormatError;
use super::listing::SourceFile;
use super::read::Named;
use crate::migration::Migration;

/// A file that counts, before its text is looked at.
pub(super) struct AcceptedFile<K> {
    /// Its place in the order; equal keys are the same version to the tool.
    pub(super) key: K,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) source: SourceFile,
}

/// What a format makes of a list of files: those that count, and an error for each other one.
pub(super) struct Entries<K> {
    pub(super) accepted: Vec<AcceptedFile<K>>,
    pub(super) errors: Vec<FormatError>,
}

impl<K: Ord> Entries<K> {
    pub(super) fn new() -> Self {
        Self { accepted: Vec::new(), errors: Vec::new() }
    }

    /// Takes what a format says of one file; `None` is a file that does not go forward.
    pub(super) fn push(&mut self, judged: Result<Option<AcceptedFile<K>>, FormatError>) {
        match judged {
            Ok(entry) => self.accepted.extend(entry),
            Err(error) => self.errors.push(error),
        }
    }

    /// Sorts by key, refuses equal ones, and reads every text with `read`.
    pub(super) fn migrations(
        self,
        read: impl Fn(&Named<'_>, &str) -> Result<Migration, FormatError>,
    ) -> Result<Vec<Migration>, Vec<FormatError>> {
        let Self { mut accepted, mut errors } = self;
        accepted.sort_by(|a, b| a.key.cmp(&b.key));
        for pair in accepted.windows(2) {
            if let [a, b] = pair
                && a.key == b.key
            {
                let (first, second) = (a.source.file.clone(), b.source.file.clone());
                errors.push(FormatError::DuplicateVersion { first, second });
            }
        }
        let mut migrations = Vec::new();
        for AcceptedFile { version, description, source, .. } in accepted {
            let named = Named { file: &source.file, version: &version, description: &description };
            match source.text.and_then(|text| read(&named, &text)) {
                Ok(migration) => migrations.push(migration),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(migrations) } else { Err(errors) }
    }
}
