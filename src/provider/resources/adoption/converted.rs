//! Explains a history table that lists files of another format than the directory has, because the
//! directory was converted since.

use super::AdoptionRequest;
use crate::diagnostic::Diagnostic;
use crate::engine::adoption;
use crate::formats::adopt::{AdoptError, HistoryTable, MatchedBy, MatchedRows};
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
        let compare = move || history.matched_rows(&read, &migrations);
        let matched = match self.operation.limit.of_files(source.argument(), compare).await {
            Ok(matched) => matched.unwrap_or_default(),
            Err(error) => return vec![error],
        };
        let baseline = self.last_matched(&matched);
        let baseline = baseline.or_else(|| adoption::last_shown(self.migrations(), facts));
        let unseen = baseline.map(|baseline| self.unseen_after(baseline)).unwrap_or_default();
        let conversion = Conversion { matched: &matched, baseline, unseen };
        let (files, remedies) = (self.files(), self.remedies());
        vec![diagnostics::history_table_mismatch(history, table, files, &conversion, remedies)]
    }

    /// The last file with a row, if all files before it have one too. If a text differs, its file
    /// may have been edited, so the objects decide.
    fn last_matched(&self, matched: &MatchedRows) -> Option<&Version> {
        let pairs = self.migrations().iter().zip(&matched.rows);
        let first: Vec<_> = pairs.take_while(|(it, row)| it.version == row.version).collect();
        let counts = matched.by == MatchedBy::Version || first.len() == matched.rows.len();
        first.last().filter(|_| counts).map(|(migration, _)| &migration.version)
    }
}
