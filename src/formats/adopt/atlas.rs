//! `atlas_schema_revisions`: a row for each file, with the hash that `atlas.sum` had for it when it
//! was executed.
//!
//! The hash covers all files up to and including its own that were in the directory then. With
//! `--exec-order non-linear` or `linear-skip`, earlier files may have been added since.

use std::collections::BTreeMap;

use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::files::{Key, SetFiles, file_name};
use super::{AdoptError, UnfinishedRow};
use crate::formats::atlas::{self, SumFiles};
use crate::migration::quoted_literal;
use crate::migration::table::{Table, TableRow};

/// How many files without a row are tried in all combinations.
const MOST_UNCERTAIN: usize = 8;

/// Reads the history table of Atlas.
pub(super) fn read(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let failed = |error| vec![AdoptError::File(error)];
    // The sum has been compared with the files already.
    let dir = files.dir.unwrap_or_default();
    let hashes = atlas::hashes(dir).map_err(failed)?;
    let names = hashes.keys().map(String::as_str).chain(files.migrations.iter().map(file_name));
    let sum_files = SumFiles::read(dir, names).map_err(failed)?;
    // Rows such as `.atlas_cloud_identifier` are not migrations.
    let is_migration = |row: &TableRow<'_>| !version(*row).starts_with('.');
    let mut rows: Vec<TableRow<'_>> = table.rows().filter(is_migration).collect();
    rows.sort_by_key(|row| version(*row));
    let history = AtlasHistory { files, hashes, sum_files, rows: &rows };

    let mut contents = HistoryContents::new(files.names());
    let mut differs = false;
    for row in &rows {
        let key = Key::Name(version(*row).to_owned());
        let is_unfinished = is_unfinished(*row);
        // The version was set by hand, or the history began with a checkpoint.
        let is_first = is_baseline(*row) || files.baselines.iter().any(|it| it.0 == version(*row));
        if is_first && !is_unfinished {
            contents.up_to = contents.up_to.take().max(Some(key));
            continue;
        }
        let state = if is_unfinished {
            let (name, version) = (&table.name, quoted_literal(version(*row)));
            let (applied, total) = (count(*row, "applied"), count(*row, "total"));
            // A row that was written by hand may have an error next to all statements.
            let error = if has_failed(*row) { " and an error" } else { "" };
            let no_error =
                if table.has(&["error"]) { ", error = NULL, error_stmt = NULL" } else { "" };
            HistoryState::Unfinished(UnfinishedRow::new(
                format!("has {applied} of {total} statements applied{error}"),
                format!("UPDATE {name} SET applied = total{no_error} WHERE version = {version};"),
                format!("DELETE FROM {name} WHERE version = {version};"),
            ))
        } else {
            let is_same = contents.find(&key).is_none_or(|file| history.is_same(*row, file));
            let checksum = match (is_same, differs) {
                (true, _) => ChecksumMatch::Same,
                (false, false) => ChecksumMatch::Different,
                // A difference in one file changes the hashes of all later ones.
                (false, true) => ChecksumMatch::DifferentOrAfter,
            };
            differs |= !is_same;
            HistoryState::Applied(checksum)
        };
        contents.add(key, format!("version {}", version(*row)), state);
    }
    Ok(contents)
}

/// Whether Atlas has failed in a file, or was interrupted.
pub(super) fn is_unfinished(row: TableRow<'_>) -> bool {
    count(row, "applied") < count(row, "total") || has_failed(row)
}

fn has_failed(row: TableRow<'_>) -> bool {
    row.text("error").is_some_and(|error| !error.is_empty())
}

/// The rows with the files and their hashes.
struct AtlasHistory<'a> {
    files: &'a SetFiles<'a>,
    hashes: BTreeMap<String, String>,
    sum_files: SumFiles,
    rows: &'a [TableRow<'a>],
}

impl AtlasHistory<'_> {
    /// Whether a row has the hash that its file has now, or had when it was executed.
    fn is_same(&self, row: TableRow<'_>, file: usize) -> bool {
        let name = file_name(&self.files.migrations[file]);
        let recorded = row.text("hash").unwrap_or_default();
        let recorded = recorded.strip_prefix("h1:").unwrap_or(recorded);
        let found = self.hashes.get(name);
        if recorded.is_empty() || found.is_none_or(|found| found == recorded) {
            return true;
        }
        let earlier = &self.files.migrations[..file];
        // Files that were executed later were not there yet, or Atlas would have executed them
        // before. Of a file that it has skipped, nothing shows when it was added.
        let executed = |name: &str| self.rows.iter().find(|row| version(**row) == name);
        let later = earlier.iter().filter(|migration| {
            let executed = executed(&migration.version.0).and_then(|row| row.text("executed_at"));
            executed.is_some_and(|at| Some(at) > row.text("executed_at"))
        });
        let later: Vec<&str> = later.map(file_name).collect();
        let first = self.rows.iter().find(|row| !is_baseline(**row)).map(|row| version(*row));
        let uncertain = earlier.iter().filter(|migration| {
            let version = migration.version.0.as_str();
            executed(version).is_none() && first.is_some_and(|first| version > first)
        });
        let uncertain: Vec<&str> = uncertain.map(file_name).collect();
        if uncertain.len() > MOST_UNCERTAIN {
            return false;
        }
        (0..1_usize << uncertain.len()).any(|absent| {
            let is_absent = |name: &str| {
                let index = uncertain.iter().position(|file| *file == name);
                index.is_some_and(|index| absent >> index & 1 == 1)
            };
            let existed = |name: &str| !later.contains(&name) && !is_absent(name);
            self.sum_files.had_hash(name, recorded, existed)
        })
    }
}

fn version<'a>(row: TableRow<'a>) -> &'a str {
    row.text("version").unwrap_or_default()
}

fn count(row: TableRow<'_>, column: &str) -> u64 {
    row.text(column).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn is_baseline(row: TableRow<'_>) -> bool {
    count(row, "type") & 1 == 1
}
