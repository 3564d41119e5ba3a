//! Chooses among the tables of a cluster the history table that a resource adopts from, and finds
//! those that it does not read although they may list its migrations.

use super::AdoptionRequest;
use super::config::AdoptionSource;
use crate::database::{AdoptedByOther, FoundTables, Session, TableSearch};
use crate::diagnostic::Diagnostic;
use crate::formats::Format;
use crate::formats::adopt::{
    HistoryTable, Recognized, Unreadable, recognize, searched_columns, searched_names,
};
use crate::migration::fact::QualifiedName;
use crate::migration::table::Table;
use crate::provider::diagnostics::{self, HistoryRequest, Remedies, Unread, UnreadTable};

/// The history tables of a cluster.
#[derive(Debug, Default)]
pub(super) struct HistoryTables {
    /// The tables that can be read, with the columns that are read.
    pub(super) tables: Vec<Table>,
    /// The kind of each of them.
    pub(super) histories: Vec<HistoryTable>,
    /// The tables that are not read.
    pub(super) unread: Vec<UnreadTable>,
    /// The migrations that other sets have adopted.
    pub(super) adopted_by_others: Vec<AdoptedByOther>,
}

impl HistoryTables {
    fn push(&mut self, table: &Table, history: HistoryTable) {
        let mut table = table.clone();
        history.choose_columns(&mut table);
        self.tables.push(table);
        self.histories.push(history);
    }

    fn leave(&mut self, name: &QualifiedName, why: Unread) {
        self.unread.push(UnreadTable { name: name.clone(), why });
    }

    /// The only history table that has rows; one without rows says nothing.
    pub(super) fn only_filled(
        tables: Vec<Table>,
        histories: Vec<HistoryTable>,
        remedies: Remedies,
    ) -> Result<Option<(Table, HistoryTable)>, Vec<Diagnostic>> {
        let mut filled: Vec<_> =
            tables.into_iter().zip(histories).filter(|(table, _)| !table.rows.is_empty()).collect();
        if filled.len() > 1 {
            return Err(vec![diagnostics::several_history_tables(&filled, remedies)]);
        }
        Ok(filled.pop())
    }
}

impl AdoptionRequest<'_> {
    /// Reads which history tables the cluster has.
    pub(super) async fn history_tables(
        &self,
        session: &mut Session,
    ) -> Result<HistoryTables, Vec<Diagnostic>> {
        let of_any_schema = |name: &str| QualifiedName { schema: None, name: name.to_owned() };
        let requested = self.config.table.iter().cloned();
        let names: Vec<_> = searched_names().map(of_any_schema).chain(requested).collect();
        let columns: Vec<_> = searched_columns().collect();
        let search = TableSearch { names: &names, columns: &columns };
        let set = self.observation.ledger.exists().then_some(self.operation.set());
        let found = session.find_tables(search, &self.operation.location.ledger, set).await;
        let found = found.map_err(|error| self.failed(&error))?;
        let FoundTables { tables, of_other_sets, adopted_by_others } = found;
        let mut chosen = HistoryTables { adopted_by_others, ..self.choose(&tables)? };
        for name in &of_other_sets {
            chosen.leave(name, Unread::OfOtherSet);
        }
        Ok(chosen)
    }

    /// What the configuration requests explicitly.
    pub(super) fn requested(&self) -> Option<HistoryRequest<'_>> {
        match (&self.config.table, self.config.source) {
            (Some(name), _) => Some(HistoryRequest::Table(name)),
            (None, AdoptionSource::Tool(format)) => Some(HistoryRequest::Tool(format)),
            (None, AdoptionSource::Any | AdoptionSource::Nothing) => None,
        }
    }

    /// Chooses the tables to read.
    fn choose(&self, found: &[Table]) -> Result<HistoryTables, Vec<Diagnostic>> {
        match (&self.config.table, self.config.source) {
            (Some(_), AdoptionSource::Tool(format)) => self.choose_requested(found, Some(format)),
            (Some(_), _) => self.choose_requested(found, None),
            (None, AdoptionSource::Tool(format)) => self.choose_requested(found, Some(format)),
            (None, _) => choose_any(found, self.format()),
        }
    }

    fn choose_requested(
        &self,
        found: &[Table],
        tool: Option<Format>,
    ) -> Result<HistoryTables, Vec<Diagnostic>> {
        let mut chosen = HistoryTables::default();
        let mut errors = Vec::new();
        let (requested, others): (Vec<_>, Vec<_>) =
            found.iter().partition(|table| self.is_requested(table, tool));
        for table in requested {
            // Files of dbmate say that the table is that of dbmate.
            let tool = tool.or_else(|| Some(self.format()).filter(|it| *it == Format::Dbmate));
            match HistoryTable::requested(table, tool, found) {
                Ok(history) => chosen.push(table, history),
                Err(why) => errors.push(diagnostics::unreadable_history_table(
                    &table.name,
                    &why,
                    self.format(),
                    self.config.table.is_some(),
                )),
            }
        }
        for (table, recognized) in recognize(found) {
            if others.contains(&table)
                && let Some(why) = not_requested(&recognized)
            {
                chosen.leave(&table.name, why);
            }
        }
        // If one table can be read, another one of the same name does not matter.
        if chosen.tables.is_empty() && !errors.is_empty() { Err(errors) } else { Ok(chosen) }
    }

    /// Whether a table has the name that the configuration requests.
    fn is_requested(&self, table: &Table, tool: Option<Format>) -> bool {
        let name = &table.name;
        match &self.config.table {
            Some(_) => self.names_table(name),
            None => tool.is_some_and(|it| HistoryTable::is_default_name(&name.name, Some(it))),
        }
    }

    /// Whether `adopt_table` names this table.
    pub(super) fn names_table(&self, table: &QualifiedName) -> bool {
        self.config.table.as_ref().is_some_and(|requested| {
            requested.name == table.name
                && (requested.schema.is_none() || requested.schema == table.schema)
        })
    }
}

/// Chooses among all tables. One that has the name of a tool's history table and cannot be read
/// would make its migrations run again.
fn choose_any(found: &[Table], format: Format) -> Result<HistoryTables, Vec<Diagnostic>> {
    let mut chosen = HistoryTables::default();
    let mut errors = Vec::new();
    for (table, recognized) in recognize(found) {
        match recognized {
            Recognized::History(history) => chosen.push(table, history),
            Recognized::Renamed(history) => chosen.leave(&table.name, Unread::Renamed(history)),
            Recognized::Unsupported(tool) => chosen.leave(&table.name, Unread::Unsupported(tool)),
            Recognized::Unreadable(Unreadable::NoTool) => {
                chosen.leave(&table.name, Unread::UnknownColumns);
            }
            Recognized::Unreadable(why) => {
                let error = diagnostics::unreadable_history_table(&table.name, &why, format, false);
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(chosen) } else { Err(errors) }
}

/// Why a table that nobody has requested is not read; `None` if it is not a history table.
fn not_requested(recognized: &Recognized) -> Option<Unread> {
    Some(match recognized {
        Recognized::History(history) => Unread::NotRequested(*history),
        Recognized::Renamed(history) => Unread::Renamed(*history),
        Recognized::Unsupported(tool) => Unread::Unsupported(tool),
        Recognized::Unreadable(_) => return None,
    })
}
