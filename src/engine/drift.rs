//! Differences between the schema as the last run left it and the schema as it is.

mod remedy;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest, Sha256};

pub use self::remedy::Remedy;
use crate::database::{Error, Objects, Snapshot, schema_of, unquoted};

/// One object that is not as migrations left it, or not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The relation that it belongs to, for example `public.users`.
    pub relation: String,
    /// Kind and name, for example `column public.users.email`.
    pub object: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Comments and rights that go with it when it is made anew: object and definition each.
    pub attached: Vec<(String, String)>,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there; the definition may be empty.
    Added(String),
    /// It is gone.
    Removed {
        /// As the last run left it.
        from: String,
    },
    /// It is defined differently.
    Changed {
        /// As the last run left it.
        from: String,
        /// As it is.
        to: String,
    },
    /// It is as the last run left it, but an index that is not used, or a constraint that old
    /// rows need not satisfy.
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
                write!(f, "{object} was added: {}", in_one_line(definition))
            }
            ChangeKind::Removed { .. } => write!(f, "{object} was dropped"),
            ChangeKind::Changed { from, to } => {
                let (from, to) = (in_one_line(from), in_one_line(to));
                write!(f, "{object} was changed from \"{from}\" to \"{to}\"")
            }
            ChangeKind::NotValid(_) if object.starts_with("index ") => {
                write!(f, "{object} is INVALID: no query uses it, and nothing keeps it whole")
            }
            ChangeKind::NotValid(_) => {
                write!(f, "{object} is NOT VALID: old rows have not been checked against it")
            }
        }
    }
}

/// Views and functions are defined in several lines; a message has one for each object.
fn in_one_line(definition: &str) -> String {
    definition.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The kinds that stand for all that belongs to them.
const WHOLES: &[&str] = &["table ", "view ", "sequence ", "schema ", "function ", "domain "];

/// Kinds of objects, each before those that may need it.
const BUILT_IN_ORDER: &[&str] = &[
    "schema",
    "domain",
    "sequence",
    "table",
    "column",
    "function",
    "constraint",
    "index",
    "view",
    "comment",
    "grant",
];

/// All differences in the given schemas, and all that is not valid there, in the order in which
/// their remedies can run: what is to be made again first, what is to be dropped last.
///
/// A database that was never recorded has no differences: nobody said how it should be. Of a
/// relation that was dropped or added as a whole only the relation is named.
#[must_use]
pub fn changes(recorded: &Snapshot, live: &Snapshot, schemas: &[String]) -> Vec<Change> {
    let nothing = Objects::new();
    let watched = |relation: &&String| schemas.contains(&unquoted(schema_of(relation)));
    let mut changes = Vec::new();
    for relation in relations(recorded, live).into_iter().filter(watched) {
        let now = live.relations.get(relation);
        // The first run takes over what it finds.
        if !recorded.relations.is_empty() {
            let before = recorded.relations.get(relation);
            let as_a_whole = before.is_none() || now.is_none();
            let (before, now) = (before.unwrap_or(&nothing), now.unwrap_or(&nothing));
            let told = compare(relation, before, now).into_iter().filter(|change| {
                !as_a_whole || WHOLES.iter().any(|kind| change.object.starts_with(kind))
            });
            changes.extend(told.map(|change| {
                let attached = attached(&change, before, now);
                Change { attached, ..change }
            }));
        }
        for (object, definition) in now.unwrap_or(&nothing) {
            let told = changes.iter().any(|change: &Change| change.object == *object);
            if is_invalid(object, definition) && !told {
                let kind = ChangeKind::NotValid(definition.clone());
                let (relation, object) = (relation.clone(), object.clone());
                let change = Change { relation, object, kind, attached: Vec::new() };
                let now = now.unwrap_or(&nothing);
                changes.push(Change { attached: attached(&change, now, now), ..change });
            }
        }
    }
    changes.sort_by_key(Change::turn);
    changes
}

impl Change {
    /// Where its remedy stands among others. Equal ones stay in the order of their names.
    fn turn(&self) -> (bool, isize, bool) {
        let kind = self.object.split(' ').next().unwrap_or_default();
        let rank = BUILT_IN_ORDER.iter().position(|known| *known == kind).unwrap_or_default();
        let rank = isize::try_from(rank).unwrap_or_default();
        match &self.kind {
            ChangeKind::Added(_) => (true, -rank, false),
            // A foreign key needs the key that it refers to.
            ChangeKind::Removed { from } | ChangeKind::Changed { from, .. } => {
                (false, rank, from.starts_with("FOREIGN KEY"))
            }
            ChangeKind::NotValid(_) => (false, rank, false),
        }
    }
}

/// As the catalog query writes it; see `database/catalog/describe.rs`.
fn is_invalid(object: &str, definition: &str) -> bool {
    object.starts_with("index ") && definition.ends_with(" INVALID")
        || object.starts_with("constraint ") && definition.ends_with(" NOT VALID")
}

fn relations<'a>(one: &'a Snapshot, other: &'a Snapshot) -> BTreeSet<&'a String> {
    one.relations.keys().chain(other.relations.keys()).collect()
}

fn compare(relation: &str, before: &Objects, now: &Objects) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let kind = match (before.get(name), now.get(name)) {
                (None, Some(to)) => ChangeKind::Added(to.clone()),
                (Some(from), None) => ChangeKind::Removed { from: from.clone() },
                (Some(from), Some(to)) if from != to => {
                    ChangeKind::Changed { from: from.clone(), to: to.clone() }
                }
                _ => return None,
            };
            let (relation, object) = (relation.to_owned(), name.clone());
            Some(Change { relation, object, kind, attached: Vec::new() })
        })
        .collect()
}

