//! The ledgers of other tools: which table is whose, and what it says of the files of a directory.
//!
//! Pure but for the texts of the files, which are read once more where a tool has kept checksums:
//! as a rule nobody needs them. What the database holds is compared by the engine; here the rows
//! and the files are.

mod checksum;
mod compare;
mod counted;
mod drizzle;
mod error;
mod files;
mod flyway;
mod hashed;
mod named;

use std::collections::BTreeSet;

use super::Format;
use crate::migration::table::Table;
use crate::migration::{Migration, Version};

pub use compare::Comparison;
pub use error::AdoptError;

use self::files::SetFiles;

/// A kind of ledger that can be read.
#[derive(Debug)]
struct HistoryTableSpec {
    /// Whose it is; `plain` for the kind that people write themselves.
    format: Format,
    /// What it is called by default, in whatever schema.
    name: &'static str,
    /// The columns that it is told by.
    needs: &'static [&'static str],
    /// Columns that are read where they are there.
    wants: &'static [&'static str],
    /// Whether other columns mean another kind: a bare `version` is in half of all ledgers.
    alone: bool,
    /// The formats of directories that it can tell of.
    fits: &'static [Format],
    read: fn(&Table, &SetFiles<'_>) -> Result<compare::HistoryContents, Vec<AdoptError>>,
}

/// In the order in which a table is compared with them.
static HISTORY_TABLES: &[HistoryTableSpec] = &[
    HistoryTableSpec {
        format: Format::Drizzle,
        name: "__drizzle_migrations",
        needs: &["migration_folder_millis", "statement_index", "migration_hash"],
        wants: &[],
        alone: false,
        fits: &[Format::Drizzle],
        read: drizzle::of_statements,
    },
    HistoryTableSpec {
        format: Format::Drizzle,
        name: "__drizzle_migrations",
        needs: &["hash", "created_at"],
        wants: &["name"],
        alone: false,
        fits: &[Format::Drizzle],
        read: drizzle::of_files,
    },
    HistoryTableSpec {
        format: Format::Flyway,
        name: "flyway_schema_history",
        needs: &["installed_rank", "version", "type", "success"],
        wants: &["checksum", "script"],
        alone: false,
        fits: &[Format::Flyway],
        read: flyway::read,
    },
    HistoryTableSpec {
        format: Format::Atlas,
        name: "atlas_schema_revisions",
        needs: &["version", "type", "applied", "total"],
        wants: &["hash", "error"],
        alone: false,
        fits: &[Format::Atlas],
        read: hashed::atlas,
    },
    HistoryTableSpec {
        format: Format::Sqlx,
        name: "_sqlx_migrations",
        needs: &["version", "success", "checksum"],
        wants: &["description"],
        alone: false,
        fits: &[Format::Sqlx],
        read: hashed::sqlx,
    },
    HistoryTableSpec {
        format: Format::Goose,
        name: "goose_db_version",
        needs: &["version_id", "is_applied"],
        wants: &["id"],
        alone: false,
        fits: &[Format::Goose],
        read: counted::goose,
    },
    HistoryTableSpec {
        format: Format::GolangMigrate,
        name: "schema_migrations",
        needs: &["version", "dirty"],
        wants: &[],
        alone: false,
        fits: &[Format::GolangMigrate],
        read: counted::golang_migrate,
    },
    HistoryTableSpec {
        format: Format::Plain,
        name: "schema_migrations",
        needs: &["version", "name", "applied_at"],
        wants: &[],
        alone: false,
        fits: &[Format::Plain],
        read: named::home_made,
    },
    HistoryTableSpec {
        format: Format::Prisma,
        name: "_prisma_migrations",
        needs: &["migration_name", "finished_at", "rolled_back_at"],
        wants: &["checksum"],
        alone: false,
        fits: &[Format::Prisma],
        read: hashed::prisma,
    },
    HistoryTableSpec {
        format: Format::Refinery,
        name: "refinery_schema_history",
        needs: &["version", "name", "checksum"],
        wants: &[],
        alone: false,
        fits: &[Format::Refinery],
        read: hashed::refinery,
    },
    HistoryTableSpec {
        format: Format::Dbmate,
        name: "schema_migrations",
        needs: &["version"],
        wants: &[],
        alone: true,
        fits: &[Format::Dbmate, Format::Plain],
        read: named::dbmate,
    },
];

/// A ledger of another tool, told by its name and its columns.
#[derive(Debug, Clone, Copy)]
pub struct Ledger(&'static HistoryTableSpec);

/// What the ledgers are called by default, without their schemas.
#[must_use]
pub fn ledger_names() -> BTreeSet<&'static str> {
    HISTORY_TABLES.iter().map(|known| known.name).collect()
}

impl Ledger {
    /// Tells whose ledger a table is. `renamed` is a table whose name says nothing.
    #[must_use]
    pub fn of(table: &Table, renamed: bool) -> Option<Self> {
        let fits = |known: &&HistoryTableSpec| {
            (renamed || table.name.name == known.name)
                && table.has(known.needs)
                && (!known.alone || table.columns.len() == known.needs.len())
        };
        HISTORY_TABLES.iter().find(fits).map(Self)
    }

    /// The format of the tool's own directories.
    #[must_use]
    pub fn format(self) -> Format {
        self.0.format
    }

    /// Whose it is, in words.
    #[must_use]
    pub fn tool(self) -> &'static str {
        if self.0.format == Format::Plain { "a runner of your own" } else { self.0.format.tool() }
    }

    /// Whether it can tell of the files of such a directory.
    #[must_use]
    pub fn fits(self, directory: Format) -> bool {
        self.0.fits.contains(&directory)
    }

    /// Leaves only the columns that are read.
    pub fn choose_columns(self, table: &mut Table) {
        table.columns.retain(|column| {
            let column = column.as_str();
            self.0.needs.contains(&column) || self.0.wants.contains(&column)
        });
    }

    /// Compares the rows with the files.
    ///
    /// # Errors
    /// Everything that keeps the ledger from being taken over.
    pub fn compare(
        self,
        table: &Table,
        question: &Question<'_>,
    ) -> Result<Comparison, Vec<AdoptError>> {
        let files = SetFiles {
            dir: question.dir,
            migrations: question.migrations,
            baselines: question.baselines,
        };
        let contents = (self.0.read)(table, &files)?;
        compare::compare(&table.name, &contents, &files, question)
    }
}

/// What a ledger is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The directory as written; `None` for a map of files.
    pub dir: Option<&'a str>,
    /// The migrations of the set that run once, in order; a baseline only where it is the first.
    pub migrations: &'a [Migration],
    /// Versions of baselines that are not among them, because the files are there that they stand
    /// for.
    pub baselines: &'a [&'a Version],
    /// Those about which nothing is asked: the provider's own ledger knows them.
    pub known: &'a BTreeSet<&'a Version>,
    /// Those whose text may differ from what the tool has run.
    pub accepted: &'a BTreeSet<&'a Version>,
    /// Those whose files were removed on purpose.
    pub removed: &'a BTreeSet<Version>,
    /// Up to here everything counts as applied, whatever the ledger says.
    pub baseline: Option<&'a Version>,
}

#[cfg(test)]
mod tests;
