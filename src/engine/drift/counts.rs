//! The effect of the objects that count as the work of a set on the recorded schema. Pure.

use std::borrow::Cow;

use super::dropped_history::restore;
use super::{SchemaPart, replace_part};
use crate::database::{CountedObjects, Observation, Snapshot, StatementState};

/// The live schema in which what counts, and each dropped history table, is as recorded.
#[must_use]
pub fn without_counted(observation: &Observation) -> Cow<'_, Snapshot> {
    let Observation { recorded, live, counted, .. } = observation;
    let live = restore(Cow::Borrowed(live), observation);
    if counted.is_empty() {
        return live;
    }
    let mut without = live.into_owned();
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
        record.is_applied() || matches!(state, Some(StatementState::Done | StatementState::Skipped))
    }))
}
