//! Recognizes history tables by name, columns and neighbors.

use std::collections::BTreeSet;

use super::{HISTORY_TABLES, HistoryTable, HistoryTableSpec};
use crate::formats::Format;
use crate::migration::table::Table;

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
    /// It belongs to a tool whose migrations are not files of SQL.
    OfForeignTool(&'static str),
}

/// The names of the tables to search for, without their schemas: history tables, and the table that
/// identifies one of a foreign tool.
pub fn searched_names(format: Option<Format>) -> impl Iterator<Item = &'static str> {
    let is_requested = move |spec: &&HistoryTableSpec| format.is_none_or(|it| it == spec.format);
    let names = HISTORY_TABLES.iter().filter(is_requested).map(|spec| spec.name);
    let names: BTreeSet<_> = names.chain([NEIGHBOR_OF_RAILS]).collect();
    names.into_iter()
}

/// Recognizes the tables that were found under the default names. A neighbor is not a history
/// table, and not in the result.
pub fn recognize(
    found: &[Table],
) -> impl Iterator<Item = (&Table, Result<HistoryTable, Unreadable>)> {
    let histories = found.iter().filter(|table| table.name.name != NEIGHBOR_OF_RAILS);
    histories.map(|table| {
        let recognized = match (foreign_tool(table, found), HistoryTable::of(table, false)) {
            (Some(tool), _) => Err(Unreadable::OfForeignTool(tool)),
            (None, Some(history)) => Ok(history),
            (None, None) if table.name.name == SHARED_NAME => Err(Unreadable::NoTool),
            (None, None) => Err(lacks(table, |spec| spec.name == table.name.name)),
        };
        (table, recognized)
    })
}

/// The tool to which a `schema_migrations` belongs if its migrations are not files of SQL.
fn foreign_tool(table: &Table, found: &[Table]) -> Option<&'static str> {
    let is_neighbor = |other: &Table| {
        other.name.name == NEIGHBOR_OF_RAILS && other.name.schema == table.name.schema
    };
    if table.name.name != SHARED_NAME {
        None
    } else {
        let rails = || found.iter().any(is_neighbor).then_some("Rails");
        table.has(&["inserted_at"]).then_some("Ecto").or_else(rails)
    }
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
    /// Recognizes the history table of a tool that the user has named. It may have any name, and
    /// columns that the tool does not create. `found` are all tables of the search.
    ///
    /// # Errors
    /// The table lacks columns, or belongs to another tool.
    pub fn of_tool(table: &Table, format: Format, found: &[Table]) -> Result<Self, Unreadable> {
        if let Some(tool) = foreign_tool(table, found) {
            return Err(Unreadable::OfForeignTool(tool));
        }
        match Self::of(table, true) {
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

    /// Whether a table is only there to identify another one.
    #[must_use]
    pub fn is_neighbor(table: &Table) -> bool {
        table.name.name == NEIGHBOR_OF_RAILS
    }
}
