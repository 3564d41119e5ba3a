//! History tables that someone has dropped after migrations were adopted from them.
//!
//! They are not needed any more, because the ledger has what they list. That they are gone is not
//! drift, and the next apply records it.

use std::borrow::Cow;

use super::SchemaPart;
use crate::database::{Error, LedgerSchema, ObjectKind, Objects, Observation, Session, Snapshot};

/// Finds them, with the sequences of their columns. Reads once, and only if a recorded table is
/// gone.
///
/// # Errors
/// The cluster could not be read.
pub async fn find_dropped_history(
    session: &mut Session,
    ledger: &LedgerSchema,
    observation: &mut Observation,
) -> Result<(), Error> {
    let gone: Vec<(&String, &Objects)> = gone(observation).collect();
    let tables = gone.iter().filter(|(_, objects)| has(objects, &ObjectKind::Table));
    let tables: Vec<&str> = tables.map(|(relation, _)| relation.as_str()).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let mut found = session.adopted_tables(&tables, ledger).await?;
    let dropped = gone.iter().filter(|(relation, _)| found.contains(*relation));
    let definitions: Vec<&String> = dropped.flat_map(|(_, objects)| objects.values()).collect();
    let is_sequence = |(relation, objects): &&(&String, &Objects)| {
        let call = format!("nextval('{relation}'");
        has(objects, &ObjectKind::Sequence) && definitions.iter().any(|it| it.contains(&call))
    };
    let sequences: Vec<String> =
        gone.iter().filter(is_sequence).map(|(relation, _)| (*relation).clone()).collect();
    found.extend(sequences);
    observation.dropped_history = found;
    Ok(())
}

/// The recorded relations that do not exist.
fn gone(observation: &Observation) -> impl Iterator<Item = (&String, &Objects)> {
    let Observation { recorded, live, .. } = observation;
    recorded.relations.iter().filter(|(relation, _)| !live.relations.contains_key(*relation))
}

fn has(objects: &Objects, kind: &ObjectKind) -> bool {
    objects.keys().any(|object| object.is(kind))
}

/// Whether a part belonged to such a table.
#[must_use]
pub fn is_of_dropped_history(observation: &Observation, part: &SchemaPart<'_>) -> bool {
    part.now.is_none() && observation.dropped_history.contains(part.relation)
}

/// Adds the tables to a schema, as they are recorded.
pub(super) fn restore<'a>(
    schema: Cow<'a, Snapshot>,
    observation: &Observation,
) -> Cow<'a, Snapshot> {
    let dropped = &observation.dropped_history;
    let relations = gone(observation).filter(|(relation, _)| dropped.contains(*relation));
    let relations: Vec<_> = relations.map(|(name, it)| (name.clone(), it.clone())).collect();
    if relations.is_empty() {
        return schema;
    }
    let mut schema = schema.into_owned();
    schema.relations.extend(relations);
    Cow::Owned(schema)
}
