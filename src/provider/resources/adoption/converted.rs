//! Explains a history table that lists files of another format than the directory has, because the
//! directory was converted since.

use super::AdoptionRequest;
use crate::diagnostic::Diagnostic;
use crate::engine::adoption;
use crate::formats::adopt::{AdoptError, HistoryTable, SameText};
use crate::migration::Version;
use crate::migration::fact::Facts;
use crate::migration::table::Table;
use crate::provider::diagnostics::{self, Conversion};

impl AdoptionRequest<'_> {
    /// Whether a table lists no file of the directory, and its tool has another format.
    pub(super) fn is_converted(
        &self,
        history: HistoryTable,
        table: &Table,
        errors: &[AdoptError],
    ) -> bool {
        let has_no_file = |error: &AdoptError| matches!(error, AdoptError::NoFile { .. });
        history.format() != self.format()
            && errors.len() == table.rows.len()
            && errors.iter().all(has_no_file)
    }

    /// The error for such a table, with the configuration that adopts what was applied.
    pub(super) async fn converted(
        &self,
        history: HistoryTable,
        table: &Table,
        facts: &Facts,
    ) -> Vec<Diagnostic> {
        let source = self.operation.model.known.source;
        let (read, migrations) = (table.clone(), self.migrations().to_vec());
        let compare = move || history.same_texts(&read, &migrations);
        let same = match self.operation.limit.of_files(source.argument(), compare).await {
            Ok(same) => same.unwrap_or_default(),
            Err(error) => return vec![error],
        };
        let conversion = Conversion {
            baseline: self
                .last_same(&same)
                .or_else(|| adoption::last_shown(self.migrations(), facts)),
            same: &same,
        };
        vec![diagnostics::history_table_mismatch(history, table, self.format(), &conversion)]
    }

    /// The last file with an applied text, if all files before it have one too.
    fn last_same(&self, same: &[SameText]) -> Option<&Version> {
        let last = same.len().checked_sub(1)?;
        let is_same = self.migrations().iter().zip(same).all(|(m, same)| m.version == same.version);
        let migration = self.migrations().get(last)?;
        is_same.then_some(&migration.version)
    }
}
