//! What is certain about the objects that statements have changed. An effect that is not followed
//! leaves an object in doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::{KnownObjects, PartKey, PossiblyLeft};
use crate::database::ObjectKind;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::{Ask, Becomes, TableDefinition};

/// The tables that statements have created, and the objects that are in doubt.
#[derive(Debug, Default)]
pub(super) struct Certainty<'a> {
    /// The tables whose parts were neither removed nor renamed afterward.
    pub(super) tables: BTreeMap<&'a str, (QualifiedName, TableDefinition)>,
    lost: BTreeSet<PartKey<'a>>,
    /// The last statement that may have changed every object.
    lost_for_all: Option<usize>,
    /// Whether statements may have changed objects under names that are not known.
    lost_for_others: bool,
}

impl<'a> Certainty<'a> {
    /// Notes what a fact that a statement changes leaves in doubt.
    pub(super) fn note(&mut self, ask: &Ask, objects: KnownObjects<'a>) {
        if let (Fact::Identity(object), Becomes::Absent | Becomes::MovedFrom(_)) =
            (&ask.fact, &ask.becomes)
        {
            let table = match object {
                FactSubject::Column(table, _) | FactSubject::Constraint(table, _) => Some(table),
                FactSubject::Relation(name) => Some(name),
                _ => None,
            };
            let relation = table.and_then(|table| objects.relation(table));
            relation.into_iter().for_each(|relation| drop(self.tables.remove(relation)));
        }
        self.are_lost_for(super::doubts::doubts(ask, objects));
    }

    /// `IF NOT EXISTS` leaves an object as it is.
    pub(super) fn may_exist(&mut self, object: &FactSubject, objects: KnownObjects<'a>) {
        let Some((relation, found)) = objects.find(object) else { return };
        self.tables.remove(relation);
        let is_table = found.is(&ObjectKind::Table);
        self.are_lost_for(objects.all(|of, it| of == relation && (is_table || it == found)));
    }

    pub(super) fn is_lost_for(&mut self, key: PartKey<'a>) {
        self.lost.insert(key);
    }

    pub(super) fn are_lost_for(&mut self, keys: impl IntoIterator<Item = PartKey<'a>>) {
        self.lost.extend(keys);
    }

    pub(super) fn is_lost_for_all(&mut self, statement: usize) {
        self.lost_for_all = Some(statement);
        self.tables.clear();
    }

    pub(super) fn is_lost_for_others(&mut self) {
        self.lost_for_others = true;
    }

    /// Whether an object is not in doubt. `left` is what statements have left of it; empty if none
    /// of them changes it.
    pub(super) fn is_certain(&self, key: PartKey<'_>, left: &[PossiblyLeft]) -> bool {
        let is_later = |at: usize| left.iter().all(|it| it.statement > at) && !left.is_empty();
        let may_be_changed = left.is_empty() && self.lost_for_others || self.lost.contains(&key);
        !may_be_changed && self.lost_for_all.is_none_or(is_later)
    }
}
