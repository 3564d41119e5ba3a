//! Recognizes history tables by name, columns and neighbors.

use std::collections::BTreeSet;

use super::{HISTORY_TABLES, HistoryTable, HistoryTableSpec};
use crate::formats::Format;
use crate::migration::table::{Table, TableColumn};

/// The name that several tools use.
const SHARED_NAME: &str = "schema_migrations";
/// A table of Active Record, which has its history next to it.
const NEIGHBOR_OF_RAILS: &str = "ar_internal_metadata";

/// Why a table is not read as a history table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Its name belongs to a tool, but it lacks columns of that tool.
    Lacks {
        /// The tool, for messages.
        tool: &'static str,
        /// The columns that it lacks.
        columns: Vec<&'static str>,
    },
    /// Its name belongs to several tools, and its columns to none of them.
    NoTool,
    /// It has the columns of another tool than the requested one.
    OfOtherTool(HistoryTable),
    /// It belongs to a tool that is not supported.
    OfUnsupportedTool(&'static str),
    /// Its only column `version` is also that of many other tables.
    OnlyVersion,
}

/// A tool whose history table is recognized and not read.
struct UnsupportedTool {
    name: &'static str,
    /// The default name of its history table.
    table: &'static str,
    /// Columns of the table.
    columns: &'static [&'static str],
}

static UNSUPPORTED: &[UnsupportedTool] = &[
    UnsupportedTool {
        name: "Liquibase",
        table: "databasechangelog",
        columns: &["id", "author", "filename"],
    },
    UnsupportedTool {
        name: "node-pg-migrate",
        table: "pgmigrations",
        columns: &["name", "run_on"],
    },
    UnsupportedTool { name: "tern", table: "schema_version", columns: &["version"] },
    UnsupportedTool { name: "Alembic", table: "alembic_version", columns: &["version_num"] },
    UnsupportedTool { name: "Knex", table: "knex_migrations", columns: &["name", "batch"] },
    UnsupportedTool { name: "Sequelize", table: "SequelizeMeta", columns: &["name"] },
    UnsupportedTool {
        name: "Entity Framework",
        table: "__EFMigrationsHistory",
        columns: &["MigrationId", "ProductVersion"],
    },
    UnsupportedTool { name: "Django", table: "django_migrations", columns: &["app", "name"] },
];

/// A table that looks like a history table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognized {
    /// A history table under the default name of its tool.
    History(HistoryTable),
    /// A table with the columns of a tool, and another name than the default one.
    Renamed(HistoryTable),
    /// The history table of a tool that is not supported.
    Unsupported(&'static str),
    /// A table with the default name of a tool that cannot be read.
    Unreadable(Unreadable),
}

/// The names of the tables to search for, without their schemas: history tables, and the table that
/// identifies that of Rails.
pub fn searched_names() -> impl Iterator<Item = &'static str> {
    let supported = HISTORY_TABLES.iter().map(|spec| spec.name);
    let unsupported = UNSUPPORTED.iter().map(|tool| tool.table);
    let names: BTreeSet<_> = supported.chain(unsupported).chain([NEIGHBOR_OF_RAILS]).collect();
    names.into_iter()
}

/// The columns that identify a history table under any name, in one set for each kind.
pub fn searched_columns() -> impl Iterator<Item = &'static [&'static str]> {
    HISTORY_TABLES.iter().filter(|spec| !spec.created.is_empty()).map(|spec| spec.required)
}

/// Recognizes the tables that were found. Tables without the marks of a history table are not in
/// the result.
pub fn recognize(found: &[Table]) -> impl Iterator<Item = (&Table, Recognized)> {
    let histories = found.iter().filter(|table| !HistoryTable::is_neighbor(table));
    histories.filter_map(|table| {
        let is_default = HISTORY_TABLES.iter().any(|spec| spec.name == table.name.name);
        let recognized = if let Some(tool) = unsupported_tool(table, found) {
            Recognized::Unsupported(tool)
        } else if !is_default {
            Recognized::Renamed(HistoryTable::under_another_name(table)?)
        } else if let Some(history) = HistoryTable::of(table, false) {
            Recognized::History(history)
        } else if table.name.name == SHARED_NAME {
            Recognized::Unreadable(Unreadable::NoTool)
        } else {
            Recognized::Unreadable(lacks(table, |spec| spec.name == table.name.name))
        };
        Some((table, recognized))
    })
}

