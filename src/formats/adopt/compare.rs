//! Compares the rows of a history table with the files of a migration set.
//!
//! The comparison is the same for all tools. Each tool defines how it names a row and which file
//! the row is for.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{Key, SetFiles};
use super::{AdoptError, Question, RecordedFile, UnfinishedRow};
use crate::migration::fact::QualifiedName;
use crate::migration::{Migration, MigrationKind, Version};

/// The migrations that a history table lists.
pub(super) struct HistoryContents {
    /// A key for each file of the directory, in the order of the files.
    pub(super) keys: Vec<Option<Key>>,
    pub(super) rows: Vec<HistoryRow>,
    /// All files up to this key are applied, even without a row.
    pub(super) up_to: Option<Key>,
    /// The repeatable migrations that the tool has run with their present text.
    pub(super) unchanged: Vec<Version>,
    /// Whether the tool never runs a file that precedes the last applied one.
    pub(super) skips: bool,
    /// Columns of unknown meaning.
    pub(super) unknown_columns: Vec<String>,
    /// Rows as the tool names them, whose files only their text shows, each with its file.
    pub(super) by_text: Vec<(String, usize)>,
}

/// A migration that a history table lists.
pub(super) struct HistoryRow {
    /// Index of its file.
    pub(super) file: Option<usize>,
    pub(super) key: Key,
    /// The migration as the tool names it.
    pub(super) shown: String,
    pub(super) state: HistoryState,
    /// If it has no file, the files with the text that has run, each with the statement that gives
    /// the row their version.
    pub(super) same_text: Vec<(usize, String)>,
}

/// The state that a history table records for a migration.
pub(super) enum HistoryState {
    Applied(ChecksumMatch),
    /// Started and not finished.
    Unfinished(UnfinishedRow),
    /// Applied, under another name than that of the file with its version.
    OtherName(OtherName),
}

/// The file that has the name in a row, under another version than that of the row.
pub(super) struct OtherName {
    /// The file as written in the configuration, if there is one.
    pub(super) file: Option<String>,
    /// The statement that gives the row the version of this file.
    pub(super) correction: Option<String>,
}

/// Whether the tool's checksum is that of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChecksumMatch {
    /// It is, or the tool stores no checksum.
    Same,
    Different,
    /// It covers the name of the file, and is that of the same text under the name in the row.
    OtherName,
    /// It is not, or the difference is in an earlier file that the checksum covers as well.
    DifferentOrAfter,
}

impl ChecksumMatch {
    /// Whether its file is reported. A difference that is reported already explains later ones.
    fn differs(self, has_accepted: bool) -> bool {
        match self {
            Self::Same => false,
            Self::Different | Self::OtherName => true,
            Self::DifferentOrAfter => has_accepted,
        }
    }
}

impl From<bool> for ChecksumMatch {
    fn from(same: bool) -> Self {
        if same { Self::Same } else { Self::Different }
    }
}

impl HistoryContents {
    /// An empty history; `keys` are those of the files.
    pub(super) fn new(keys: Vec<Option<Key>>) -> Self {
        let (rows, unchanged) = (Vec::new(), Vec::new());
        let (unknown_columns, by_text) = (Vec::new(), Vec::new());
        Self { keys, rows, up_to: None, unchanged, skips: false, unknown_columns, by_text }
    }

    /// The index of the file with this key.
    pub(super) fn find(&self, key: &Key) -> Option<usize> {
        self.keys.iter().position(|file| file.as_ref() == Some(key))
    }

    /// Adds a row for the file with this key.
    pub(super) fn add(&mut self, key: Key, shown: String, state: HistoryState) {
        let file = self.find(&key);
        self.rows.push(HistoryRow { file, key, shown, state, same_text: Vec::new() });
    }

