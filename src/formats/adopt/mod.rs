//! Adopts migrations from the history tables of other tools: recognizes a table, and compares its
//! rows with the files of a directory.
//!
//! Pure, except that it reads the files again for a tool that stores checksums, because their texts
//! are not kept. The engine compares the result with the catalog.

mod atlas;
mod checksum;
mod compare;
mod converted;
mod counted;
mod drizzle;
mod error;
mod files;
mod flyway;
mod hashed;
mod recognize;
mod refinery;
mod runner;
mod unfinished;

use std::collections::BTreeSet;

use super::Format;
use crate::migration::table::{ColumnKind, Table};
use crate::migration::{Migration, Version};

pub use compare::Comparison;
pub use converted::{MatchedBy, MatchedRows};
pub use error::{AdoptError, RecordedFile};
pub use recognize::{Recognized, Unreadable, recognize, searched_columns, searched_names};
pub use unfinished::{Settlement, UnfinishedRow};

use self::files::SetFiles;
use self::runner::columns::Meaning;

/// A kind of history table that can be read.
#[derive(Debug)]
struct HistoryTableSpec {
    /// The format of its tool; `plain` for the table of a custom runner.
    format: Format,
    /// Its default name, in any schema.
    name: &'static str,
    /// The columns that identify it.
    required: &'static [&'static str],
    /// Columns that are read if they exist.
    optional: &'static [&'static str],
    /// Whether it has no other columns: a column `version` alone occurs in many history tables.
    exact: bool,
    /// All columns that its tool creates, by which a table under another name is recognized; empty
    /// if ordinary tables have such columns.
    created: &'static [&'static str],
    /// Columns that such a table must have with these types, because tables of applications may
    /// have columns with the same names.
    typed: &'static [(&'static str, ColumnKind)],
    /// The formats of the directories that it can describe; empty if it can describe any.
    formats: &'static [Format],
    read: fn(&Table, &SetFiles<'_>) -> Result<compare::HistoryContents, Vec<AdoptError>>,
}

/// The kinds, in the order in which a table is compared with them.
static HISTORY_TABLES: &[HistoryTableSpec] = &[
    HistoryTableSpec {
        format: Format::Drizzle,
        name: "__drizzle_migrations",
        required: &["migration_folder_millis", "statement_index", "migration_hash"],
        optional: &[],
        exact: false,
        created: &[
            "id",
            "migration_hash",
            "migration_folder_millis",
            "statement_index",
            "statement_hash",
            "created_at",
        ],
        typed: &[("migration_folder_millis", ColumnKind::Number)],
        formats: &[Format::Drizzle],
        read: drizzle::of_statements,
    },
    HistoryTableSpec {
        format: Format::Drizzle,
        name: "__drizzle_migrations",
        required: &["hash", "created_at"],
        optional: &["name"],
        exact: false,
        created: &["id", "hash", "created_at", "name", "applied_at", "version"],
        typed: &[("hash", ColumnKind::Text), ("created_at", ColumnKind::Number)],
        formats: &[Format::Drizzle],
        read: drizzle::of_files,
    },
    HistoryTableSpec {
        format: Format::Flyway,
        name: "flyway_schema_history",
        required: &["installed_rank", "version", "success"],
        optional: &["type", "checksum", "script"],
        exact: false,
        created: &[
            "installed_rank",
            // Before version 4.
            "version_rank",
            "version",
            "description",
            "type",
            "script",
            "checksum",
            "installed_by",
            "installed_on",
            "execution_time",
            "success",
        ],
        typed: &[("installed_rank", ColumnKind::Number), ("success", ColumnKind::Boolean)],
        formats: &[Format::Flyway],
        read: flyway::read,
    },
    HistoryTableSpec {
        format: Format::Atlas,
        name: "atlas_schema_revisions",
        required: &["version", "applied", "total"],
        optional: &["type", "hash", "error", "executed_at"],
        exact: false,
        created: &[
            "version",
            "description",
            "type",
            "applied",
            "total",
            "executed_at",
            "execution_time",
            "error",
            "error_stmt",
            "hash",
            "partial_hashes",
            "operator_version",
        ],
        typed: &[
            ("applied", ColumnKind::Number),
            ("total", ColumnKind::Number),
            ("hash", ColumnKind::Text),
        ],
        formats: &[Format::Atlas],
        read: atlas::read,
    },
    HistoryTableSpec {
        format: Format::Sqlx,
        name: "_sqlx_migrations",
        required: &["version", "success", "checksum"],
        optional: &["description"],
        exact: false,
        created: &[
            "version",
            "description",
            "installed_on",
            "success",
            "checksum",
            "execution_time",
        ],
        typed: &[("version", ColumnKind::Number), ("checksum", ColumnKind::Bytes)],
        formats: &[Format::Sqlx],
        read: hashed::sqlx,
    },
    HistoryTableSpec {
        format: Format::Goose,
        name: "goose_db_version",
        required: &["version_id", "is_applied"],
        optional: &["id"],
        exact: false,
        created: &["id", "version_id", "is_applied", "tstamp"],
        typed: &[("version_id", ColumnKind::Number), ("is_applied", ColumnKind::Boolean)],
        formats: &[Format::Goose],
        read: counted::goose,
    },
    HistoryTableSpec {
        format: Format::GolangMigrate,
        name: "schema_migrations",
        required: &["version", "dirty"],
        optional: &[],
        exact: false,
        created: &["version", "dirty"],
        typed: &[("version", ColumnKind::Number), ("dirty", ColumnKind::Boolean)],
        formats: &[Format::GolangMigrate],
        read: counted::golang_migrate,
    },
    HistoryTableSpec {
        format: Format::Plain,
        name: "schema_migrations",
        required: &["version", "applied_at"],
        optional: &[],
        exact: false,
        created: &[],
        typed: &[],
        formats: &[],
        read: runner::read,
    },
    HistoryTableSpec {
        format: Format::Prisma,
        name: "_prisma_migrations",
        required: &["migration_name", "finished_at"],
        optional: &["rolled_back_at", "checksum"],
        exact: false,
        created: &[
            "id",
            "checksum",
            "finished_at",
            "migration_name",
            "logs",
            "rolled_back_at",
            "started_at",
            "applied_steps_count",
        ],
        typed: &[("migration_name", ColumnKind::Text), ("finished_at", ColumnKind::Time)],
        formats: &[Format::Prisma],
        read: hashed::prisma,
    },
    HistoryTableSpec {
        format: Format::Refinery,
        name: "refinery_schema_history",
        required: &["version", "name", "checksum"],
        optional: &[],
        exact: false,
        created: &["version", "name", "applied_on", "checksum"],
        typed: &[("version", ColumnKind::Number), ("applied_on", ColumnKind::Text)],
        formats: &[Format::Refinery],
        read: refinery::read,
    },
    HistoryTableSpec {
        format: Format::Dbmate,
        name: "schema_migrations",
        required: &["version"],
        optional: &[],
        exact: true,
        created: &[],
        typed: &[],
        formats: &[Format::Dbmate, Format::Plain],
        read: counted::dbmate,
    },
];

