//! Compares a history table with a directory that has another format than the files that its tool
//! ran: their texts can show which of them are the same, and for Atlas, which maintains directories
//! of other tools, their versions.

use super::checksum::{is_crc32, is_sha256, is_sha384};
use super::{AdoptError, HistoryTable, atlas, files};
use crate::formats::Format;
use crate::migration::table::{Table, TableRow};
use crate::migration::{Migration, Version};

/// What a row of a history table and a file have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchedBy {
    /// The text that the tool ran.
    Text,
    /// The version.
    Version,
}

/// A row of a history table and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRow {
    /// The migration as the history table names it.
    pub row: String,
    /// Version of the file.
    pub version: Version,
    /// The file as written in the configuration.
    pub file: String,
}

impl MatchedRow {
    fn of(row: &str, migration: &Migration) -> Self {
        let Migration { version, file, .. } = migration;
        Self { row: row.to_owned(), version: version.clone(), file: file.clone() }
    }
}

/// Columns in which a tool names a migration; the first that has a value counts.
const NAMES: &[&str] = &["script", "migration_name", "version", "created_at"];

impl HistoryTable {
    /// What shows which rows and files belong together.
    #[must_use]
    pub fn matched_by(self) -> MatchedBy {
        if self.format() == Format::Atlas { MatchedBy::Version } else { MatchedBy::Text }
    }

    /// Finds the files that have the version of an applied migration, or its text, according to the
    /// checksums of the tool. It finds none if the tool stores no checksum of the text alone.
    ///
    /// # Errors
    /// A file cannot be read again.
    pub fn matched_rows(
        self,
        table: &Table,
        migrations: &[Migration],
    ) -> Result<Vec<MatchedRow>, Vec<AdoptError>> {
        if self.matched_by() == MatchedBy::Version {
            let files = atlas::applied_files(table, migrations);
            return Ok(files.map(|(migration, row)| MatchedRow::of(row, migration)).collect());
        }
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
            same.push(MatchedRow::of(name, migration));
        }
        Ok(same)
    }
}

/// Whether a row does not say that its migration failed or was reverted.
fn is_applied(row: TableRow<'_>) -> bool {
    row.text("success").is_none_or(|_| row.is_true("success"))
        && row.text("rolled_back_at").is_none()
}
