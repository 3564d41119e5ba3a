//! dbmate, and the ledger that people write themselves: versions as text, and no checksums.

use super::AdoptError;
use super::compare::{Said, Standing, Text};
use super::files::{Files, Key};
use crate::migration::table::Table;

/// `version` is the digits at the beginning of the name, as text.
pub(super) fn dbmate(table: &Table, files: &Files<'_>) -> Result<Said, Vec<AdoptError>> {
    let mut said = Said::new(files.names());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let key = Key::Name(version.to_owned());
        said.add(key, format!("version {version}"), Standing::Applied(Text::Same));
    }
    Ok(said)
}

/// `version`, `name` and `applied_at`. The version is the digits at the beginning of the file's
/// name, with or without zeros before them.
pub(super) fn home_made(table: &Table, files: &Files<'_>) -> Result<Said, Vec<AdoptError>> {
    let mut said = Said::new(files.numbers());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let name = row.text("name").unwrap_or_default();
        let key = super::counted::number(table, version)?;
        said.add(key, format!("version {version} ({name})"), Standing::Applied(Text::Same));
    }
    Ok(said)
}
