//! What the files of migrations leave that count as applied and that no run has sent. Pure.

use super::SchemaPart;
use super::followed::Followed;
use super::made::makers;
use crate::database::{CountedObjects, Observation};
use crate::engine::comparison::Printer;
use crate::engine::plan::{Plan, Status};
use crate::migration::Class;
use crate::sql;

/// The index of the first migration that counts as applied and that no run has sent. A row that was
/// inserted by hand, like one whose migration was adopted, counts no run.
pub(super) fn first_without_run(plan: &Plan<'_>) -> Option<usize> {
    plan.entries.iter().position(|entry| has_not_run(&entry.status))
}

fn has_not_run(status: &Status<'_>) -> bool {
    matches!(status, Status::Applied(record) if record.run == 0 || record.adopted_from.is_some())
}

/// The objects that are not recorded and that are exactly what the files of migrations leave that
/// no run has sent. Later migrations may have changed them.
pub(super) fn left_by_files(
    plan: &Plan<'_>,
    observation: &Observation,
    differing: &[SchemaPart<'_>],
    printer: &mut Printer,
) -> CountedObjects {
    let Observation { recorded, live, .. } = observation;
    let is_new = |part: &&SchemaPart<'_>| {
        recorded.definition(part.relation, part.object).is_none() && part.now.is_some()
    };
    let new: Vec<&SchemaPart<'_>> = differing.iter().filter(is_new).collect();
    let Some(first) = first_without_run(plan).filter(|_| !new.is_empty()) else {
        return CountedObjects::new();
    };
    let mut followed = Followed::new(recorded, live);
    let mut statements = Vec::new();
    for entry in &plan.entries[first..] {
        let Status::Applied(_) = entry.status else { continue };
        for (number, statement) in entry.migration.numbered() {
            if !matches!(statement.class, Class::Dml | Class::Batch) {
                followed.apply(statements.len(), true, &sql::effect(&statement.text));
                statements.push((entry, number));
            }
        }
    }
    let made = makers(&followed, live, new, printer).into_iter();
    made.filter_map(|(key, statement)| {
        let (entry, number) = statements.get(statement)?;
        has_not_run(&entry.status).then(|| (key, (entry.migration.version.clone(), *number)))
    })
    .collect()
}
