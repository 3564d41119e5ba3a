//! Differences between the schema as the last run left it and the schema as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest, Sha256};

use crate::database::{Error, Objects, Snapshot, schema_of};

/// One object that was changed outside migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Kind and name, for example `column public.users.email`.
    pub object: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there; the definition may be empty.
    Added(String),
    /// It is gone.
    Removed,
    /// It is defined differently.
    Changed {
        /// As the last run left it.
        from: String,
        /// As it is.
        to: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match &self.kind {
            ChangeKind::Added(definition) if definition.is_empty() => {
                write!(f, "{object} was added")
            }
            ChangeKind::Added(definition) => write!(f, "{object} was added: {definition}"),
            ChangeKind::Removed => write!(f, "{object} was dropped"),
            ChangeKind::Changed { from, to } => {
                write!(f, "{object} was changed from \"{from}\" to \"{to}\"")
            }
        }
    }
}

/// All differences, in the order of the objects' relations and names.
///
/// A schema that was never recorded has no differences: nobody said how it should be. Of a
/// relation that was dropped or added as a whole only the relation is named.
#[must_use]
pub fn changes(recorded: &Snapshot, live: &Snapshot) -> Vec<Change> {
    let relations: BTreeSet<&String> =
        recorded.relations.keys().chain(live.relations.keys()).collect();
    let nothing = Objects::new();
    let mut changes = Vec::new();
    for relation in relations {
        if !is_recorded(recorded, relation) {
            continue;
        }
        let before = recorded.relations.get(relation);
        let now = live.relations.get(relation);
        let as_a_whole = before.is_none() || now.is_none();
        let found = compare(before.unwrap_or(&nothing), now.unwrap_or(&nothing));
        changes.extend(found.into_iter().filter(|change| {
            !as_a_whole
                || ["table ", "view ", "sequence ", "schema "]
                    .iter()
                    .any(|kind| change.object.starts_with(kind))
        }));
    }
    changes
}

fn compare(before: &Objects, now: &Objects) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let kind = match (before.get(name), now.get(name)) {
                (None, Some(to)) => ChangeKind::Added(to.clone()),
                (Some(_), None) => ChangeKind::Removed,
                (Some(from), Some(to)) if from != to => {
                    ChangeKind::Changed { from: from.clone(), to: to.clone() }
                }
                _ => return None,
            };
            Some(Change { object: name.clone(), kind })
        })
        .collect()
}

/// The recorded schema after a run: only what changed between `before` and `after` is taken over,
/// object by object, so that a run never accepts what somebody else changed earlier. A schema
/// that was never recorded is taken over whole.
#[must_use]
pub fn record_run(recorded: &Snapshot, before: &Snapshot, after: &Snapshot) -> Snapshot {
    let mut result = recorded.clone();
    let relations: BTreeSet<&String> =
        before.relations.keys().chain(after.relations.keys()).collect();
    let nothing = Objects::new();
    for relation in relations {
        let now = after.relations.get(relation).unwrap_or(&nothing);
        let objects = if is_recorded(recorded, relation) {
            let mut objects = recorded.relations.get(relation).cloned().unwrap_or_default();
            for change in compare(before.relations.get(relation).unwrap_or(&nothing), now) {
                match now.get(&change.object) {
                    Some(definition) => objects.insert(change.object, definition.clone()),
                    None => objects.remove(&change.object),
                };
            }
            objects
        } else {
            now.clone()
        };
        if objects.is_empty() {
            result.relations.remove(relation);
        } else {
            result.relations.insert(relation.clone(), objects);
        }
    }
    result
}

/// The relations that differ between two snapshots, with their new objects.
#[must_use]
pub fn changed_relations<'a>(
    old: &Snapshot,
    new: &'a Snapshot,
) -> Vec<(String, Option<&'a Objects>)> {
    let relations: BTreeSet<&String> = old.relations.keys().chain(new.relations.keys()).collect();
    relations
        .into_iter()
        .filter(|relation| old.relations.get(*relation) != new.relations.get(*relation))
        .map(|relation| (relation.clone(), new.relations.get(relation)))
        .collect()
}

/// What differs from the recorded schema before a run, as a text for the ledger. If the run dies
/// before it records, the next one can tell from it which changes were not the run's.
#[must_use]
pub fn note(recorded: &Snapshot, live: &Snapshot) -> String {
    let drifted: BTreeMap<String, Objects> = changed_relations(recorded, live)
        .into_iter()
        .filter(|(relation, _)| is_recorded(recorded, relation))
        .map(|(relation, objects)| (relation, objects.cloned().unwrap_or_default()))
        .collect();
    Snapshot { relations: drifted }.to_json()
}

/// The schema before a run, from the recorded one and the note.
///
/// # Errors
/// If the note is not one.
pub fn from_note(recorded: &Snapshot, note: &str) -> Result<Snapshot, Error> {
    let mut before = recorded.clone();
    for (relation, objects) in Snapshot::from_json(note)?.relations {
        if objects.is_empty() {
            before.relations.remove(&relation);
        } else {
            before.relations.insert(relation, objects);
        }
    }
    Ok(before)
}

