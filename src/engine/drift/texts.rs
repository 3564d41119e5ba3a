//! The texts of statements whose rows in the ledger do not have them. Pure.

use super::pattern::has_values;
use crate::database::Observation;
use crate::engine::plan::Plan;
use crate::migration::Statement;
use crate::sql;

/// Adds the texts that only the files and the values of variables determine to the statements of
/// the set that have not been recorded. Returns whether it has added one.
pub fn add_texts(plan: &Plan<'_>, observation: &mut Observation) -> bool {
    let mut is_added = false;
    let own = observation.statements.iter_mut().filter(|it| it.is_own && it.text.is_none());
    for row in own {
        let mut entries = plan.entries.iter();
        let entry = entries.find(|entry| entry.migration.version == row.version);
        let statement = entry.and_then(|entry| entry.migration.statement(row.number));
        // The author may have edited a statement that was not applied.
        let is_same = |shown: &str| sql::summary(shown) == row.summary;
        // The values may have changed, so a text that contains them counts only with its pattern.
        let has_pattern = |it: &Statement| it.shown() == it.text || has_values(&row.summary);
        if let Some(statement) = statement.filter(|it| is_same(it.shown()) && has_pattern(it)) {
            row.text = Some(statement.text.clone());
            is_added = true;
        }
    }
    is_added
}
