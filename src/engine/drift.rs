//! Compares the schema as the last run left it with the schema as it is now.

mod building;
mod counted;
mod counts;
mod dropped_history;
mod followed;
mod made;
mod not_run;
mod not_valid;
mod pattern;
mod reach;
mod remedy;
mod statements;
mod texts;
mod unfinished;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest, Sha256};

pub use self::building::{as_built, as_failed, is_validated};
pub use self::counted::{KeptObject, find_counted, may_count};
pub use self::counts::{counts, without_counted};
pub use self::dropped_history::{find_dropped_history, is_of_dropped_history};
pub use self::made::find_made;
pub use self::not_valid::{LeftNotValid, left_not_valid};
pub use self::remedy::Remedy;
pub use self::statements::Statements;
pub(in crate::engine) use self::statements::is_chosen;
pub use self::texts::add_texts;
pub use self::unfinished::{Differences, Settled, Unfinished, UnfinishedBy, settle};
use crate::database::{
    Aspect, CatalogObject, Error, JobId, ObjectKind, Objects, Snapshot, schema_of, unquoted,
};
use crate::migration::{StatementNumber, Version};

/// An object that differs from what migrations left, or that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The relation that the object belongs to, for example `public.users`.
    pub relation: String,
    /// The object, for example `column public.users.email`.
    pub object: CatalogObject,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Comments and privileges that are lost if the object is recreated, each with its text.
    pub attached: Vec<(CatalogObject, String)>,
    /// What another migration set has to do with it.
    pub other: Option<OtherSet>,
}

/// What another migration set has to do with a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherSet {
    /// The last run of this set has ended without recording the schema, and may have made it.
    Unrecorded(String),
    /// A job of the set has failed and has left it.
    FailedJob(FailedJob),
}

/// A statement of another migration set whose job has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    /// The migration set.
    pub set: String,
    /// Its migration.
    pub version: Version,
    /// The number of the statement.
    pub number: StatementNumber,
    /// The job.
    pub job: Option<JobId>,
    /// DSQL's description of the failure, as long as `sys.jobs` lists the job.
    pub details: Option<String>,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was added with this definition, which may be empty.
    Added(String),
    /// It was dropped.
    Removed {
        /// The definition that the last run left.
        from: String,
    },
    /// Its definition was changed.
    Changed {
        /// The definition that the last run left.
        from: String,
        /// The definition now.
        to: String,
    },
    /// It is unchanged, but it is an index that queries do not use, or a constraint that existing
    /// rows may violate.
    NotValid(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match &self.kind {
            ChangeKind::Added(definition) if definition.is_empty() => {
                write!(f, "{object} was added")
            }
            ChangeKind::Added(definition) => {
                write!(f, "{object} was added: {}", fold_whitespace(definition))
            }
            ChangeKind::Removed { .. } => write!(f, "{object} was dropped"),
            ChangeKind::Changed { from, to } => {
                let (from, to) = (fold_whitespace(from), fold_whitespace(to));
                write!(f, "{object} was changed from \"{from}\" to \"{to}\"")
            }
            ChangeKind::NotValid(_) if object.is(&ObjectKind::Index) => {
                write!(f, "{object} is INVALID: queries do not use it, and it may be incomplete")
            }
            ChangeKind::NotValid(_) => {
                write!(f, "{object} is NOT VALID: existing rows have not been checked against it")
            }
        }
    }
}