/// A digest of all objects, `sha256:<64 hex digits>`. Equal schemas have equal fingerprints.
#[must_use]
pub fn fingerprint(snapshot: &Snapshot) -> String {
    let objects: BTreeMap<&str, &str> = snapshot.objects().collect();
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

/// Whether the schema of a relation (`public.users`, or the schema's own entry `public`) has been
/// recorded.
fn is_recorded(recorded: &Snapshot, relation: &str) -> bool {
    recorded.relations.contains_key(relation)
        || recorded.relations.contains_key(schema_of(relation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(relations: &[(&str, &[(&str, &str)])]) -> Snapshot {
        let objects = |list: &[(&str, &str)]| {
            list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        Snapshot {
            relations: relations.iter().map(|(r, list)| ((*r).to_owned(), objects(list))).collect(),
        }
    }

    const SCHEMA: (&str, &[(&str, &str)]) = ("public", &[("schema public", "")]);
    const USERS: (&str, &[(&str, &str)]) = (
        "public.users",
        &[("table public.users", ""), ("column public.users.id", "uuid not null")],
    );
    const USERS_WITH_NICK: (&str, &[(&str, &str)]) = (
        "public.users",
        &[
            ("table public.users", ""),
            ("column public.users.id", "uuid not null"),
            ("column public.users.nick", "text"),
        ],
    );
    const NOTES: (&str, &[(&str, &str)]) =
        ("public.notes", &[("table public.notes", ""), ("column public.notes.id", "uuid")]);

    fn words(recorded: &Snapshot, live: &Snapshot) -> Vec<String> {
        changes(recorded, live).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_change_is_told_in_words() {
        let recorded = snapshot(&[SCHEMA, USERS, NOTES]);
        let live = snapshot(&[
            SCHEMA,
            (
                "public.users",
                &[
                    ("table public.users", ""),
                    ("column public.users.id", "text not null"),
                    ("column public.users.nick", "text"),
                ],
            ),
            ("public.extra", &[("table public.extra", ""), ("column public.extra.id", "uuid")]),
        ]);
        assert_eq!(
            words(&recorded, &live),
            [
                "table public.extra was added",
                "table public.notes was dropped",
                "column public.users.id was changed from \"uuid not null\" to \"text not null\"",
                "column public.users.nick was added: text",
            ]
        );
    }

    #[test]
    fn equal_schemas_and_schemas_that_nobody_recorded_show_nothing() {
        let live = snapshot(&[SCHEMA, USERS]);
        assert!(changes(&live, &live).is_empty());
        assert!(changes(&Snapshot::default(), &live).is_empty());
    }

    #[test]
    fn a_table_in_a_schema_that_was_recorded_empty_is_drift() {
        let recorded = snapshot(&[SCHEMA]);
        assert_eq!(words(&recorded, &snapshot(&[SCHEMA, USERS])), ["table public.users was added"]);
    }

    #[test]
    fn a_run_records_its_own_changes_and_never_accepts_an_earlier_drift_of_the_same_table() {
        let recorded = snapshot(&[SCHEMA, USERS]);
        let before = snapshot(&[SCHEMA, USERS_WITH_NICK]);
        let mut after = before.clone();
        after
            .relations
            .get_mut("public.users")
            .unwrap()
            .insert("column public.users.age".into(), "integer".into());
        after.relations.extend(snapshot(&[NOTES]).relations);

        let recorded = record_run(&recorded, &before, &after);

        assert_eq!(words(&recorded, &after), ["column public.users.nick was added: text"]);
    }

    #[test]
    fn the_first_run_records_the_whole_schema() {
        let before = snapshot(&[SCHEMA, NOTES]);
        let after = snapshot(&[SCHEMA, NOTES, USERS]);
        assert_eq!(record_run(&Snapshot::default(), &before, &after), after);
    }

    #[test]
    fn a_table_that_a_run_drops_is_forgotten() {
        let recorded = snapshot(&[SCHEMA, USERS, NOTES]);
        let after = snapshot(&[SCHEMA, USERS]);
        let new = record_run(&recorded, &recorded, &after);
        assert_eq!(new, after);
        assert_eq!(changed_relations(&recorded, &new), [("public.notes".to_owned(), None)]);
    }

    #[test]
    fn a_note_brings_the_schema_before_a_dead_run_back() {
        let recorded = snapshot(&[SCHEMA, USERS, NOTES]);
        for before in [
            recorded.clone(),
            snapshot(&[SCHEMA, USERS_WITH_NICK, NOTES]),
            snapshot(&[SCHEMA, USERS]),
        ] {
            let note = note(&recorded, &before);
            assert_eq!(from_note(&recorded, &note).unwrap(), before, "{note}");
        }
        assert_eq!(note(&recorded, &recorded), "{}");
        let unrecorded = Snapshot::default();
        assert_eq!(note(&unrecorded, &recorded), "{}", "there is nothing to differ from");
        assert!(from_note(&recorded, "no json").is_err());
    }

    #[test]
    fn fingerprints_tell_schemas_apart() {
        let users = fingerprint(&snapshot(&[SCHEMA, USERS]));
        assert_eq!(users, fingerprint(&snapshot(&[USERS, SCHEMA])));
        assert_ne!(users, fingerprint(&snapshot(&[SCHEMA, USERS_WITH_NICK])));
        assert!(users.starts_with("sha256:") && users.len() == 71, "{users}");
    }
}
