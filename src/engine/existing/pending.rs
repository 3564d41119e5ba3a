//! The schema changes of pending migrations.

use std::collections::HashSet;

use super::ExistingObject;
use crate::database::StatementRecord;
use crate::engine::plan::Plan;
use crate::migration::fact::FactSubject;
use crate::migration::{Class, Migration, Statement, StatementNumber};
use crate::sql::{self, Effect, JobTarget};

/// A statement of a pending migration.
pub(super) struct Pending<'a> {
    pub(super) migration: &'a Migration,
    pub(super) statement: &'a Statement,
    /// Whether an earlier run has sent it. Then the next run reads from the catalog whether it was
    /// applied.
    pub(super) is_begun: bool,
    pub(super) effect: Effect,
}

/// The statements up to the first one whose effect is unknown, which may drop anything.
pub(super) fn pending_statements<'a>(plan: &Plan<'a>) -> Vec<Pending<'a>> {
    let statements = plan.pending().flat_map(|entry| {
        let rows = entry.begun().map(|begun| begun.statements.as_slice()).unwrap_or_default();
        let is_begun = |number: StatementNumber, statement: &Statement| {
            let mut rows = rows.iter().filter(|row| row.number == number);
            rows.any(|row| !row.has_failed() || builds_same(row, statement))
        };
        let numbered = entry.migration.numbered();
        numbered.map(move |(number, statement)| {
            (entry.migration, statement, is_begun(number, statement))
        })
    });
    let mut pending = Vec::new();
    for (migration, statement, is_begun) in statements {
        if !is_schema_change(statement) {
            continue;
        }
        let effect = sql::effect(&statement.text);
        // A variable without a value may be part of the name of an object.
        if effect.is_unknown() || statement.text.contains("${") {
            break;
        }
        pending.push(Pending { migration, statement, is_begun, effect });
    }
    pending
}

/// Whether a statement builds the index that a failed job has left. A run drops that first.
fn builds_same(row: &StatementRecord, statement: &Statement) -> bool {
    let names = |text: &str| match sql::job_target(text) {
        Some(JobTarget::Index { index, table, .. }) => Some((index?.name, table.schema)),
        _ => None,
    };
    row.checksum == statement.checksum()
        || names(&row.summary).is_some_and(|left| names(&statement.text) == Some(left))
}

pub(super) fn is_schema_change(statement: &Statement) -> bool {
    !statement.is_omitted() && !matches!(statement.class, Class::Dml | Class::Batch)
}

/// The pending statements, each with the names in it if it changes something.
pub(super) fn changed_names<'a>(
    plan: &Plan<'a>,
    found: &[ExistingObject<'a>],
) -> Vec<(&'a Statement, HashSet<String>)> {
    let does_nothing = |pending: &Pending<'_>| {
        let is_kept = |object: &FactSubject| {
            let mut kept = found.iter().filter(|it| it.is_optional && it.object == *object);
            kept.any(|it| std::ptr::eq(it.statement, pending.statement))
        };
        pending.effect.created().all(|created| is_kept(created.object))
    };
    let names = |pending: &Pending<'_>| {
        if does_nothing(pending) { HashSet::new() } else { sql::mentioned(&pending.statement.text) }
    };
    pending_statements(plan).iter().map(|it| (it.statement, names(it))).collect()
}
