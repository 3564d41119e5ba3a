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
use crate::migration::table::{Table, TableRow};

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
    let rows: Vec<TableRow<'_>> = table.rows().collect();
    let hash = |row: usize| rows[row].text("hash").unwrap_or_default();
    let row_files = rows.iter().map(|row| {
        let position = |name| files.migrations.iter().position(|it| it.version.0 == name);
        let time = row.text("created_at").and_then(milliseconds);
        RowFile { named: row.text("name").and_then(position), time }
    });
    let row_files: Vec<RowFile> = row_files.collect();
    let has_hash = |row: usize, file: usize| is_sha256(hash(row), &texts[file]);
    let found = files_of(&row_files, &times, has_hash);
    for (index, (row, file)) in rows.iter().zip(found).enumerate() {
        let (hash, time) = (hash(index), row_files[index].time);
        let has_hash = |file: usize| has_hash(index, file);
        let key = file
            .and_then(|file| contents.keys[file].clone())
            .unwrap_or(Key::Time(time.unwrap_or_default()));
        let recorded = match row.text("name") {
            Some(name) => format!("migration {name}"),
            None => {
                let at = row.text("created_at").unwrap_or("null");
                format!("the migration with created_at = {at} and hash {hash}")
            }
        };
        let shown = match file {
            Some(file) => format!("migration {}", files.migrations[file].version),
            None => recorded.clone(),
        };
        if let Some(file) = file.filter(|file| row_files[index].is_found_by_text(*file, &times)) {
            contents.by_text.push((recorded, file));
        }
        let same = hash.is_empty() || file.is_none_or(has_hash);
        contents.rows.push(HistoryRow {
            file,
            key,
            shown,
            state: HistoryState::Applied(same.into()),
            same_text: Vec::new(),
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
    let done: Vec<((&str, &str), BTreeSet<&str>)> = done.into_iter().collect();
    let row_files = done.iter().map(|((millis, _), _)| {
        let time = milliseconds(millis);
        RowFile { named: None, time }
    });
    let row_files: Vec<RowFile> = row_files.collect();
    let has_hash = |row: usize, file: usize| is_sha256(done[row].0.1, &texts[file]);
    let found = files_of(&row_files, &times, has_hash);
    for (index, (((millis, _), chunks), file)) in done.iter().zip(found).enumerate() {
        let time = row_files[index].time;
        let has_hash = |file: usize| has_hash(index, file);
        let recorded = format!("the migration with migration_folder_millis = {millis}");
        let shown = match file {
            Some(file) => format!("migration {}", files.migrations[file].version),
            None => recorded.clone(),
        };
        if let Some(file) = file.filter(|file| row_files[index].is_found_by_text(*file, &times)) {
            contents.by_text.push((recorded, file));
        }
        let state = match file {
            Some(file) if has_hash(file) && chunks.len() < count_parts(&texts[file]) => {
                let all = count_parts(&texts[file]);
                let problem = format!("has {} of {all} statements applied", chunks.len());
                // A row for each remaining statement would be needed.
                HistoryState::Unfinished(UnfinishedRow {
                    problem,
                    settlement: None,
                    has_version: true,
                })
            }
            Some(file) => HistoryState::Applied(has_hash(file).into()),
            None => HistoryState::Applied(ChecksumMatch::Same),
        };
        contents.rows.push(HistoryRow {
            file,
            key: Key::Time(time.unwrap_or_default()),
            shown,
            state,
            same_text: Vec::new(),
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

/// What a row says about its file.
#[derive(Debug, Clone, Copy)]
struct RowFile {
    /// The file that it names.
    named: Option<usize>,
    time: Option<i64>,
}

impl RowFile {
    /// Whether a file that was found for the row has neither its name nor its time.
    fn is_found_by_text(&self, file: usize, times: &[Option<i64>]) -> bool {
        let is_at = |time: Option<i64>| time.is_some() && times[file] == time;
        self.named != Some(file) && !is_at(self.time) && !is_at(self.time.map(whole_second))
    }
}

/// When `drizzle-kit up` converts a journal to directories, each time loses its milliseconds.
fn whole_second(time: i64) -> i64 {
    time - time.rem_euclid(1000)
}

/// The file of each row: the one with its name or its time, otherwise one with its hash that no
/// other row has. Two migrations may have the same text, so they must not share a file.
///
/// A journal that was written by hand may have several files with one time.
fn files_of(
    rows: &[RowFile],
    times: &[Option<i64>],
    has_hash: impl Fn(usize, usize) -> bool,
) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = rows.iter().map(|row| row.named).collect();
    let at = |time: Option<i64>| {
        let is_then = move |file: &usize| time.is_some() && times[*file] == time;
        (0..times.len()).filter(is_then)
    };
    let in_second = |row: usize| at(rows[row].time.map(whole_second));
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|row| rows[*row].time);
    for &row in &order {
        let same_time = || at(rows[row].time);
        let with_hash = || same_time().find(|file| has_hash(row, *file));
        found[row] = found[row].or_else(with_hash).or_else(|| same_time().next());
    }
    let mut match_rest = |candidate: &dyn Fn(usize, &BTreeSet<usize>) -> Option<usize>| {
        let mut taken: BTreeSet<usize> = found.iter().flatten().copied().collect();
        for &row in &order {
            found[row] = found[row].or_else(|| candidate(row, &taken));
            taken.extend(found[row]);
        }
    };
    match_rest(&|row, taken| {
        in_second(row).find(|file| !taken.contains(file) && has_hash(row, *file))
    });
    match_rest(&|row, taken| {
        (0..times.len()).find(|file| !taken.contains(file) && has_hash(row, *file))
    });
    match_rest(&|row, taken| {
        let mut free = in_second(row).filter(|file| !taken.contains(file));
        free.next().filter(|_| free.next().is_none())
    });
    found
}

/// Parses a `bigint`, or the number that a table created by hand has in its place.
fn milliseconds(text: &str) -> Option<i64> {
    text.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Matches rows with these times and hashes to files with these times and hashes.
    fn matched(rows: &[(i64, char)], files: &[(i64, char)]) -> Vec<Option<usize>> {
        let times: Vec<_> = files.iter().map(|(time, _)| Some(*time)).collect();
        let of = |(time, _): &(i64, char)| RowFile { named: None, time: Some(*time) };
        let row_files: Vec<_> = rows.iter().map(of).collect();
        files_of(&row_files, &times, |row, file| rows[row].1 == files[file].1)
    }

    #[test]
    fn two_migrations_with_one_text_are_two_files() {
        // As `drizzle-kit up` converts a journal.
        let rows = [(1_306_123, 'a'), (1_312_456, 'b'), (1_399_789, 'b')];
        let converted = [(1_306_000, 'a'), (1_312_000, 'b'), (1_399_000, 'b')];
        assert_eq!(matched(&rows, &converted), [Some(0), Some(1), Some(2)]);
        // Other times, in the same order.
        let other = [(5_000, 'a'), (6_000, 'b'), (7_000, 'b'), (8_000, 'b')];
        assert_eq!(matched(&rows, &other), [Some(0), Some(1), Some(2)]);
        // A third one has not run.
        assert_eq!(matched(&rows[..2], &converted), [Some(0), Some(1)]);
    }

    #[test]
    fn two_rows_with_one_time_are_for_one_file() {
        let rows = [(1_000, 'a'), (1_000, 'a')];
        assert_eq!(matched(&rows, &[(1_000, 'a'), (2_000, 'a')]), [Some(0), Some(0)]);
    }

    #[test]
    fn an_edited_file_is_found_by_its_time() {
        let rows = [(1_000, 'a'), (2_500, 'b')];
        assert_eq!(matched(&rows, &[(1_000, 'x'), (2_000, 'y')]), [Some(0), Some(1)]);
        assert_eq!(matched(&rows, &[(2_000, 'x'), (2_000, 'y')]), [None, None]);
    }
}
