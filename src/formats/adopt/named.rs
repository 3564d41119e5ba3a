//! History tables with versions as text and no checksums: dbmate, and home-grown runners.

mod outcome;

use super::compare::{ChecksumMatch, HistoryContents, HistoryState};
use super::files::{Key, SetFiles};
use super::{AdoptError, UnfinishedRow, counted};
use crate::formats::number::leading_digits;
use crate::migration::quoted_literal;
use crate::migration::table::{Table, TableRow};

/// Reads the history table of dbmate, whose `version` is the leading digits of the file name.
pub(super) fn dbmate(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let mut contents = HistoryContents::new(files.names());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        // Any table may have a single column of this name.
        counted::number(table, version)?;
        let key = Key::Name(version.to_owned());
        contents.add(key, format!("version {version}"), HistoryState::Applied(ChecksumMatch::Same));
    }
    Ok(contents)
}

/// Columns of home-grown runners that are read if they exist.
pub(super) const COLUMNS_OF_RUNNERS: &[&str] =
    &["name", "success", "status", "state", "direction", "error", "rolled_back_at", "reverted_at"];

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
            let (digits, rest) = leading_digits(version);
            let is_part = digits.is_empty()
                || rest
                    .strip_prefix('.')
                    .is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()));
            counted::number(table, if is_part { version } else { digits })?
        } else {
            named(row, version, &contents)
        };
        let shown = match row.text("name") {
            Some(name) => format!("version {version} ({name})"),
            None => format!("version {version}"),
        };
        let applied = HistoryState::Applied(ChecksumMatch::Same);
        let state = outcome::unfinished(row).map_or(applied, |(problem, correction)| {
            let (name, version) = (&table.name, quoted_literal(version));
            HistoryState::Unfinished(UnfinishedRow::new(
                problem,
                format!("UPDATE {name} SET {correction} WHERE version = {version};"),
                format!("DELETE FROM {name} WHERE version = {version};"),
            ))
        });
        contents.add(key, shown, state);
    }
    Ok(contents)
}

/// The key of a row in a directory whose versions are names: the version that the row has, alone or
/// with the name.
fn named(row: TableRow<'_>, version: &str, contents: &HistoryContents) -> Key {
    let name = row.text("name").unwrap_or_default();
    let both = format!("{version}_{name}");
    let key = |text: &str| Key::Name(text.strip_suffix(".sql").unwrap_or(text).to_owned());
    let mut keys = [version, name, &both].into_iter().map(key);
    keys.find(|key| contents.find(key).is_some()).unwrap_or_else(|| key(version))
}