/// A history table of another tool, recognized by its name and its columns.
#[derive(Debug, Clone, Copy)]
pub struct HistoryTable(&'static HistoryTableSpec);

impl PartialEq for HistoryTable {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for HistoryTable {}

impl HistoryTable {
    /// Recognizes a table. `renamed` means that its name is not the default name.
    #[must_use]
    pub fn of(table: &Table, renamed: bool) -> Option<Self> {
        let is_like = |spec: &&HistoryTableSpec| {
            (renamed || table.name.name == spec.name)
                && table.has(spec.required)
                && (!spec.exact || table.columns.len() == spec.required.len())
        };
        HISTORY_TABLES.iter().find(is_like).map(Self)
    }

    /// The format of its tool's directories.
    #[must_use]
    pub fn format(self) -> Format {
        self.0.format
    }

    /// What messages call the tool of a custom table.
    pub const OWN_RUNNER: &'static str = "your own runner";

    /// The name of its tool, for messages.
    #[must_use]
    pub fn tool(self) -> &'static str {
        Self::tool_of(self.0.format)
    }

    /// The name of the tool with this format, for messages.
    #[must_use]
    pub fn tool_of(format: Format) -> &'static str {
        if format == Format::Plain { Self::OWN_RUNNER } else { format.tool() }
    }

    /// The default name of the history table of the tool with this format.
    #[must_use]
    pub fn default_name(format: Format) -> &'static str {
        let mut specs = HISTORY_TABLES.iter();
        specs.find(|spec| spec.format == format).map_or("", |spec| spec.name)
    }

    /// Whether it shows that a file was edited after its tool had applied it.
    #[must_use]
    pub fn has_checksums(self) -> bool {
        let columns = self.0.required.iter().chain(self.0.optional);
        columns.into_iter().any(|it| matches!(*it, "checksum" | "hash" | "migration_hash"))
    }

    /// Whether it can describe the files of a directory with this format.
    #[must_use]
    pub fn fits(self, directory: Format) -> bool {
        self.0.formats.is_empty() || self.0.formats.contains(&directory)
    }

    /// Removes the columns that are not read. In the table of a custom runner, any column may
    /// say that a migration is not applied.
    pub fn choose_columns(self, table: &mut Table) {
        table.columns.retain(|column| {
            let name = column.name.as_str();
            let may_decide = || runner::columns::meaning(name) != Some(Meaning::Detail);
            self.0.required.contains(&name)
                || self.0.optional.contains(&name)
                || self.0.format == Format::Plain && (name == "id" || may_decide())
        });
    }

    /// Compares the rows with the files.
    ///
    /// # Errors
    ///
    /// Everything that prevents the migrations from being adopted.
    pub fn compare(
        self,
        table: &Table,
        question: &Question<'_>,
    ) -> Result<Comparison, Vec<AdoptError>> {
        let files = SetFiles {
            dir: question.dir,
            migrations: question.migrations,
            repeatable: question.repeatable,
            baselines: question.baselines,
        };
        let contents = (self.0.read)(table, &files)?;
        compare::compare(&table.name, &contents, &files, question)
    }
}

/// The migration set that a history table is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The directory as written; `None` for a map of files.
    pub dir: Option<&'a str>,
    /// The migrations of the set that run once, in order. A baseline is among them only if it is
    /// the first.
    pub migrations: &'a [Migration],
    /// The migrations that run again when they change, if the tool has such migrations.
    pub repeatable: &'a [Migration],
    /// Versions of the baselines that are not among them, because the files that they replace
    /// exist.
    pub baselines: &'a [&'a Version],
    /// Versions that the ledger lists, which are not compared.
    pub known: &'a BTreeSet<&'a Version>,
    /// Those of them that were adopted. The table was compared up to the last of them before.
    pub adopted: &'a BTreeSet<&'a Version>,
    /// Versions whose text may differ from what the tool has run.
    pub accepted: &'a BTreeSet<&'a Version>,
    /// Versions whose files were removed on purpose.
    pub removed: &'a BTreeSet<Version>,
    /// Everything up to this version counts as applied, regardless of the history table.
    pub baseline: Option<&'a Version>,
}

#[cfg(test)]
mod tests;