/// Puts a definition on one line. Views and functions are defined in several lines, and a message
/// has one line for each object.
fn fold_whitespace(definition: &str) -> String {
    definition.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns all differences in the given schemas and everything that is not valid there, in the
/// order in which the remedies can run: first what must be created again, last what must be
/// dropped.
///
/// A database that was never recorded has no differences, because nothing defines how it should be.
/// If a whole relation was dropped or added, its parts are not listed.
#[must_use]
pub fn changes(recorded: &Snapshot, live: &Snapshot, schemas: &[String]) -> Vec<Change> {
    let nothing = Objects::new();
    let watched = |relation: &&String| schemas.contains(&unquoted(schema_of(relation)));
    let mut changes = Vec::new();
    for relation in relations(recorded, live).into_iter().filter(watched) {
        let (before, now) = (recorded.relations.get(relation), live.relations.get(relation));
        let is_whole = before.is_none() || now.is_none();
        let (before, now) = (before.unwrap_or(&nothing), now.unwrap_or(&nothing));
        let mut found = Vec::new();
        // The first run records what it finds.
        if !recorded.relations.is_empty() {
            found = compare(relation, before, now);
            // A run that has ended may have made the relation, and someone else one of its parts.
            let is_whole = is_whole && found.iter().any(|change| includes_parts(&change.object));
            found.retain(|change| !is_whole || includes_parts(&change.object));
        }
        let not_valid = not_valid(relation, now, &found);
        found.extend(not_valid);
        for change in &mut found {
            let before = match change.kind {
                ChangeKind::NotValid(_) => now,
                _ => before,
            };
            change.attached = attached(change, before, now);
        }
        changes.append(&mut found);
    }
    changes.sort_by_key(Change::rank);
    changes
}

/// Whether an object is reported for everything that belongs to it.
fn includes_parts(object: &CatalogObject) -> bool {
    use ObjectKind::{Column, Constraint, Domain, Function, Index, Other, Schema};
    use ObjectKind::{Sequence, Table, View};
    object.aspect == Aspect::Definition
        && match object.kind {
            Table | View | Sequence | Schema | Function | Domain => true,
            Column | Constraint | Index | Other(_) => false,
        }
}

/// Returns the objects of a relation that are not valid and are not among the changes.
fn not_valid(relation: &str, now: &Objects, changes: &[Change]) -> Vec<Change> {
    now.iter()
        .filter(|(object, definition)| is_invalid(object, definition))
        .filter(|(object, _)| changes.iter().all(|change| change.object != **object))
        .map(|(object, definition)| Change {
            relation: relation.to_owned(),
            object: object.clone(),
            kind: ChangeKind::NotValid(definition.clone()),
            attached: Vec::new(),
            other: None,
        })
        .collect()
}

impl Change {
    /// The object as a part of the live schema.
    fn as_part(&self) -> SchemaPart<'_> {
        let Self { relation, object, kind, .. } = self;
        let now = match kind {
            ChangeKind::Added(to) | ChangeKind::Changed { to, .. } | ChangeKind::NotValid(to) => {
                Some(to.as_str())
            }
            ChangeKind::Removed { .. } => None,
        };
        let was = match kind {
            ChangeKind::Removed { from } | ChangeKind::Changed { from, .. } => Some(from.as_str()),
            ChangeKind::NotValid(now) => Some(now.as_str()),
            ChangeKind::Added(_) => None,
        };
        let (is_whole, is_view) = (includes_parts(object), object.is(&ObjectKind::View));
        SchemaPart { relation, object, is_whole, is_view, was, now }
    }

    /// The position of its remedy among others. Equal ones stay in the order of their names.
    fn rank(&self) -> (bool, isize, bool) {
        let rank = creation_rank(&self.object);
        match &self.kind {
            ChangeKind::Added(_) => (true, -rank, false),
            // A foreign key needs the key that it references.
            ChangeKind::Removed { from } | ChangeKind::Changed { from, .. } => {
                (false, rank, from.starts_with("FOREIGN KEY"))
            }
            ChangeKind::NotValid(_) => (false, rank, false),
        }
    }
}

/// The position of an object in the order in which objects are created: each kind precedes those
/// that may need it.
fn creation_rank(object: &CatalogObject) -> isize {
    match (&object.aspect, &object.kind) {
        (Aspect::Privileges { .. }, _) => 10,
        (Aspect::Comment, _) => 9,
        (Aspect::Definition, ObjectKind::View) => 8,
        (Aspect::Definition, ObjectKind::Index) => 7,
        (Aspect::Definition, ObjectKind::Constraint) => 6,
        (Aspect::Definition, ObjectKind::Function) => 5,
        (Aspect::Definition, ObjectKind::Column) => 4,
        (Aspect::Definition, ObjectKind::Table) => 3,
        (Aspect::Definition, ObjectKind::Sequence) => 2,
        (Aspect::Definition, ObjectKind::Domain) => 1,
        (Aspect::Definition, ObjectKind::Schema | ObjectKind::Other(_)) => 0,
    }
}

