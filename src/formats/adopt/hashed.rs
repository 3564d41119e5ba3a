//! History tables with a checksum for each migration: sqlx, refinery, Prisma and Atlas.

use std::collections::BTreeMap;

use super::AdoptError;
use super::checksum::{is_sha256, is_sha384, is_siphash};
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::counted::number;
use super::files::{Key, SetFiles, file_name, name_after_number};
use crate::formats::atlas;
use crate::migration::table::{Table, TableRow};

/// Reads the history table of sqlx.
pub(super) fn sqlx(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.numbers());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let key = number(table, version)?;
        let state = if row.is_true("success") {
            let same = |file: usize| {
                row.text("checksum").is_some_and(|recorded| is_sha384(recorded, &texts[file]))
            };
            HistoryState::Applied(contents.find(&key).is_none_or(same).into())
        } else {
            HistoryState::Unfinished("is dirty (success = false)".to_owned())
        };
        contents.add(key, shown(version, row.text("description")), state);
    }
    Ok(contents)
}

/// Reads the history table of refinery.
pub(super) fn refinery(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.numbers());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let key = number(table, version)?;
        let same = |file: usize| {
            let name = name_after_number(&files.migrations[file]);
            row.text("checksum")
                .is_some_and(|recorded| is_siphash(recorded, name, version, &texts[file]))
        };
        let state = HistoryState::Applied(contents.find(&key).is_none_or(same).into());
        contents.add(key, shown(version, row.text("name")), state);
    }
    Ok(contents)
}

/// Reads the history table of Prisma. Several rows for one migration are several attempts, and a
/// successful one counts.
pub(super) fn prisma(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.names());
    let mut attempts: BTreeMap<&str, Vec<TableRow<'_>>> = BTreeMap::new();
    for row in table.rows() {
        attempts.entry(row.text("migration_name").unwrap_or_default()).or_default().push(row);
    }
    for (name, rows) in attempts {
        let is_open = |row: &&TableRow<'_>| row.text("rolled_back_at").is_none();
        let finished = |row: &&TableRow<'_>| row.text("finished_at").is_some();
        let key = Key::Name(name.to_owned());
        let state = if let Some(row) = rows.iter().filter(is_open).find(finished) {
            let same = |file: usize| {
                row.text("checksum").is_none_or(|recorded| is_sha256(recorded, &texts[file]))
            };
            HistoryState::Applied(contents.find(&key).is_none_or(same).into())
        } else if rows.iter().any(|row| is_open(&row)) {
            HistoryState::Unfinished("was started and neither finished nor rolled back".to_owned())
        } else {
            continue;
        };
        contents.add(key, format!("migration {name}"), state);
    }
    Ok(contents)
}

/// Reads the history table of Atlas. The hash of a file includes all files before it, so only the
/// first difference is reported.
pub(super) fn atlas(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    // The sum has been compared with the files already.
    let dir = files.dir.unwrap_or_default();
    let hashes = atlas::hashes(dir).map_err(|error| vec![AdoptError::File(error)])?;
    let mut contents = HistoryContents::new(files.names());
    let mut rows: Vec<TableRow<'_>> = table.rows().collect();
    rows.sort_by_key(|row| row.text("version"));
    let mut differs = false;
    for row in rows {
        // Rows such as `.atlas_cloud_identifier` are not migrations.
        let version = row.text("version").unwrap_or_default();
        if version.starts_with('.') {
            continue;
        }
        let count = |column| row.text(column).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let (applied, total) = (count("applied"), count("total"));
        let key = Key::Name(version.to_owned());
        // The version was set by hand, or the history began with a checkpoint.
        if count("type") & 1 == 1 || files.baselines.iter().any(|name| name.0 == version) {
            contents.up_to = contents.up_to.take().max(Some(key));
            continue;
        }
        let has_failed = row.text("error").is_some_and(|error| !error.is_empty());
        let state = if applied < total || has_failed {
            HistoryState::Unfinished(format!("has {applied} of {total} statements applied"))
        } else {
            let same = |file: usize| {
                let found = hashes.get(file_name(&files.migrations[file]));
                let recorded = row.text("hash").unwrap_or_default();
                let recorded = recorded.strip_prefix("h1:").unwrap_or(recorded);
                recorded.is_empty() || found.is_none_or(|found| found == recorded)
            };
            let is_same = contents.find(&key).is_none_or(same);
            let checksum = ChecksumMatch::from(is_same || differs);
            differs |= !is_same;
            HistoryState::Applied(checksum)
        };
        contents.add(key, format!("version {version}"), state);
    }
    Ok(contents)
}

fn shown(version: &str, description: Option<&str>) -> String {
    match description.filter(|words| !words.is_empty()) {
        Some(words) => format!("version {version} ({words})"),
        None => format!("version {version}"),
    }
}