/// The comments and rights that are lost if an object is made anew, and that no change of their own
/// tells: all of a relation that is gone, and those that an object still has.
fn attached(change: &Change, before: &Objects, now: &Objects) -> Vec<(String, String)> {
    let object = change.object.as_str();
    // What is revoked on a table is revoked on its columns, too.
    let grantee = object.strip_prefix("grant on table ").and_then(|it| it.rsplit_once(" to "));
    let is_of = |name: &str| {
        if let Some((_, to)) = grantee {
            return name.starts_with("grant on column ") && name.ends_with(&format!(" to {to}"));
        }
        let of = name.strip_prefix("comment on ").or_else(|| name.strip_prefix("grant on "));
        of.is_some_and(|of| match &change.kind {
            ChangeKind::Added(_) => false,
            ChangeKind::Removed { .. } => now.is_empty(),
            ChangeKind::Changed { .. } | ChangeKind::NotValid(_) => {
                let rest = of.strip_prefix(object);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" to "))
                    || object.starts_with("view ") && of.starts_with("column ")
            }
        })
    };
    let stays = |name: &str, definition: &str| now.get(name).is_none_or(|now| now == definition);
    let lost = before.iter().filter(|(name, definition)| is_of(name) && stays(name, definition));
    lost.map(|(name, definition)| (name.clone(), definition.clone())).collect()
}

/// The recorded schema after a run: only what changed between `before` and `after` is taken over,
/// object by object, so that a run never accepts what somebody else changed earlier. The first
/// run takes everything over.
#[must_use]
pub fn record_run<'a>(
    recorded: &Snapshot,
    before: &Snapshot,
    after: &'a Snapshot,
) -> Cow<'a, Snapshot> {
    if recorded.relations.is_empty() {
        return Cow::Borrowed(after);
    }
    let mut result = recorded.clone();
    let nothing = Objects::new();
    for relation in relations(before, after) {
        let now = after.relations.get(relation).unwrap_or(&nothing);
        let mut objects = recorded.relations.get(relation).cloned().unwrap_or_default();
        for change in compare(relation, before.relations.get(relation).unwrap_or(&nothing), now) {
            match now.get(&change.object) {
                Some(definition) => objects.insert(change.object, definition.clone()),
                None => objects.remove(&change.object),
            };
        }
        if objects.is_empty() {
            result.relations.remove(relation);
        } else {
            result.relations.insert(relation.clone(), objects);
        }
    }
    Cow::Owned(result)
}

/// The relations that differ between two snapshots, with their new objects.
#[must_use]
pub fn changed_relations<'a>(
    old: &'a Snapshot,
    new: &'a Snapshot,
) -> Vec<(&'a str, Option<&'a Objects>)> {
    let relations: BTreeSet<&String> = old.relations.keys().chain(new.relations.keys()).collect();
    relations
        .into_iter()
        .filter(|relation| old.relations.get(*relation) != new.relations.get(*relation))
        .map(|relation| (relation.as_str(), new.relations.get(relation)))
        .collect()
}

/// What differs from the recorded schema before a run, as a text for the ledger. If the run dies
/// before it records, the next one can tell from it which changes were not the run's. What differs
/// in the `accepted` schemas is left out: the run takes it over as if it were its own.
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

/// The schema before a run, from the recorded one and the note. The note may be an earlier run's
/// that knew of no acceptance, so what is `accepted` does not count in it.
///
/// # Errors
/// If the note is not one.
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

/// A digest of objects by name and definition, `sha256:<64 hex digits>`. Equal schemas have equal
/// fingerprints.
#[must_use]
pub fn fingerprint<'a>(objects: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut objects: Vec<(&str, &str)> = objects.collect();
    objects.sort_unstable();
    let mut hash = Sha256::new();
    for (name, definition) in objects {
        // Neither text can hold a NUL byte, so the parts cannot run into each other.
        hash.update(name);
        hash.update([0]);
        hash.update(definition);
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests;