/// Whether the definition, as the catalog query writes it, marks the object as not valid.
pub(super) fn is_invalid(object: &CatalogObject, definition: &str) -> bool {
    object.is(&ObjectKind::Index) && definition.ends_with(" INVALID")
        || object.is(&ObjectKind::Constraint) && definition.ends_with(" NOT VALID")
}

fn relations<'a>(one: &'a Snapshot, other: &'a Snapshot) -> BTreeSet<&'a String> {
    one.relations.keys().chain(other.relations.keys()).collect()
}

/// An object that differs between two snapshots.
#[derive(Debug, Clone, Copy)]
pub struct SchemaPart<'a> {
    /// The relation that the object belongs to.
    pub relation: &'a str,
    /// The object.
    pub object: &'a CatalogObject,
    /// Whether the whole relation was added or dropped.
    pub is_whole: bool,
    /// Whether the relation is a view.
    pub is_view: bool,
    /// The definition in the earlier snapshot; `None` if it does not have the object.
    pub was: Option<&'a str>,
    /// The definition in the later snapshot; `None` if it does not have the object.
    pub now: Option<&'a str>,
}

/// Returns the objects that differ between two snapshots.
fn parts<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<SchemaPart<'a>> {
    static NOTHING: Objects = Objects::new();
    let mut found = Vec::new();
    for relation in relations(before, after) {
        let (was, is) = (before.relations.get(relation), after.relations.get(relation));
        let is_whole = was.is_none() || is.is_none();
        let (was, is) = (was.unwrap_or(&NOTHING), is.unwrap_or(&NOTHING));
        let is_view = was.keys().chain(is.keys()).any(|object| object.is(&ObjectKind::View));
        let objects: BTreeSet<&CatalogObject> = was.keys().chain(is.keys()).collect();
        let differing = objects.into_iter().filter(|object| was.get(*object) != is.get(*object));
        found.extend(differing.map(|object| {
            let [was, now] = [was, is].map(|at| at.get(object).map(String::as_str));
            SchemaPart { relation, object, is_whole, is_view, was, now }
        }));
    }
    found
}

/// Compares the objects of one relation.
fn compare(relation: &str, before: &Objects, now: &Objects) -> Vec<Change> {
    let objects: BTreeSet<&CatalogObject> = before.keys().chain(now.keys()).collect();
    objects
        .into_iter()
        .filter_map(|object| {
            let kind = match (before.get(object), now.get(object)) {
                (None, Some(to)) => ChangeKind::Added(to.clone()),
                (Some(from), None) => ChangeKind::Removed { from: from.clone() },
                (Some(from), Some(to)) if from != to => {
                    ChangeKind::Changed { from: from.clone(), to: to.clone() }
                }
                _ => return None,
            };
            let (relation, object) = (relation.to_owned(), object.clone());
            Some(Change { relation, object, kind, attached: Vec::new(), other: None })
        })
        .collect()
}

/// Returns the comments and privileges that are lost if an object is recreated and that have no
/// change of their own: all of a relation that was dropped, and those that an object still has.
fn attached(change: &Change, before: &Objects, now: &Objects) -> Vec<(CatalogObject, String)> {
    let stays = |other: &CatalogObject, definition: &String| {
        now.get(other).is_none_or(|now| now == definition)
    };
    before
        .iter()
        .filter(|(other, definition)| {
            is_attached(change, other, now.is_empty()) && stays(other, definition)
        })
        .map(|(other, definition)| (other.clone(), definition.clone()))
        .collect()
}

/// Whether a comment or privileges are lost if a changed object is recreated. `is_gone` states
/// whether its whole relation was dropped.
fn is_attached(change: &Change, other: &CatalogObject, is_gone: bool) -> bool {
    let object = &change.object;
    if matches!(object.aspect, Aspect::Privileges { .. }) && object.kind == ObjectKind::Table {
        // What is revoked on a table is revoked on its columns as well.
        return other.aspect == object.aspect && other.kind == ObjectKind::Column;
    }
    other.aspect != Aspect::Definition
        && match change.kind {
            ChangeKind::Added(_) => false,
            ChangeKind::Removed { .. } => is_gone,
            ChangeKind::Changed { .. } | ChangeKind::NotValid(_) => {
                object.is(&other.kind) && object.name == other.name
                    || object.is(&ObjectKind::View) && other.kind == ObjectKind::Column
            }
        }
}

