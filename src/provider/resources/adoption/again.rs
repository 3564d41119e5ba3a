//! Reads again the history tables from which a set was adopted, because their tool may have run
//! once more since.

use std::collections::BTreeSet;

use super::config::AdoptionSource;
use super::{Adoption, AdoptionRequest, Declared};
use crate::database::{KnownTable, Session};
use crate::diagnostic::Diagnostic;
use crate::engine::adoption;
use crate::formats::adopt::HistoryTable;
use crate::migration::fact::{Facts, QualifiedName};
use crate::provider::diagnostics;

/// The history tables that are read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HistorySource {
    /// Those that a search finds.
    Search,
    /// Those from which the set was adopted.
    Adopted(BTreeSet<QualifiedName>),
    Nothing,
}

impl AdoptionRequest<'_> {
    /// The history tables that are read while a migration is pending.
    pub(super) fn history_source(&self) -> HistorySource {
        if self.config.source == AdoptionSource::Nothing {
            return HistorySource::Nothing;
        }
        let is_untouched = adoption::is_untouched(&self.records);
        let adopted = adoption::history_tables(&self.observation.migrations);
        let is_tool = matches!(self.config.source, AdoptionSource::Tool(_));
        // With the name of a tool, the search is not limited to a set without own runs.
        let requests_other = is_tool
            && self.config.table.is_some()
            && !adopted.iter().any(|name| self.names_table(name));
        if is_untouched || requests_other || is_tool && adopted.is_empty() {
            HistorySource::Search
        } else if adopted.is_empty() {
            HistorySource::Nothing
        } else {
            HistorySource::Adopted(adopted)
        }
    }

    /// Finds what the tool has applied since the set was adopted; one round trip for each table.
    pub(super) async fn read_again(
        &self,
        session: &mut Session,
        names: BTreeSet<QualifiedName>,
    ) -> Result<Adoption, Vec<Diagnostic>> {
        let subject = self.operation.subject();
        let (mut declared, mut facts) = (Declared::default(), Facts::default());
        for name in names {
            let read = session.read_known_table(&name, &self.facts()).await;
            let (table, found) = match read.map_err(|error| self.failed(&error))? {
                KnownTable::Read(table, found) => (table, found),
                KnownTable::Gone => continue,
                KnownTable::Denied => {
                    declared.warnings.push(diagnostics::history_table_denied(
                        &name,
                        self.remedies(),
                        &subject,
                    ));
                    continue;
                }
            };
            let of_format = || HistoryTable::requested(&table, Some(self.format()), &[]).ok();
            let history = HistoryTable::of(&table, true).or_else(of_format);
            // A table of another format says nothing about a directory that was converted since.
            let history = history.filter(|it| it.fits(self.format()) && !table.rows.is_empty());
            if let Some(history) = history {
                self.declare(&mut declared, (&table, history), None, &found).await?;
            }
            facts.append(found);
        }
        self.adopt(session, declared, &facts).await
    }
}
