//! `refinery_schema_history`: a row for each file, with a checksum that covers its name.

use super::AdoptError;
use super::checksum::is_siphash;
use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::counted::number;
use super::files::{SetFiles, name_after_number};
use super::hashed::shown;
use crate::migration::table::Table;

/// Reads the history table of refinery.
pub(super) fn read(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.numbers());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let key = number(table, version)?;
        let compare = |file: usize| {
            let has_name = |name: &str| {
                row.text("checksum")
                    .is_some_and(|recorded| is_siphash(recorded, name, version, &texts[file]))
            };
            if has_name(name_after_number(&files.migrations[file])) {
                ChecksumMatch::Same
            } else if row.text("name").is_some_and(has_name) {
                ChecksumMatch::OtherName
            } else {
                ChecksumMatch::Different
            }
        };
        let checksum = contents.find(&key).map_or(ChecksumMatch::Same, compare);
        let state = HistoryState::Applied(checksum);
        contents.add(key, shown(version, row.text("name")), state);
    }
    Ok(contents)
}