/// Returns the recorded schema after a run. It contains only what changed between `before` and
/// `after` and what the run has `made`, object by object, so that a run never accepts an earlier
/// change of someone else, nor the unfinished work of another run. The first run records
/// everything.
#[must_use]
pub fn record_run<'a>(
    recorded: &Snapshot,
    before: &Snapshot,
    after: &'a Snapshot,
    made: impl Fn(&SchemaPart<'_>) -> bool,
) -> Cow<'a, Snapshot> {
    if recorded.relations.is_empty() {
        return Cow::Borrowed(after);
    }
    let mut result = recorded.clone();
    for part in parts(before, after).into_iter().filter(made) {
        replace_part(&mut result, part.relation, part.object, part.now);
    }
    Cow::Owned(result)
}

/// Replaces the definition of an object in a schema, or removes the object.
fn replace_part(
    schema: &mut Snapshot,
    relation: &str,
    object: &CatalogObject,
    definition: Option<&str>,
) {
    let objects = schema.relations.entry(relation.to_owned()).or_default();
    match definition {
        Some(definition) => drop(objects.insert(object.clone(), definition.to_owned())),
        None => drop(objects.remove(object)),
    }
    if objects.is_empty() {
        schema.relations.remove(relation);
    }
}

/// Returns the relations that differ between two snapshots, with their new objects.
#[must_use]
pub fn changed_relations<'a>(
    old: &'a Snapshot,
    new: &'a Snapshot,
) -> Vec<(&'a str, Option<&'a Objects>)> {
    relations(old, new)
        .into_iter()
        .filter(|relation| old.relations.get(*relation) != new.relations.get(*relation))
        .map(|relation| (relation.as_str(), new.relations.get(relation)))
        .collect()
}

/// Returns the differences from the recorded schema before a run, as JSON for the ledger. If the
/// run dies before it records the schema, the next run knows from this note which changes it did
/// not make. Differences in the `accepted` schemas are omitted, so that the run records them like
/// its own changes.
#[must_use]
pub fn note(recorded: &Snapshot, live: &Snapshot, accepted: &[String]) -> String {
    let stays = |relation: &str| {
        !recorded.relations.is_empty() && !accepted.contains(&unquoted(schema_of(relation)))
    };
    let drifted: BTreeMap<String, Objects> = changed_relations(recorded, live)
        .into_iter()
        .filter(|(relation, _)| stays(relation))
        .map(|(relation, objects)| (relation.to_owned(), objects.cloned().unwrap_or_default()))
        .collect();
    Snapshot { relations: drifted }.to_json()
}

/// Returns the schema before a run, from the recorded schema and the note. The note may be from an
/// earlier run without `accepted` schemas, so differences in these are ignored.
///
/// # Errors
/// [`Error::Answer`] if the note cannot be parsed.
pub fn from_note(recorded: &Snapshot, note: &str, accepted: &[String]) -> Result<Snapshot, Error> {
    let mut before = recorded.clone();
    for (relation, objects) in Snapshot::from_json(note)?.relations {
        if accepted.contains(&unquoted(schema_of(&relation))) {
            continue;
        }
        if objects.is_empty() {
            before.relations.remove(&relation);
        } else {
            before.relations.insert(relation, objects);
        }
    }
    Ok(before)
}

/// Returns a digest of objects and their definitions, `sha256:<64 hex digits>`. Equal schemas have
/// equal fingerprints.
#[must_use]
pub fn fingerprint<'a>(objects: impl Iterator<Item = (&'a CatalogObject, &'a str)>) -> String {
    let mut objects: Vec<(&CatalogObject, &str)> = objects.collect();
    objects.sort_unstable();
    let mut hash = Sha256::new();
    for (object, definition) in objects {
        // No text contains a NUL byte, so the separator is unambiguous.
        hash.update(object.to_string());
        hash.update([0]);
        hash.update(definition);
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests;
