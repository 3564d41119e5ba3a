//! `drizzle.__drizzle_migrations`, as Drizzle writes it and as AWS's adapter for DSQL does.
//!
//! Drizzle records the time `when` of the journal (for a directory, the time in its name) and a
//! hash that it never reads. It runs the files that are newer than the newest row, so it never runs
//! a file that was merged out of order.

use std::collections::{BTreeMap, BTreeSet};

use super::checksum::is_sha256;
use super::compare::{ChecksumMatch, HistoryContents, HistoryRow, HistoryState};
use super::files::{Key, SetFiles};
use super::{AdoptError, UnfinishedRow};
use crate::formats::drizzle::{self, count_parts};
use crate::migration::table::Table;

/// Reads the table of Drizzle: a row for each file with `hash` and `created_at`, since 1.0 also
/// `name`.
pub(super) fn of_files(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let (texts, times) = (files.texts()?, times(files)?);
    let mut contents = HistoryContents::new(keys(&times));
    // With names, Drizzle looks up each file and skips none.
    contents.skips = !table.has(&["name"]);
    for row in table.rows() {
        let hash = row.text("hash").unwrap_or_default();
        let has_hash = |file: usize| is_sha256(hash, &texts[file]);
        let time = row.text("created_at").and_then(milliseconds);
        let by_name = row
            .text("name")
            .and_then(|name| files.migrations.iter().position(|m| m.version.0 == name));
        let file = by_name.or_else(|| find(&times, time, has_hash));
        let key = file
            .and_then(|file| contents.keys[file].clone())
            .unwrap_or(Key::Time(time.unwrap_or_default()));
        let shown = match (file, row.text("name")) {
            (Some(file), _) => format!("migration {}", files.migrations[file].version),
            (None, Some(name)) => format!("migration {name}"),
            (None, None) => {
                let at = row.text("created_at").unwrap_or("null");
                format!("the migration with created_at = {at} and hash {hash}")
            }
        };
        let same = hash.is_empty() || file.is_none_or(has_hash);
        contents.rows.push(HistoryRow {
            file,
            key,
            shown,
            state: HistoryState::Applied(same.into()),
        });
    }
    Ok(contents)
}

/// Reads the table of AWS's adapter for DSQL: a row for each chunk of a file.
pub(super) fn of_statements(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let (texts, times) = (files.texts()?, times(files)?);
    let mut contents = HistoryContents::new(keys(&times));
    let mut done: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for row in table.rows() {
        let text = |column| row.text(column).unwrap_or_default();
        let migration = (text("migration_folder_millis"), text("migration_hash"));
        done.entry(migration).or_default().insert(text("statement_index"));
    }
    for ((millis, hash), chunks) in done {
        let has_hash = |file: usize| is_sha256(hash, &texts[file]);
        let time = milliseconds(millis);
        let file = find(&times, time, has_hash);
        let shown = match file {
            Some(file) => format!("migration {}", files.migrations[file].version),
            None => format!("the migration with migration_folder_millis = {millis}"),
        };
        let state = match file {
            Some(file) if has_hash(file) && chunks.len() < count_parts(&texts[file]) => {
                let all = count_parts(&texts[file]);
                let problem = format!("has {} of {all} statements applied", chunks.len());
                // A row for each remaining statement would be needed.
                HistoryState::Unfinished(UnfinishedRow { problem, settlement: None })
            }
            Some(file) => HistoryState::Applied(has_hash(file).into()),
            None => HistoryState::Applied(ChecksumMatch::Same),
        };
        contents.rows.push(HistoryRow {
            file,
            key: Key::Time(time.unwrap_or_default()),
            shown,
            state,
        });
    }
    Ok(contents)
}

fn times(files: &SetFiles<'_>) -> Result<Vec<Option<i64>>, Vec<AdoptError>> {
    let versions = files.migrations.iter().map(|migration| migration.version.0.as_str());
    drizzle::times(files.dir.unwrap_or_default(), versions)
        .map_err(|error| vec![AdoptError::File(error)])
}

fn keys(times: &[Option<i64>]) -> Vec<Option<Key>> {
    times.iter().map(|time| time.map(Key::Time)).collect()
}

/// The file of a row. A journal that was written by hand may have several files with one time. When
/// `drizzle-kit up` converts a journal to directories, each time loses its milliseconds.
fn find(
    times: &[Option<i64>],
    time: Option<i64>,
    has_hash: impl Fn(usize) -> bool,
) -> Option<usize> {
    let at = |time: Option<i64>| {
        let is_then = move |file: &usize| time.is_some() && times[*file] == time;
        (0..times.len()).filter(is_then)
    };
    let mut in_second = at(time.map(|time| time - time.rem_euclid(1000)));
    at(time)
        .find(|file| has_hash(*file))
        .or_else(|| at(time).next())
        .or_else(|| (0..times.len()).find(|file| has_hash(*file)))
        .or_else(|| in_second.next().filter(|_| in_second.next().is_none()))
}

/// Parses a `bigint`, or the number that a table created by hand has in its place.
fn milliseconds(text: &str) -> Option<i64> {
    text.split('.').next()?.parse().ok()
}
