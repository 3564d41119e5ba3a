//! dbmate, and the ledger that people write themselves: versions as text, and no checksums.

use super::AdoptError;
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::files::{Key, SetFiles};
use crate::migration::table::Table;

/// `version` is the digits at the beginning of the name, as text.
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

/// `version`, `name` and `applied_at`. The version is the digits at the beginning of the file's
/// name, with or without zeros before them.
pub(super) fn home_made(
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
