//! History tables with numeric versions and no checksums: goose, golang-migrate, and dbmate.

use std::collections::BTreeMap;

use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::files::{Key, SetFiles};
use super::{AdoptError, UnfinishedRow};
use crate::migration::table::Table;

/// Reads the history table of goose: a row for each time that a migration was applied or, by older
/// versions, reverted. The last row counts.
pub(super) fn goose(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut last = BTreeMap::new();
    for row in table.rows() {
        // Version 0 is the row that goose writes when it creates the table.
        let Some(version) = row.text("version_id").filter(|version| *version != "0") else {
            continue;
        };
        let id: i64 = row.text("id").and_then(|id| id.parse().ok()).unwrap_or_default();
        let found = last.entry(version).or_insert((id, row));
        if found.0 <= id {
            *found = (id, row);
        }
    }
    let mut contents = HistoryContents::new(files.numbers());
    for (version, (_, row)) in last {
        if row.is_true("is_applied") {
            let key = number(table, version)?;
            contents.add(
                key,
                format!("version {version}"),
                HistoryState::Applied(ChecksumMatch::Same),
            );
        }
    }
    Ok(contents)
}

/// Reads the history table of golang-migrate: one row, and everything up to its version is applied.
pub(super) fn golang_migrate(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut contents = HistoryContents::new(files.numbers());
    let mut rows = table.rows();
    let (Some(row), None) = (rows.next(), rows.next()) else {
        let problem = format!("expected one row, found {}", table.rows.len());
        return Err(vec![AdoptError::Contradiction { table: table.name.clone(), problem }]);
    };
    let version = row.text("version").unwrap_or_default();
    let key = number(table, version)?;
    let state = if row.is_true("dirty") {
        let name = &table.name;
        let earlier = contents.keys.iter().zip(files.migrations);
        let earlier = earlier.filter(|(earlier, _)| earlier.as_ref().is_some_and(|it| *it < key));
        let reverted = match earlier.max_by_key(|(key, _)| key.as_ref()) {
            Some((_, before)) => {
                let version = before.version.0.trim_start_matches('0');
                let version = if version.is_empty() { "0" } else { version };
                format!("UPDATE {name} SET version = {version}, dirty = false;")
            }
            None => format!("DELETE FROM {name};"),
        };
        HistoryState::Unfinished(UnfinishedRow::new(
            "is dirty: it was started and failed partway",
            format!("UPDATE {name} SET dirty = false;"),
            reverted,
        ))
    } else {
        HistoryState::Applied(ChecksumMatch::Same)
    };
    contents.add(key.clone(), format!("version {version}"), state);
    contents.up_to = Some(key);
    Ok(contents)
}

/// Reads the history table of dbmate, whose `version` is the leading digits of the file name.
pub(super) fn dbmate(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut contents = HistoryContents::new(files.names());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        // Any table may have a single column of this name.
        number(table, version)?;
        let key = Key::Name(version.to_owned());
        contents.add(key, format!("version {version}"), HistoryState::Applied(ChecksumMatch::Same));
    }
    Ok(contents)
}

/// Parses a version that must be a number.
pub(super) fn number(table: &Table, version: &str) -> Result<Key, Vec<AdoptError>> {
    Key::number(version).ok_or_else(|| {
        let problem = format!("version {version:?} is not a number");
        vec![AdoptError::Contradiction { table: table.name.clone(), problem }]
    })
}
