//! Compares a history table with a directory that has another format than the files that its tool
//! ran: only their texts can show which of them are the same.

use super::checksum::{is_crc32, is_sha256, is_sha384};
use super::{AdoptError, HistoryTable, files};
use crate::formats::Format;
use crate::migration::table::{Table, TableRow};
use crate::migration::{Migration, Version};

/// A row of a history table and the file that has the text which the tool ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameText {
    /// The migration as the history table names it.
    pub row: String,
    /// Version of the file.
    pub version: Version,
    /// The file as written in the configuration.
    pub file: String,
}

/// Columns in which a tool names a migration; the first that has a value counts.
const NAMES: &[&str] = &["script", "migration_name", "version", "created_at"];

impl HistoryTable {
    /// Finds the files that have the text of an applied migration, according to the checksums of
    /// the tool. It finds none if the tool stores no checksum of the text alone.
    ///
    /// # Errors
    /// A file cannot be read again.
    pub fn same_texts(
        self,
        table: &Table,
        migrations: &[Migration],
    ) -> Result<Vec<SameText>, Vec<AdoptError>> {
        type Compare = fn(&str, &str) -> bool;
        let (column, is_text): (_, Compare) = match self.format() {
            Format::Flyway => ("checksum", is_crc32),
            Format::Sqlx => ("checksum", is_sha384),
            Format::Prisma => ("checksum", is_sha256),
            Format::Drizzle if table.has(&["hash"]) => ("hash", is_sha256),
            Format::Drizzle => ("migration_hash", is_sha256),
            _ => return Ok(Vec::new()),
        };
        let mut rows: Vec<TableRow<'_>> = table.rows().filter(|row| is_applied(*row)).collect();
        let mut same = Vec::new();
        for migration in migrations {
            let text = files::text(migration)?;
            let has_text =
                |row: &TableRow<'_>| row.text(column).is_some_and(|found| is_text(found, &text));
            // Each row is for one file.
            let Some(index) = rows.iter().position(has_text) else { continue };
            let row = rows.swap_remove(index);
            let name = NAMES.iter().find_map(|name| row.text(name)).unwrap_or_default();
            same.push(SameText {
                row: name.to_owned(),
                version: migration.version.clone(),
                file: migration.file.clone(),
            });
        }
        Ok(same)
    }
}

/// Whether a row does not say that its migration failed or was reverted.
fn is_applied(row: TableRow<'_>) -> bool {
    row.text("success").is_none_or(|_| row.is_true("success"))
        && row.text("rolled_back_at").is_none()
}
