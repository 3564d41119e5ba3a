//! Objects that count as the work of a set although none of its runs has made them. Pure.
//!
//! `IF NOT EXISTS` leaves an object as it is, and an adopted migration does not run. Both count as
//! applied, so their objects are not drift, and the apply that records the statements records the
//! objects. Those of migrations that do not run must have the definitions that the files leave.

use std::borrow::Cow;

use super::followed::Followed;
use super::made::makers;
use super::{SchemaPart, parts, replace_part};
use crate::database::{
    CatalogObject, CountedObjects, Error, MigrationState, ObjectKind, Observation, Session,
    Snapshot, StatementState,
};
use crate::engine::comparison::Printer;
use crate::engine::plan::{Plan, Status};
use crate::migration::fact::FactSubject;
use crate::migration::{Class, StatementNumber, Version};
use crate::sql;

/// An object that a pending statement with `IF NOT EXISTS` leaves as it is.
#[derive(Debug, Clone)]
pub struct KeptObject {
    /// The object.
    pub object: FactSubject,
    /// The migration of the statement.
    pub version: Version,
    /// The number of the statement.
    pub number: StatementNumber,
}

/// Finds the objects that count as the work of the set once the plan is applied. Reads once, and
/// only if the server has to print expressions.
///
/// # Errors
/// The cluster could not be read.
pub async fn find_counted(
    session: &mut Session,
    observation: &mut Observation,
    plan: &Plan<'_>,
    kept: &[KeptObject],
) -> Result<(), Error> {
    let mut printer = Printer::default();
    let mut found = counted(plan, observation, kept, &mut printer);
    let missing = printer.missing();
    if !missing.is_empty() {
        let printed = session.explain(&missing).await?;
        printer.add(missing.into_iter().zip(printed).collect());
        found = counted(plan, observation, kept, &mut printer);
    }
    observation.counted = found;
    Ok(())
}

/// Whether anything may count: the schema has objects that are not recorded, and the plan has
/// statements that do not run.
#[must_use]
pub fn may_count(plan: &Plan<'_>, observation: &Observation, kept: &[KeptObject]) -> bool {
    let Observation { recorded, live, .. } = observation;
    !recorded.relations.is_empty()
        && (!kept.is_empty() || first_without_run(plan).is_some())
        && !parts(recorded, live).is_empty()
}

/// The index of the first migration that counts as applied and that no run has sent. A row that was
/// inserted by hand, like one whose migration was adopted, counts no run.
fn first_without_run(plan: &Plan<'_>) -> Option<usize> {
    plan.entries.iter().position(|entry| has_not_run(&entry.status))
}

fn has_not_run(status: &Status<'_>) -> bool {
    matches!(status, Status::Applied(record) if record.run == 0 || record.adopted_from.is_some())
}

fn counted(
    plan: &Plan<'_>,
    observation: &Observation,
    kept: &[KeptObject],
    printer: &mut Printer,
) -> CountedObjects {
    let Observation { recorded, live, .. } = observation;
    if recorded.relations.is_empty() {
        return CountedObjects::new();
    }
    let differing = parts(recorded, live);
    let mut found = left_by_files(plan, observation, &differing, printer);
    let followed = Followed::new(recorded, live);
    for KeptObject { object, version, number } in kept {
        let Some((relation, kept)) = followed.objects.find(object) else { continue };
        for part in differing.iter().filter(|part| belongs(part, relation, kept)) {
            let key = (part.relation.to_owned(), part.object.clone());
            found.insert(key, (version.clone(), *number));
        }
    }
    found
}

/// Whether a part of the schema is an object or one of its columns and constraints.
fn belongs(part: &SchemaPart<'_>, relation: &str, object: &CatalogObject) -> bool {
    let is_part = [ObjectKind::Column, ObjectKind::Constraint].iter().any(|it| part.object.is(it));
    let has_parts = [ObjectKind::Table, ObjectKind::View].iter().any(|it| object.is(it));
    part.relation == relation && (part.object == object || has_parts && is_part)
}

/// The objects that are not recorded and that are exactly what the files of migrations leave that
/// no run has sent. Later migrations may have changed them.
fn left_by_files(
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

/// The live schema in which what counts is as recorded.
#[must_use]
pub fn without_counted(observation: &Observation) -> Cow<'_, Snapshot> {
    let Observation { recorded, live, counted, .. } = observation;
    if counted.is_empty() {
        return Cow::Borrowed(live);
    }
    let mut without = live.clone();
    for (relation, object) in counted.keys() {
        replace_part(&mut without, relation, object, recorded.definition(relation, object));
    }
    Cow::Owned(without)
}

/// Whether the statement that counts for a part is recorded as applied after a run. `None` if none
/// counts for it.
#[must_use]
pub fn counts(
    counted: &CountedObjects,
    part: &SchemaPart<'_>,
    after: &Observation,
) -> Option<bool> {
    let (version, number) = counted.get(&(part.relation.to_owned(), part.object.clone()))?;
    let record = after.migrations.iter().find(|record| record.version == *version);
    Some(record.is_some_and(|record| {
        let state = record.statement(*number).map(|row| &row.state);
        record.state == MigrationState::Applied
            || matches!(state, Some(StatementState::Done | StatementState::Skipped))
    }))
}
