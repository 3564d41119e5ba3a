//! `flyway_schema_history`: a row for each script that was run, and rows for other events.
//!
//! A row with a higher rank may revert an earlier one or repeat it after a retry, so the last row
//! of a version or of a repeatable script counts.

mod repeatable;

use std::collections::BTreeMap;

use super::checksum::is_crc32;
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::counted::number;
use super::files::{Key, SetFiles, file_name};
use super::{AdoptError, UnfinishedRow};
use crate::migration::quoted_literal;
use crate::migration::table::{Table, TableRow};

/// Reads the history table of Flyway.
pub(super) fn read(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.numbers());
    repeatable::read(table, files, &mut contents)?;
    let mut last: BTreeMap<Key, (i64, TableRow<'_>)> = BTreeMap::new();
    for row in table.rows() {
        // A row without a version is that of a repeatable script, or the row `SCHEMA`.
        let Some(version) = row.text("version") else { continue };
        let key = number(table, version)?;
        let rank = rank(row);
        let found = last.entry(key).or_insert((rank, row));
        if found.0 <= rank {
            *found = (rank, row);
        }
    }
    for (key, (_, row)) in last {
        if row.text("type") == Some("SCHEMA") || is_reverted(row) && row.is_true("success") {
            continue;
        }
        // A script of the type `SQL_BASELINE` can fail.
        let is_baseline = row.text("type").is_some_and(|kind| kind.contains("BASELINE"));
        if is_baseline && row.is_true("success") {
            contents.up_to = contents.up_to.take().max(Some(key));
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
        let recorded = row.text("checksum").unwrap_or_default();
        contents.find_text(
            files,
            |file| is_crc32(recorded, &texts[file]),
            |file| {
                format!(
                    "UPDATE {} SET version = {}, script = {} WHERE installed_rank = {};",
                    table.name,
                    quoted_literal(&file.version.0),
                    quoted_literal(file_name(file)),
                    rank(row)
                )
            },
        );
    }
    Ok(contents)
}

fn rank(row: TableRow<'_>) -> i64 {
    row.text("installed_rank").and_then(|rank| rank.parse().ok()).unwrap_or(0)
}

/// Whether a row reverts the earlier rows of its script.
pub(super) fn is_reverted(row: TableRow<'_>) -> bool {
    row.text("type").is_some_and(|kind| kind == "DELETE" || kind.starts_with("UNDO"))
}

fn failed(table: &Table, row: TableRow<'_>) -> UnfinishedRow {
    let (name, rank) = (&table.name, rank(row));
    let problem = "failed (success = false)";
    let has_version = row.text("version").is_some();
    if is_reverted(row) {
        return UnfinishedRow { problem: problem.to_owned(), settlement: None, has_version };
    }
    let unfinished = UnfinishedRow::new(
        problem,
        format!("UPDATE {name} SET success = true WHERE installed_rank = {rank};"),
        format!("DELETE FROM {name} WHERE installed_rank = {rank};"),
    );
    UnfinishedRow { has_version, ..unfinished }
}
