//! `flyway_schema_history`: a row for each script that was run, and rows for other events.
//!
//! A row with a higher rank may revert an earlier one or repeat it after a retry, so the last row
//! of a version or of a repeatable script counts.

use std::collections::BTreeMap;

use super::checksum::is_crc32;
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::counted::number;
use super::files::{Key, SetFiles, file_name, text};
use super::{AdoptError, Unfinished};
use crate::formats::listing::base;
use crate::migration::table::{Table, TableRow};
use crate::migration::{Values, Version};

/// Reads the history table of Flyway.
pub(super) fn read(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.numbers());
    contents.unchanged = unchanged(table, files)?;
    let mut last: BTreeMap<Key, (i64, TableRow<'_>)> = BTreeMap::new();
    for row in table.rows() {
        // A row without a version is that of a repeatable script, or the row `SCHEMA`.
        let Some(version) = row.text("version") else { continue };
        let key = number(table, version)?;
        let rank = rank(row);
        if row.text("type").is_some_and(|kind| kind.contains("BASELINE")) {
            contents.up_to = contents.up_to.take().max(Some(key));
            continue;
        }
        let found = last.entry(key).or_insert((rank, row));
        if found.0 <= rank {
            *found = (rank, row);
        }
    }
    for (key, (_, row)) in last {
        if row.text("type") == Some("SCHEMA") || is_reverted(row) && row.is_true("success") {
            continue;
        }
        let state = if row.is_true("success") {
            let file = contents.find(&key);
            let same = row
                .text("checksum")
                .is_none_or(|recorded| file.is_none_or(|file| is_crc32(recorded, &texts[file])));
            HistoryState::Applied(ChecksumMatch::from(same))
        } else {
            HistoryState::Unfinished(failed(table, row))
        };
        let version = row.text("version").unwrap_or_default();
        let shown = match row.text("script").filter(|script| !script.is_empty()) {
            Some(script) => format!("version {version} ({script})"),
            None => format!("version {version}"),
        };
        contents.add(key, shown, state);
    }
    Ok(contents)
}

/// The repeatable scripts whose last run was successful and had their present text, with the
/// present values of its placeholders.
fn unchanged(table: &Table, files: &SetFiles<'_>) -> Result<Vec<Version>, Vec<AdoptError>> {
    let mut last: BTreeMap<&str, TableRow<'_>> = BTreeMap::new();
    for row in table.rows().filter(|row| row.text("version").is_none()) {
        // The path of the script, which may have been moved to another directory.
        let found = last.entry(base(row.text("script").unwrap_or_default())).or_insert(row);
        if rank(*found) <= rank(row) {
            *found = row;
        }
    }
    let mut unchanged = Vec::new();
    for migration in files.repeatable {
        let row = last.get(file_name(migration));
        let row = row.filter(|row| row.is_true("success") && !is_reverted(**row));
        let Some(recorded) = row.and_then(|row| row.text("checksum")) else { continue };
        let text = text(migration)?;
        if is_crc32(recorded, &text) || is_crc32(recorded, &replaced(&text, &migration.values)) {
            unchanged.push(migration.version.clone());
        }
    }
    Ok(unchanged)
}

/// Replaces placeholders as Flyway does before it computes the checksum of a repeatable script.
fn replaced(text: &str, values: &Values) -> String {
    let Values::Known(values) = values else { return text.to_owned() };
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        replaced.push_str(before);
        match values.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some((_, value)) => replaced.push_str(value),
            None => replaced.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

fn rank(row: TableRow<'_>) -> i64 {
    row.text("installed_rank").and_then(|rank| rank.parse().ok()).unwrap_or(0)
}

/// Whether a row reverts the earlier rows of its script.
fn is_reverted(row: TableRow<'_>) -> bool {
    row.text("type").is_some_and(|kind| kind == "DELETE" || kind.starts_with("UNDO"))
}

fn failed(table: &Table, row: TableRow<'_>) -> Unfinished {
    let (name, rank) = (&table.name, rank(row));
    let problem = "failed (success = false)";
    if is_reverted(row) {
        return Unfinished { problem: problem.to_owned(), settlement: None };
    }
    Unfinished::new(
        problem,
        format!("UPDATE {name} SET success = true WHERE installed_rank = {rank};"),
        format!("DELETE FROM {name} WHERE installed_rank = {rank};"),
    )
}
