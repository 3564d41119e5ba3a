//! goose and golang-migrate: numbers, and no checksums.

use std::collections::BTreeMap;

use super::AdoptError;
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::files::{Key, SetFiles};
use crate::migration::table::Table;

/// A row for each time that a migration went up or, in older versions, down: the last one counts.
pub(super) fn goose(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut last = BTreeMap::new();
    for row in table.rows() {
        // Version 0 is the row that goose writes into an empty ledger.
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

/// One row: everything up to its version is applied.
pub(super) fn golang_migrate(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut contents = HistoryContents::new(files.numbers());
    let mut rows = table.rows();
    let (Some(row), None) = (rows.next(), rows.next()) else {
        let problem = format!("it should have one row and has {}", table.rows.len());
        return Err(vec![AdoptError::Contradiction { table: table.name.clone(), problem }]);
    };
    let version = row.text("version").unwrap_or_default();
    let key = number(table, version)?;
    let state = if row.is_true("dirty") {
        HistoryState::Unfinished("is dirty: it was begun and failed somewhere inside".to_owned())
    } else {
        HistoryState::Applied(ChecksumMatch::Same)
    };
    contents.add(key.clone(), format!("version {version}"), state);
    contents.up_to = Some(key);
    Ok(contents)
}

/// A version that has to be a number.
pub(super) fn number(table: &Table, version: &str) -> Result<Key, Vec<AdoptError>> {
    Key::number(version).ok_or_else(|| {
        let problem = format!("the version {version:?} is no number");
        vec![AdoptError::Contradiction { table: table.name.clone(), problem }]
    })
}
