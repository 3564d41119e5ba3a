//! The warning about an apply that continues an earlier one.

use super::{Subject, listed_lines, resume};
use crate::database::{MigrationRecord, StatementState};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::{Plan, PlannedMigration, Status};
use crate::migration::StatementNumber;
use crate::sql;

/// Returns the warning about a plan that continues an earlier run. The plan of a resource that is
/// not in the state shows all migrations as new, those that are applied too.
pub(in crate::provider) fn continues(
    plan: &Plan<'_>,
    is_create: bool,
    subject: &Subject,
) -> Option<Diagnostic> {
    let has_run = |entry: &PlannedMigration<'_>| match entry.status {
        Status::Applied(record) => is_create && record.adopted_from.is_none(),
        Status::Pending { begun } => begun.is_some_and(MigrationRecord::has_begun),
        Status::Rerun { .. } | Status::Excluded(_) => false,
    };
    let first = plan.pending().next()?;
    let nothing_remains = plan.pending().all(|entry| remaining(entry).is_empty());
    if nothing_remains || !plan.entries.iter().any(has_run) {
        return None;
    }
    let version = &first.migration.version;
    let next = remaining(first).first().and_then(|number| {
        let statement = first.migration.statement(*number)?;
        let summary = sql::summary(statement.shown());
        Some(format!("statement {number} ({}):\n\n  {summary}\n\n", statement.origin))
    });
    let location = match next {
        Some(next) => format!("{version}, {next}"),
        None => format!("{version}, whose statements have all run. "),
    };
    let lines = plan.pending().map(|entry| {
        let numbers = remaining(entry);
        let statements = match (entry.begun(), numbers.len()) {
            (None, 1) => "1 statement".to_owned(),
            (None, count) => format!("{count} statements"),
            (Some(_), 0) => "no statement".to_owned(),
            (Some(_), _) => resume::statements(&numbers).to_lowercase(),
        };
        format!("{}: {statements}", entry.migration.version)
    });
    let warning = Diagnostic::warning(Title::ContinuesEarlierRun.fill(&[&subject]));
    Some(warning.detail(format!(
        "The ledger shows that an earlier apply has run a part of these migrations. The apply \
         continues at {location}What is recorded as applied does not run again. What \
         remains:\n{}",
        listed_lines(lines)
    )))
}

/// The numbers of the statements that no run has finished.
fn remaining(entry: &PlannedMigration<'_>) -> Vec<StatementNumber> {
    let is_done = |number: StatementNumber| {
        let row = entry.begun().and_then(|begun| begun.statement(number));
        row.is_some_and(|row| matches!(row.state, StatementState::Done | StatementState::Skipped))
    };
    let numbers = entry.migration.numbered().map(|(number, _)| number);
    numbers.filter(|number| !is_done(*number)).collect()
}