    /// Finds the files with the text of the row that was added last, if it has no file.
    pub(super) fn find_text(
        &mut self,
        files: &SetFiles<'_>,
        has_text: impl Fn(usize) -> bool,
        correction: impl Fn(&Migration) -> String,
    ) {
        let is_moved = |row: &&mut HistoryRow| {
            row.file.is_none() && matches!(row.state, HistoryState::Applied(_))
        };
        if let Some(row) = self.rows.last_mut().filter(is_moved) {
            let same = files.migrations.iter().enumerate().filter(|(file, _)| has_text(*file));
            row.same_text = same.map(|(file, it)| (file, correction(it))).collect();
        }
    }
}

/// The migrations of a directory that a history table lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Versions that are applied according to the history table and that the ledger does not list.
    pub applied: BTreeSet<Version>,
    /// Those of them that have no row of their own.
    pub without_row: BTreeSet<Version>,
    /// Files that the tool has skipped and will never run, as written in the configuration.
    pub skipped: Vec<String>,
    /// Columns that may say that a migration is not applied, and whose meaning is unknown.
    pub unknown_columns: Vec<String>,
    /// The applied migrations whose files have the text that was run and another name and time than
    /// their rows, each with its file.
    pub by_text: Vec<String>,
}

/// The files and rows that a baseline or `removed_versions` covers.
struct Coverage<'a> {
    /// Index of the file of `baseline_version`.
    baseline: Option<usize>,
    /// The keys up to which rows need no file.
    keys: Vec<&'a Key>,
    /// The key up to which the table was compared before: rows up to it need no file, and files up
    /// to it need a row.
    compared: Option<&'a Key>,
    /// Versions whose rows need no file: they were removed on purpose, or the ledger lists them.
    explained: Vec<&'a Version>,
}

impl<'a> Coverage<'a> {
    fn new(
        contents: &'a HistoryContents,
        files: &SetFiles<'_>,
        question: &'a Question<'_>,
    ) -> Self {
        let index = |version: &Version| files.migrations.iter().position(|m| m.version == *version);
        let baseline = question.baseline.and_then(index);
        let baseline_key = baseline.and_then(|file| contents.keys[file].as_ref());
        // A baseline at the beginning of the directory replaces the rows before its own.
        let is_baseline = |file: usize| files.migrations[file].kind == MigrationKind::Baseline;
        let own = contents.rows.iter().find(|row| row.file.is_some_and(is_baseline));
        let keys = baseline_key.into_iter().chain(own.map(|row| &row.key)).collect();
        let adopted = files.migrations.iter().zip(&contents.keys);
        let adopted = adopted.filter(|(file, _)| question.adopted.contains(&file.version));
        let compared = adopted.filter_map(|(_, key)| key.as_ref()).max();
        let explained = question.removed.iter().chain(question.known.iter().copied()).collect();
        Self { baseline, keys, compared, explained }
    }

    /// Whether a file counts as applied even if it is unfinished.
    fn file(&self, file: usize) -> bool {
        self.baseline.is_some_and(|baseline| file <= baseline)
    }

    /// Whether the table was compared up to this key before.
    fn is_compared(&self, key: &Key) -> bool {
        self.compared.is_some_and(|last| key <= last)
    }

    /// Whether a row with this key needs no file.
    fn row(&self, key: &Key) -> bool {
        let is_it = |text: &str| {
            Key::number(text).as_ref() == Some(key) || *key == Key::Name(text.to_owned())
        };
        self.is_replaced(key) || self.explained.iter().any(|version| is_it(&version.0))
    }

    /// Whether a baseline replaces the file of a row with this key, or did so before.
    fn is_replaced(&self, key: &Key) -> bool {
        self.keys.iter().any(|last| key <= last) || self.is_compared(key)
    }
}

