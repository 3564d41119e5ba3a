//! What the statements of runs that have ended without recording the schema have made.
//!
//! `followed.rs` follows the statements from the recorded schema on. A difference is theirs if the
//! live definition is exactly the one that they have left: a name proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::building::is_left;
use super::followed::{Followed, Left, PartKey};
use super::pattern::has_values;
use super::statements::is_open_ended;
use super::{SchemaPart, is_invalid, parts};
use crate::database::{
    Aspect, CatalogObject, DescribedObject, Error, ObjectKind, Observation, Session, Snapshot,
};
use crate::engine::comparison::{Catalog, Comparer, Likeness, Printer, name_of};
use crate::engine::printed::compare_printed;
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::sql::{self, Definition};

/// The objects that statements have made, each with the index of its last statement.
pub(super) type MadeObjects = BTreeMap<(String, CatalogObject), usize>;

/// What a comparison of differences with statements finds.
#[derive(Debug, Default)]
pub(super) struct ComparedParts {
    /// What the statements have made.
    pub(super) made: MadeObjects,
    /// What certainly differs from what they have left.
    pub(super) remade: BTreeSet<(String, CatalogObject)>,
}

/// Finds what statements of runs that have ended have made. Reads once, and only if the server has
/// to print expressions.
///
/// # Errors
/// The cluster could not be read.
pub async fn find_made(session: &mut Session, observation: &mut Observation) -> Result<(), Error> {
    let found = compare_printed(session, |printer| made(observation, printer)).await?;
    (observation.made, observation.remade) = (found.made, found.remade);
    Ok(())
}

/// Finds what statements have made. If the printer misses expressions afterward, the result is not
/// final.
pub(super) fn made(observation: &Observation, printer: &mut Printer) -> ComparedParts {
    let Observation { recorded, live, statements, runs, .. } = observation;
    let mut followed = Followed::new(recorded, live);
    for (index, statement) in statements.iter().enumerate() {
        let run = runs.iter().find(|run| run.set == statement.set);
        let is_alive = run.is_some_and(|run| run.holder.is_some());
        if statement.is_recorded() || is_alive || is_left(statement) || statement.has_failed {
            continue;
        }
        if statement.text.as_deref().is_none_or(is_open_ended) {
            followed.may_have_changed_all(index);
        }
        if let Some(text) = &statement.text {
            let effect = sql::effect(text);
            if has_values(&statement.summary) {
                followed.has_present_values(&effect);
            }
            followed.apply(index, statement.is_done, &effect);
        }
    }
    let differing = parts(recorded, live);
    let unfinished = unfinished(recorded, live);
    let mut found = ComparedParts::default();
    let Some(mut comparison) = LiveComparison::new(&followed, live, printer) else { return found };
    for part in differing.iter().chain(&unfinished) {
        let key = || (part.relation.to_owned(), part.object.clone());
        let is_whole = !comparison.lacks_parts(part);
        if let Some(statement) = comparison.maker(part).filter(|_| is_whole) {
            found.made.insert(key(), statement);
        } else if !is_whole || comparison.is_remade(part) {
            found.remade.insert(key());
        }
    }
    found
}

/// Finds the statements that have left parts of the live schema exactly as they are.
pub(super) fn makers<'p>(
    followed: &Followed<'_>,
    live: &Snapshot,
    parts: impl IntoIterator<Item = &'p SchemaPart<'p>>,
    printer: &mut Printer,
) -> MadeObjects {
    let Some(mut comparison) = LiveComparison::new(followed, live, printer) else {
        return MadeObjects::new();
    };
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
            SchemaPart { relation, object, is_whole, is_view, was: now, now }
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
    now: Facts,
    objects: Vec<DescribedObject>,
    printer: &'p mut Printer,
}

impl<'a, 'p> LiveComparison<'a, 'p> {
    /// `None` if no statement has changed an object.
    fn new(followed: &'a Followed<'a>, live: &Snapshot, printer: &'p mut Printer) -> Option<Self> {
        if followed.is_empty() {
            return None;
        }
        let objects = described(live);
        Some(Self { followed, now: identities(followed, &objects), objects, printer })
    }

    /// The statement that has made a part as it is.
    fn maker(&mut self, part: &SchemaPart<'_>) -> Option<usize> {
        let followed = self.followed;
        let key = (part.relation, part.object);
        let mut possible = followed.left(key).iter();
        let named = possible.find(|it| self.is_left(part, &it.left, it.is_done) == Some(true));
        named.map(|it| it.statement).or_else(|| {
            let mut unnamed = followed.unnamed().iter();
            let found = unnamed.find(|it| {
                let left = Left::defined(it.definition.clone());
                it.relation == part.relation
                    && part.object.is(&it.kind)
                    && !self.is_recorded(&it.definition, part.relation)
                    && self.is_left(part, &left, it.is_done) == Some(true)
            });
            found.map(|it| it.statement)
        })
    }

