//! History tables with versions as text and no checksums: dbmate, and home-grown runners.

use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::files::{Key, SetFiles};
use super::{AdoptError, counted};
use crate::formats::number::leading_digits;
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

/// Reads a table with `version` and `applied_at`, of any runner. The version is that of the file,
/// with or without leading zeros, or the name of the file.
pub(super) fn home_grown(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let numbers = files.numbers();
    let are_numbers = numbers.iter().all(Option::is_some);
    let mut contents = HistoryContents::new(if are_numbers { numbers } else { files.names() });
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let key = if are_numbers {
            let digits = leading_digits(version).0;
            counted::number(table, if digits.is_empty() { version } else { digits })?
        } else {
            Key::Name(version.strip_suffix(".sql").unwrap_or(version).to_owned())
        };
        let shown = match row.text("name") {
            Some(name) => format!("version {version} ({name})"),
            None => format!("version {version}"),
        };
        contents.add(key, shown, HistoryState::Applied(ChecksumMatch::Same));
    }
    Ok(contents)
}