/// Finds the versions that are applied.
///
/// # Errors
///
/// Every row that does not agree with the files.
pub(super) fn compare(
    table: &QualifiedName,
    contents: &HistoryContents,
    files: &SetFiles<'_>,
    question: &Question<'_>,
) -> Result<Comparison, Vec<AdoptError>> {
    let coverage = Coverage::new(contents, files, question);
    let is_open = |migration: &Migration| !question.known.contains(&migration.version);
    let mut comparison = Comparison::default();
    let mut errors = Vec::new();
    // After an accepted difference, a checksum that covers it says nothing about its own file.
    let mut has_accepted = false;
    for row in &contents.rows {
        let migration = row.file.map(|file| &files.migrations[file]);
        let moved = moved(row, contents, files, &coverage, question);
        match (&row.state, migration) {
            (state, Some(migration)) if !is_open(migration) => {
                has_accepted |= matches!(state, HistoryState::Applied(ChecksumMatch::Different));
            }
            (HistoryState::Unfinished(_) | HistoryState::OtherName(_), Some(_))
                if row.file.is_some_and(|file| coverage.file(file)) => {}
            (HistoryState::Unfinished(_), None) if has_run(&row.key, question) => {}
            (HistoryState::Unfinished(unfinished), _) => {
                errors.push(not_finished(table, row, unfinished, files));
            }
            (HistoryState::Applied(_) | HistoryState::OtherName(_), None)
                if coverage.row(&row.key) && moved.is_none() => {}
            (HistoryState::OtherName(_), Some(migration))
                if question.accepted.contains(&migration.version) =>
            {
                comparison.applied.insert(migration.version.clone());
            }
            (HistoryState::OtherName(other), _) => {
                errors.push(other_name(table, row, migration, other));
            }
            (HistoryState::Applied(_), None) => {
                errors.push(
                    moved.map_or_else(|| no_file(table, row), |it| renumbered(table, row, it)),
                );
            }
            (HistoryState::Applied(checksum), Some(migration)) => {
                // The text of a baseline differs from that of the migration with its version.
                let may_differ = migration.kind == MigrationKind::Baseline
                    || question.accepted.contains(&migration.version);
                let differs = checksum.differs(has_accepted);
                has_accepted |= differs && may_differ;
                if differs && !may_differ {
                    errors.push(changed(table, row, migration, *checksum));
                }
                comparison.applied.insert(migration.version.clone());
            }
        }
    }
    errors.extend(shared_files(table, contents, files, question));
    comparison.unknown_columns.clone_from(&contents.unknown_columns);
    let unchanged = contents.unchanged.iter().filter(|version| !question.known.contains(version));
    comparison.applied.extend(unchanged.cloned());
    comparison.by_text = by_text(contents, files, &comparison.applied);
    let open = files.migrations.iter().zip(&contents.keys).filter(|(file, key)| {
        is_open(file) && !key.as_ref().is_some_and(|key| coverage.is_compared(key))
    });
    add_files_without_rows(&mut comparison, contents, open);
    if errors.is_empty() { Ok(comparison) } else { Err(errors) }
}

/// The applied migrations whose files only their text shows.
fn by_text(
    contents: &HistoryContents,
    files: &SetFiles<'_>,
    applied: &BTreeSet<Version>,
) -> Vec<String> {
    let found = contents.by_text.iter().map(|(row, file)| (row, &files.migrations[*file]));
    let found = found.filter(|(_, migration)| applied.contains(&migration.version));
    found.map(|(row, migration)| format!("{row}: {}", migration.file)).collect()
}

/// The pending file that has the text of a row without a file, and the correction of the row.
fn moved<'a>(
    row: &'a HistoryRow,
    contents: &HistoryContents,
    files: &SetFiles<'a>,
    coverage: &Coverage<'_>,
    question: &Question<'_>,
) -> Option<(&'a Migration, &'a str)> {
    let is_pending = |file: usize| {
        let has_row = contents.rows.iter().any(|row| row.file == Some(file));
        !has_row
            && !coverage.file(file)
            && !question.known.contains(&files.migrations[file].version)
    };
    let mut same = row.same_text.iter().filter(|_| !coverage.is_replaced(&row.key));
    let (file, correction) = same.find(|(file, _)| is_pending(*file))?;
    Some((&files.migrations[*file], correction))
}

fn renumbered(
    table: &QualifiedName,
    row: &HistoryRow,
    (migration, correction): (&Migration, &str),
) -> AdoptError {
    AdoptError::Moved {
        table: table.clone(),
        row: row.shown.clone(),
        file: migration.file.clone(),
        correction: correction.to_owned(),
    }
}

