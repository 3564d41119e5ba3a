//! Objects that count as the work of a set although none of its runs has made them.
//!
//! `IF NOT EXISTS` leaves an object as it is, and an adopted migration does not run. Both count as
//! applied, so their objects are not drift, and the apply that records the statements records the
//! objects. Those of migrations that do not run must have the definitions that the files leave.

use super::followed::KnownObjects;
use super::not_run::{first_without_run, left_by_files};
use super::{SchemaPart, parts};
use crate::database::{CatalogObject, CountedObjects, Error, ObjectKind, Observation, Session};
use crate::engine::comparison::Printer;
use crate::engine::plan::Plan;
use crate::engine::printed::compare_printed;
use crate::migration::fact::FactSubject;
use crate::migration::{StatementNumber, Version};

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
    let compare = |printer: &mut Printer| counted(plan, observation, kept, printer);
    observation.counted = compare_printed(session, compare).await?;
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
    let objects = KnownObjects { recorded, live };
    for KeptObject { object, version, number } in kept {
        let Some((relation, kept)) = objects.find(object) else { continue };
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
