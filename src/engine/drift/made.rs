//! What the statements of runs that have ended without recording the schema have made.
//!
//! `followed.rs` follows the statements from the recorded schema on. A difference is theirs if the
//! live definition is exactly the one that they have left: a name proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::followed::{Followed, Left, PartKey};
use super::{SchemaPart, is_invalid, parts};
use crate::database::{
    CatalogObject, DescribedObject, Error, ObjectKind, Observation, Session, Snapshot,
};
use crate::engine::comparison::{Catalog, Comparer, Printer, name_of};
use crate::engine::printed::compare_printed;
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::sql::{self, Definition};

/// The objects that statements have made, each with the index of its last statement.
pub(super) type MadeObjects = BTreeMap<(String, CatalogObject), usize>;

/// Finds what statements of runs that have ended have made. Reads once, and only if the server has
/// to print expressions.
///
/// # Errors
/// The cluster could not be read.
pub(in crate::engine) async fn find_made(
    session: &mut Session,
    observation: &mut Observation,
) -> Result<(), Error> {
    observation.made = compare_printed(session, |printer| made(observation, printer)).await?;
    Ok(())
}

/// Finds what statements have made. If the printer misses expressions afterward, the result is not
/// final.
pub(super) fn made(observation: &Observation, printer: &mut Printer) -> MadeObjects {
    let Observation { recorded, live, statements, runs, .. } = observation;
    let mut followed = Followed::new(recorded, live);
    for (index, statement) in statements.iter().enumerate() {
        let run = runs.iter().find(|run| run.set == statement.set);
        let is_recorded = statement.is_done && !statement.is_unrecorded;
        let is_alive = run.is_some_and(|run| run.holder.is_some());
        if let (false, Some(text)) = (is_recorded || is_alive, &statement.text) {
            followed.apply(index, statement.is_done, &sql::effect(text));
        }
    }
    let differing = parts(recorded, live);
    let unfinished = unfinished(recorded, live);
    makers(&followed, live, differing.iter().chain(&unfinished), printer)
}

/// Finds the statements that have left parts of the live schema exactly as they are.
pub(super) fn makers<'p>(
    followed: &Followed<'_>,
    live: &Snapshot,
    parts: impl IntoIterator<Item = &'p SchemaPart<'p>>,
    printer: &mut Printer,
) -> MadeObjects {
    if followed.is_empty() {
        return MadeObjects::new();
    }
    let objects = described(live);
    let now = identities(followed, &objects);
    let mut comparison = LiveComparison { followed, now: &now, objects: &objects, printer };
    let of_parts = parts.into_iter().filter_map(|part| {
        let statement = comparison.maker(part)?;
        Some(((part.relation.to_owned(), part.object.clone()), statement))
    });
    of_parts.collect()
}

/// The objects of a schema with their relations and definitions.
fn objects(schema: &Snapshot) -> impl Iterator<Item = (&str, &CatalogObject, &str)> {
    schema.relations.iter().flat_map(|(relation, objects)| {
        let objects = objects.iter();
        objects.map(|(object, definition)| (relation.as_str(), object, definition.as_str()))
    })
}

/// The objects that are not valid, and were recorded so.
fn unfinished<'a>(recorded: &Snapshot, live: &'a Snapshot) -> Vec<SchemaPart<'a>> {
    objects(live)
        .filter(|(relation, object, definition)| {
            is_invalid(object, definition)
                && recorded.definition(relation, object) == Some(*definition)
        })
        .map(|(relation, object, definition)| {
            let (is_whole, is_view, now) = (false, false, Some(definition));
            SchemaPart { relation, object, is_whole, is_view, now }
        })
        .collect()
}

/// The definitions of the live schema, with identities for the comparison. An INVALID index has the
/// definition that it will have.
fn described(live: &Snapshot) -> Vec<DescribedObject> {
    let mut all = Vec::new();
    for (relation, object, definition) in objects(live) {
        let is_index = object.is(&ObjectKind::Index);
        let valid = definition.strip_suffix(" INVALID").filter(|_| is_index);
        all.push(DescribedObject {
            object: object.clone(),
            relation: relation.to_owned(),
            definition: valid.unwrap_or(definition).to_owned(),
            identity: Some(all.len().to_string()),
        });
    }
    all
}

/// The identities of the relations to which definitions refer.
fn identities(followed: &Followed<'_>, objects: &[DescribedObject]) -> Facts {
    let names = followed.definitions().flat_map(Definition::relations);
    let identity = names.filter_map(|name| {
        let subject = FactSubject::Relation(name.clone());
        let (relation, object) = followed.objects.find(&subject)?;
        let found = objects.iter().find(|it| it.relation == relation && it.object == *object)?;
        Some((Fact::Identity(subject).to_string(), found.identity.clone()?))
    });
    identity.collect()
}

/// Compares parts of the live schema with what statements have left.
struct LiveComparison<'a, 'p> {
    followed: &'a Followed<'a>,
    now: &'a Facts,
    objects: &'a [DescribedObject],
    printer: &'p mut Printer,
}

impl LiveComparison<'_, '_> {
    /// The statement that has made a part as it is.
    fn maker(&mut self, part: &SchemaPart<'_>) -> Option<usize> {
        let followed = self.followed;
        let key = (part.relation, part.object);
        let mut possible = followed.left(key).iter();
        let named = possible.find(|it| self.is_left(part, &it.left, it.is_done));
        named.map(|it| it.statement).or_else(|| {
            let mut unnamed = followed.unnamed().iter();
            let found = unnamed.find(|it| {
                it.relation == part.relation
                    && part.object.is(&it.kind)
                    && !self.is_recorded(&it.definition, part.relation)
                    && self.is_left(part, &Left::defined(it.definition.clone()), it.is_done)
            });
            found.map(|it| it.statement)
        })
    }

    fn is_left(&mut self, part: &SchemaPart<'_>, left: &Left, is_done: bool) -> bool {
        // An index is finished when it is valid.
        let is_index = part.object.is(&ObjectKind::Index);
        let is_valid = part.now.is_none_or(|now| !is_invalid(part.object, now));
        if is_done && is_index && !is_valid {
            return false;
        }
        match left {
            Left::Nothing => part.now.is_none(),
            Left::Text(text) => part.now == Some(text.as_str()),
            Left::Privileges(words) => part.now.is_some_and(|now| {
                now.split(", ").map(str::to_owned).collect::<BTreeSet<_>>() == *words
            }),
            Left::Defined(definition) => self.is_same(definition, (part.relation, part.object)),
        }
    }

    /// Whether an object that is as recorded has a definition.
    fn is_recorded(&mut self, definition: &Definition, relation: &str) -> bool {
        let followed = self.followed;
        let objects = followed.objects.unchanged(relation);
        objects.into_iter().any(|object| self.is_same(definition, (relation, object)))
    }

    fn is_same(&mut self, definition: &Definition, (relation, object): PartKey<'_>) -> bool {
        let mut objects = self.objects.iter();
        let found = objects.find(|it| it.relation == relation && it.object == *object);
        let Some(found) = found else { return false };
        let catalog = Catalog { now: self.now, objects: self.objects };
        let mut comparer = Comparer { catalog, printer: self.printer };
        let likeness = match definition {
            Definition::Function(_) => {
                let Some(identity) = &found.identity else { return false };
                let name = name_of(&found.relation);
                comparer.object(definition, &FactSubject::Routine(name), identity)
            }
            _ => comparer.described(definition, found),
        };
        likeness.is_same()
    }
}

#[cfg(test)]
mod tests;
