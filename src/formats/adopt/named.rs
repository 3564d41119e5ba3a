//! History tables with versions as text and no checksums: dbmate, and home-grown runners.

use super::AdoptError;
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::files::{Key, SetFiles};
use crate::migration::table::Table;

/// Reads the history table of dbmate, whose `version` is the leading digits of the file name.
pub(super) fn dbmate(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut contents = HistoryContents::new(files.names());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let key = Key::Name(version.to_owned());
        contents.add(key, format!("version {version}"), HistoryState::Applied(ChecksumMatch::Same));
    }
    Ok(contents)
}

/// Reads a table with `version`, `name` and `applied_at`. The version is the leading digits of the
/// file name, with or without leading zeros.
pub(super) fn home_grown(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut contents = HistoryContents::new(files.numbers());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let name = row.text("name").unwrap_or_default();
        let key = super::counted::number(table, version)?;
        contents.add(
            key,
            format!("version {version} ({name})"),
            HistoryState::Applied(ChecksumMatch::Same),
        );
    }
    Ok(contents)
}
