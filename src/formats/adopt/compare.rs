//! Three lists from rows and files: what is in both, rows without file, files without row.
//!
//! The same for all tools; what a row is called, and which file it means, each tool says itself.

use std::collections::BTreeSet;

use super::files::{Key, SetFiles};
use super::{AdoptError, Question};
use crate::migration::fact::QualifiedName;
use crate::migration::{Migration, MigrationKind, Version};

/// What a ledger says.
pub(super) struct HistoryContents {
    /// A key for each file of the directory, in its order.
    pub(super) keys: Vec<Option<Key>>,
    pub(super) rows: Vec<HistoryRow>,
    /// All files up to this one are applied, also without a row.
    pub(super) up_to: Option<Key>,
    /// Whether the tool never runs a file that comes before the last applied one.
    pub(super) skips: bool,
}

/// A migration that the ledger names.
pub(super) struct HistoryRow {
    /// The file that it means.
    pub(super) file: Option<usize>,
    pub(super) key: Key,
    /// As the tool names the migration.
    pub(super) shown: String,
    pub(super) state: HistoryState,
}

/// What the ledger says of it.
pub(super) enum HistoryState {
    /// Applied, as far as a checksum tells with the text of the file.
    Applied(ChecksumMatch),
    /// Begun and not ended, in words that follow the row.
    Unfinished(String),
}

/// What the tool's checksum says of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChecksumMatch {
    /// It is what was run, or there is nothing to compare.
    Same,
    Other,
}

impl From<bool> for ChecksumMatch {
    fn from(same: bool) -> Self {
        if same { Self::Same } else { Self::Other }
    }
}

impl HistoryContents {
    /// Rows that are to be found by their keys.
    pub(super) fn new(keys: Vec<Option<Key>>) -> Self {
        Self { keys, rows: Vec::new(), up_to: None, skips: false }
    }

    /// The file with this key.
    pub(super) fn find(&self, key: &Key) -> Option<usize> {
        self.keys.iter().position(|file| file.as_ref() == Some(key))
    }

    /// Adds a row, with the file of its key.
    pub(super) fn add(&mut self, key: Key, shown: String, state: HistoryState) {
        let file = self.find(&key);
        self.rows.push(HistoryRow { file, key, shown, state });
    }
}

/// What of a directory a ledger knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Versions that are applied according to the ledger, and of which the provider's own ledger
    /// knows nothing.
    pub applied: BTreeSet<Version>,
    /// SetFiles that the tool has passed over and will never run, as written in the configuration.
    pub skipped: Vec<String>,
    /// Rows without file that the baseline stands for.
    pub covered: Vec<String>,
}

pub(super) fn compare(
    table: &QualifiedName,
    contents: &HistoryContents,
    files: &SetFiles<'_>,
    question: &Question<'_>,
) -> Result<Comparison, Vec<AdoptError>> {
    let Question { known, accepted, removed, baseline, .. } = *question;
    let index = |version: &Version| files.migrations.iter().position(|m| m.version == *version);
    let baseline = baseline.and_then(index);
    let covers_file = |file: usize| baseline.is_some_and(|baseline| file <= baseline);
    let baseline_key = baseline.and_then(|file| contents.keys[file].as_ref());
    // A baseline that begins the directory stands for the rows before its own.
    let is_baseline = |file: usize| files.migrations[file].kind == MigrationKind::Baseline;
    let own =
        contents.rows.iter().find(|row| row.file.is_some_and(is_baseline)).map(|row| &row.key);
    let is_removed = |key: &Key| {
        let mut removed = removed.iter().map(|version| &version.0);
        removed
            .any(|text| Key::number(text).as_ref() == Some(key) || *key == Key::Name(text.clone()))
    };
    let covers_key = |key: &Key| {
        [baseline_key, own].into_iter().flatten().any(|last| key <= last) || is_removed(key)
    };
    let is_open = |migration: &Migration| !known.contains(&migration.version);

    let mut comparison = Comparison::default();
    let mut errors = Vec::new();
    let last = contents.rows.iter().map(|row| &row.key).max();
    for row in &contents.rows {
        let migration = row.file.map(|file| &files.migrations[file]);
        match (&row.state, migration) {
            (_, Some(migration)) if !is_open(migration) => {}
            (HistoryState::Unfinished(_), Some(_)) if row.file.is_some_and(covers_file) => {}
            (HistoryState::Unfinished(problem), _) => errors.push(AdoptError::Unfinished {
                table: table.clone(),
                row: row.shown.clone(),
                problem: problem.clone(),
            }),
            (HistoryState::Applied(_), None) if covers_key(&row.key) => {
                comparison.covered.push(row.shown.clone());
            }
            (HistoryState::Applied(_), None) => {
                let (table, row) = (table.clone(), row.shown.clone());
                errors.push(AdoptError::NoFile { table, row });
            }
            (HistoryState::Applied(text), Some(migration)) => {
                // A baseline is another text than the migration whose version it has.
                let may_differ = migration.kind == MigrationKind::Baseline
                    || accepted.contains(&migration.version);
                if *text == ChecksumMatch::Other && !may_differ {
                    errors.push(AdoptError::Changed {
                        table: table.clone(),
                        file: migration.file.clone(),
                        version: migration.version.clone(),
                        found: migration.checksum.clone(),
                    });
                }
                comparison.applied.insert(migration.version.clone());
            }
        }
    }
    for (migration, key) in files.migrations.iter().zip(&contents.keys) {
        let Some(key) = key.as_ref().filter(|_| is_open(migration)) else { continue };
        if contents.up_to.as_ref().is_some_and(|up_to| key <= up_to) {
            comparison.applied.insert(migration.version.clone());
        } else if contents.skips
            && last.is_some_and(|last| key < last)
            && !comparison.applied.contains(&migration.version)
        {
            comparison.skipped.push(migration.file.clone());
        }
    }
    if errors.is_empty() { Ok(comparison) } else { Err(errors) }
}
