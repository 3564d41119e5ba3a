//! Compares a history table with a directory that has another format than the files that its tool
//! ran: their texts or their versions can show which of them are the same.

use std::collections::BTreeMap;

use super::checksum::{is_crc32, is_sha256, is_sha384};
use super::files::Key;
use super::{AdoptError, HistoryTable, atlas, files, flyway};
use crate::formats::Format;
use crate::migration::table::{Table, TableRow};
use crate::migration::{Migration, Version};

/// What a row of a history table and a file have in common.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum MatchedBy {
    /// The text that the tool ran.
    Text,
    /// The version.
    #[default]
    Version,
}

/// The rows of a history table that have a file in a directory of another format.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MatchedRows {
    /// In the order of the files.
    pub rows: Vec<MatchedRow>,
    /// What shows which rows and files belong together.
    pub by: MatchedBy,
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
    /// Finds the files of applied migrations, by the checksums of the tool or by the versions.
    ///
    /// # Errors
    /// A file cannot be read again.
    pub fn matched_rows(
        self,
        table: &Table,
        migrations: &[Migration],
    ) -> Result<MatchedRows, Vec<AdoptError>> {
        let of_text = self.of_text(table, migrations)?;
        // Files with new numbers may have the versions of other files.
        let has_version =
            |(row, it): &(TableRow<'_>, &Migration)| is_same(self.version(*row), &it.version.0);
        if of_text.iter().all(has_version) {
            let rows = self.of_version(table, migrations);
            return Ok(MatchedRows { rows, by: MatchedBy::Version });
        }
        let name =
            |row: TableRow<'_>| NAMES.iter().find_map(|name| row.text(name).map(str::to_owned));
        let rows = of_text
            .into_iter()
            .map(|(row, migration)| MatchedRow::of(&name(row).unwrap_or_default(), migration));
        Ok(MatchedRows { rows: rows.collect(), by: MatchedBy::Text })
    }

    /// Finds the files that have the text of an applied migration. It finds none if the tool stores
    /// no checksum of the text alone.
    fn of_text<'a>(
        self,
        table: &'a Table,
        migrations: &'a [Migration],
    ) -> Result<Vec<(TableRow<'a>, &'a Migration)>, Vec<AdoptError>> {
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
            same.push((rows.swap_remove(index), migration));
        }
        Ok(same)
    }

    /// Finds the files that have the version of an applied migration.
    fn of_version(self, table: &Table, migrations: &[Migration]) -> Vec<MatchedRow> {
        let applied = self.applied_versions(table);
        let index = |row: &str| migrations.iter().position(|it| is_same(row, &it.version.0));
        if self.format() == Format::GolangMigrate {
            let last = applied.first().and_then(|last| Some((*last, index(last)?)));
            let Some((last, index)) = last else { return Vec::new() };
            let row = format!("{last} and earlier");
            return migrations[..=index].iter().map(|it| MatchedRow::of(&row, it)).collect();
        }
        let matched = migrations.iter().filter_map(|migration| {
            let row = applied.iter().find(|row| is_same(row, &migration.version.0))?;
            Some(MatchedRow::of(row, migration))
        });
        matched.collect()
    }

    /// The version in a row. The rows of Drizzle, and those of scripts without a version, have
    /// none.
    fn version(self, row: TableRow<'_>) -> &str {
        let column = match self.format() {
            Format::Goose => "version_id",
            Format::Prisma => "migration_name",
            _ => "version",
        };
        row.text(column).unwrap_or_default()
    }

    /// The versions whose last row says that they are applied.
    fn applied_versions(self, table: &Table) -> Vec<&str> {
        let rank = if self.format() == Format::Goose { "id" } else { "installed_rank" };
        let mut last: BTreeMap<&str, (i64, TableRow<'_>)> = BTreeMap::new();
        for row in table.rows() {
            let rank = row.text(rank).and_then(|rank| rank.parse().ok()).unwrap_or_default();
            let found = last.entry(self.version(row)).or_insert((rank, row));
            if found.0 <= rank {
                *found = (rank, row);
            }
        }
        let applied = last.into_iter().filter(|(_, (_, row))| is_applied(*row));
        applied.map(|(version, _)| version).collect()
    }
}

/// Whether a version in a row is that of a file.
fn is_same(row: &str, own: &str) -> bool {
    row == own || Key::number(own).is_some_and(|own| Key::number(row) == Some(own))
}

/// Whether a row does not say that its migration failed or was reverted.
fn is_applied(row: TableRow<'_>) -> bool {
    let is_true = |column| row.text(column).is_none_or(|_| row.is_true(column));
    is_true("success")
        && is_true("is_applied")
        && !row.is_true("dirty")
        && row.text("rolled_back_at").is_none()
        && !flyway::is_reverted(row)
        && !atlas::is_unfinished(row)
}