/// The tool to which a table belongs, if it is one that is not supported.
fn unsupported_tool(table: &Table, found: &[Table]) -> Option<&'static str> {
    if table.name.name != SHARED_NAME {
        // A table called `schema_version` may have any columns, so a single one must be the only
        // one.
        let has_columns = |columns: &[&str]| {
            table.has(columns) && (columns.len() > 1 || table.columns.len() == 1)
        };
        let is_of = |tool: &&UnsupportedTool| {
            table.name.name.eq_ignore_ascii_case(tool.table) && has_columns(tool.columns)
        };
        return UNSUPPORTED.iter().find(is_of).map(|tool| tool.name);
    }
    let is_neighbor =
        |it: &Table| HistoryTable::is_neighbor(it) && it.name.schema == table.name.schema;
    let rails = || found.iter().any(is_neighbor).then_some("Rails");
    table.has(&["inserted_at"]).then_some("Ecto").or_else(rails)
}

/// What the table lacks of the kind to which it is closest.
fn lacks(table: &Table, is_candidate: impl Fn(&HistoryTableSpec) -> bool) -> Unreadable {
    let missing = |spec: &'static HistoryTableSpec| {
        let columns = spec.required.iter().copied().filter(|column| !table.has(&[column]));
        (HistoryTable(spec).tool(), columns.collect::<Vec<_>>())
    };
    let candidates = HISTORY_TABLES.iter().filter(|spec| is_candidate(spec)).map(missing);
    let closest = candidates.min_by_key(|(_, columns)| columns.len());
    closest.map_or(Unreadable::NoTool, |(tool, columns)| Unreadable::Lacks { tool, columns })
}

impl HistoryTable {
    /// Recognizes a table that the user has requested. It may have any name, and columns that its
    /// tool does not create. `found` are all tables of the search.
    ///
    /// # Errors
    /// The table lacks columns, or belongs to another tool than that with this format.
    pub fn requested(
        table: &Table,
        format: Option<Format>,
        found: &[Table],
    ) -> Result<Self, Unreadable> {
        if let Some(tool) = unsupported_tool(table, found) {
            return Err(Unreadable::OfUnsupportedTool(tool));
        }
        let (history, format) = match (Self::of(table, true), format) {
            (Some(history), None) if history.0.exact && table.name.name != history.0.name => {
                return Err(Unreadable::OnlyVersion);
            }
            (history, None) => return history.ok_or(Unreadable::NoTool),
            (history, Some(format)) => (history, format),
        };
        match history {
            Some(history) if history.format() == format => Ok(history),
            Some(history) => Err(Unreadable::OfOtherTool(history)),
            None => {
                let is_whole =
                    |spec: &&HistoryTableSpec| spec.format == format && table.has(spec.required);
                let whole = HISTORY_TABLES.iter().find(is_whole).map(Self);
                whole.ok_or_else(|| lacks(table, |spec| spec.format == format))
            }
        }
    }

    /// Recognizes a table that has no default name by the columns that its tool creates.
    fn under_another_name(table: &Table) -> Option<Self> {
        let is_like = |spec: &&HistoryTableSpec| {
            let is_created = |column: &TableColumn| spec.created.contains(&column.name.as_str());
            table.has(spec.required)
                && table.columns.iter().all(is_created)
                && spec.typed.iter().all(|(column, kind)| table.kind(column) == Some(*kind))
        };
        HISTORY_TABLES.iter().find(is_like).map(Self)
    }

    /// Whether it is the default name of the history table of a tool. `None` means any tool.
    #[must_use]
    pub fn is_default_name(name: &str, format: Option<Format>) -> bool {
        let is_of = |spec: &HistoryTableSpec| format.is_none_or(|it| it == spec.format);
        HISTORY_TABLES.iter().any(|spec| is_of(spec) && spec.name == name)
    }

    /// Whether the tool with this format can have left a history table of the files of a directory.
    #[must_use]
    pub fn any_fits(tool: Format, directory: Format) -> bool {
        HISTORY_TABLES.iter().any(|spec| spec.format == tool && Self(spec).fits(directory))
    }

    /// Whether a table is only there to identify another one.
    #[must_use]
    pub fn is_neighbor(table: &Table) -> bool {
        table.name.name == NEIGHBOR_OF_RAILS
    }
}