/// Whether the provider itself has run the migration with this name since.
fn has_run(key: &Key, question: &Question<'_>) -> bool {
    let mut own = question.known.iter().filter(|version| !question.adopted.contains(*version));
    own.any(|version| *key == Key::Name(version.0.clone()))
}

fn not_finished(
    table: &QualifiedName,
    row: &HistoryRow,
    unfinished: &UnfinishedRow,
    files: &SetFiles<'_>,
) -> AdoptError {
    let is_it = |file: &Migration| row.key == Key::Name(file.version.0.clone());
    AdoptError::Unfinished {
        table: table.clone(),
        row: row.shown.clone(),
        unfinished: unfinished.clone(),
        has_file: row.file.is_some() || files.repeatable.iter().any(is_it),
    }
}

fn no_file(table: &QualifiedName, row: &HistoryRow) -> AdoptError {
    // Drizzle records a time and, since 1.0, a name, which `removed_versions` cannot name.
    let has_version = !matches!(row.key, Key::Time(_));
    AdoptError::NoFile { table: table.clone(), row: row.shown.clone(), has_version }
}

fn changed(
    table: &QualifiedName,
    row: &HistoryRow,
    migration: &Migration,
    checksum: ChecksumMatch,
) -> AdoptError {
    AdoptError::Changed {
        table: table.clone(),
        file: migration.file.clone(),
        version: migration.version.clone(),
        found: migration.checksum.clone(),
        renamed_from: (checksum == ChecksumMatch::OtherName).then(|| row.shown.clone()),
    }
}

fn other_name(
    table: &QualifiedName,
    row: &HistoryRow,
    migration: Option<&Migration>,
    other: &OtherName,
) -> AdoptError {
    AdoptError::OtherName {
        table: table.clone(),
        row: row.shown.clone(),
        of_version: migration.map(|it| RecordedFile {
            file: it.file.clone(),
            version: it.version.clone(),
            found: it.checksum.clone(),
        }),
        of_name: other.file.clone(),
        correction: other.correction.clone(),
    }
}

/// The errors about different migrations in the table that are for one file.
fn shared_files(
    table: &QualifiedName,
    contents: &HistoryContents,
    files: &SetFiles<'_>,
    question: &Question<'_>,
) -> Vec<AdoptError> {
    let mut rows: BTreeMap<usize, &str> = BTreeMap::new();
    let mut errors = Vec::new();
    for row in &contents.rows {
        let Some(file) = row.file else { continue };
        let migration = &files.migrations[file];
        let counts = match row.state {
            HistoryState::Applied(_) => true,
            HistoryState::OtherName(_) => question.accepted.contains(&migration.version),
            HistoryState::Unfinished(_) => false,
        };
        if !counts {
            continue;
        }
        let first = *rows.entry(file).or_insert(&row.shown);
        if first != row.shown && !question.known.contains(&migration.version) {
            let problem = format!(
                "{first} and {} are two migrations, and both are for {}",
                row.shown, migration.file
            );
            errors.push(AdoptError::Contradiction { table: table.clone(), problem });
        }
    }
    errors
}

/// Adds the files that are applied without a row, and those that the tool has skipped.
fn add_files_without_rows<'a>(
    comparison: &mut Comparison,
    contents: &HistoryContents,
    open: impl Iterator<Item = (&'a Migration, &'a Option<Key>)>,
) {
    let last = contents.rows.iter().map(|row| &row.key).max();
    for (migration, key) in open {
        let Some(key) = key else { continue };
        if contents.up_to.as_ref().is_some_and(|up_to| key <= up_to) {
            if comparison.applied.insert(migration.version.clone()) {
                comparison.without_row.insert(migration.version.clone());
            }
        } else if contents.skips
            && last.is_some_and(|last| key < last)
            && !comparison.applied.contains(&migration.version)
        {
            comparison.skipped.push(migration.file.clone());
        }
    }
}
