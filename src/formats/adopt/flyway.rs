//! `flyway_schema_history`: a row for each script that was run, and rows for other events.
//!
//! A row with a higher rank may revert an earlier one or repeat it after a retry, so the last row
//! of a version counts.

use std::collections::BTreeMap;

use super::AdoptError;
use super::checksum::is_crc32;
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::counted::number;
use super::files::{Key, SetFiles};
use crate::migration::table::{Table, TableRow};

/// Reads the history table of Flyway.
pub(super) fn read(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.numbers());
    let mut last: BTreeMap<Key, (i64, TableRow<'_>)> = BTreeMap::new();
    for row in table.rows() {
        // A row without a version is a repeatable script, which runs again, or the row `SCHEMA`.
        let Some(version) = row.text("version") else { continue };
        let key = number(table, version)?;
        let rank = row.text("installed_rank").and_then(|rank| rank.parse().ok()).unwrap_or(0);
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
        let kind = row.text("type").unwrap_or_default();
        let is_reverted = kind == "DELETE" || kind.starts_with("UNDO");
        if kind == "SCHEMA" || is_reverted && row.is_true("success") {
            continue;
        }
        let state = if row.is_true("success") {
            let file = contents.find(&key);
            let same = row
                .text("checksum")
                .is_none_or(|recorded| file.is_none_or(|file| is_crc32(recorded, &texts[file])));
            HistoryState::Applied(ChecksumMatch::from(same))
        } else {
            HistoryState::Unfinished("failed (success = false)".to_owned())
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