    /// Whether a part certainly differs from all that statements may have left of it.
    fn is_remade(&mut self, part: &SchemaPart<'_>) -> bool {
        let followed = self.followed;
        let key = (part.relation, part.object);
        let left = followed.left(key);
        let is_gone = part.now.is_none();
        if part.object.is(&ObjectKind::Column) && left.is_empty() && !is_gone {
            // No statement has added it to the table that one of them has created.
            if followed.whole_table(part.relation).is_some() {
                return true;
            }
        }
        let unnamed = followed.unnamed().iter();
        let mut unnamed =
            unnamed.filter(|it| it.relation == part.relation && part.object.is(&it.kind));
        followed.is_certain(key)
            && left.iter().all(|it| match &it.left {
                Left::Nothing => !is_gone,
                left => is_gone || self.is_left(part, left, it.is_done) == Some(false),
            })
            && unnamed.all(|it| {
                let left = Left::defined(it.definition.clone());
                is_gone || self.is_left(part, &left, it.is_done) == Some(false)
            })
    }

    /// Whether a part is a table that certainly lacks a part of the one that a statement creates.
    fn lacks_parts(&mut self, part: &SchemaPart<'_>) -> bool {
        let (relation, followed) = (part.relation, self.followed);
        let is_table = part.object.is(&ObjectKind::Table) && part.now.is_some();
        let table = followed.whole_table(relation).filter(|_| is_table);
        let Some((name, table)) = table else { return false };
        let columns =
            table.columns.iter().map(|it| FactSubject::Column(name.clone(), it.name.clone()));
        let named = table.constraints.iter().filter_map(|it| it.name.clone());
        let named = named.map(|own| FactSubject::Constraint(name.clone(), own));
        let lacks = |subject: FactSubject| {
            let found = followed.objects.find(&subject);
            found.is_none_or(|(of, object)| followed.objects.live.definition(of, object).is_none())
        };
        let unnamed = table.constraints.iter().filter(|it| it.name.is_none());
        let unnamed: Vec<Definition> =
            unnamed.map(|it| Definition::Constraint(it.clone())).collect();
        let constraints: Vec<&CatalogObject> = followed
            .objects
            .of_relation(relation)
            .into_iter()
            .filter(|it| it.is(&ObjectKind::Constraint))
            .collect();
        columns.chain(named).any(lacks)
            || unnamed.iter().any(|definition| {
                let is_other = |it: &&CatalogObject| {
                    self.likeness(definition, (relation, it)).is_none_or(|it| it.is_different())
                };
                constraints.iter().all(is_other)
            })
    }

    /// Whether a part is as statements have left it; `None` if that is not known.
    fn is_left(&mut self, part: &SchemaPart<'_>, left: &Left, is_done: bool) -> Option<bool> {
        // An index is finished when it is valid.
        let is_index = part.object.is(&ObjectKind::Index);
        let is_valid = part.now.is_none_or(|now| !is_invalid(part.object, now));
        if is_done && is_index && !is_valid {
            return Some(false);
        }
        match left {
            Left::Nothing => Some(part.now.is_none()),
            // A definition changes with the names that it mentions.
            Left::Text(text) => {
                let is_same = part.now == Some(text.as_str());
                (is_same || part.object.aspect == Aspect::Comment).then_some(is_same)
            }
            Left::Privileges(words) => Some(part.now.is_some_and(|now| {
                now.split(", ").map(str::to_owned).collect::<BTreeSet<_>>() == *words
            })),
            Left::Defined(definition) => {
                let likeness = self.likeness(definition, (part.relation, part.object))?;
                match (likeness.is_same(), likeness.is_different()) {
                    (true, _) => Some(true),
                    (_, true) => Some(false),
                    _ => None,
                }
            }
        }
    }

    /// Whether an object that is as recorded has a definition.
    fn is_recorded(&mut self, definition: &Definition, relation: &str) -> bool {
        let followed = self.followed;
        let mut objects = followed.objects.unchanged(relation).into_iter();
        objects.any(|object| {
            let likeness = self.likeness(definition, (relation, object));
            likeness.is_some_and(|likeness| likeness.is_same())
        })
    }

    /// How alike a definition and a live object are; `None` if it does not exist.
    fn likeness(
        &mut self,
        definition: &Definition,
        (relation, object): PartKey<'_>,
    ) -> Option<Likeness> {
        let mut objects = self.objects.iter();
        let found = objects.find(|it| it.relation == relation && it.object == *object)?;
        let catalog = Catalog { now: &self.now, objects: &self.objects };
        let mut comparer = Comparer { catalog, printer: self.printer };
        Some(match definition {
            Definition::Function(_) => {
                let name = name_of(&found.relation);
                comparer.object(definition, &FactSubject::Routine(name), found.identity.as_ref()?)
            }
            _ => comparer.described(definition, found),
        })
    }
}

#[cfg(test)]
mod tests;
