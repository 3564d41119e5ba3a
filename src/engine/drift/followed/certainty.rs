//! What is certain about the objects that statements have changed. An effect that is not followed
//! leaves an object in doubt.

use std::collections::{BTreeMap, BTreeSet};

use super::{KnownObjects, PartKey, PossiblyLeft};
use crate::database::Aspect;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::{Becomes, TableDefinition};

/// The tables that statements have created, and the objects that are in doubt.
#[derive(Debug, Default)]
pub(super) struct Certainty<'a> {
    /// The tables whose parts were neither removed nor renamed afterward.
    pub(super) tables: BTreeMap<&'a str, (QualifiedName, TableDefinition)>,
    lost: BTreeSet<PartKey<'a>>,
    /// The last statement that may have changed every object.
    lost_for_all: Option<usize>,
}

impl<'a> Certainty<'a> {
    /// Notes what a fact that a statement changes leaves in doubt.
    pub(super) fn note(&mut self, fact: &Fact, becomes: &Becomes, objects: KnownObjects<'a>) {
        match (fact, becomes) {
            (Fact::Identity(object), Becomes::Absent | Becomes::MovedFrom(_)) => {
                let table = match object {
                    FactSubject::Column(table, _) | FactSubject::Constraint(table, _) => table,
                    FactSubject::Relation(name) => name,
                    _ => return,
                };
                if let Some(relation) = objects.relation(table) {
                    self.tables.remove(relation);
                }
            }
            (Fact::Definition(object), Becomes::Anything) => {
                objects.find(object).into_iter().for_each(|key| self.is_lost_for(key));
            }
            (Fact::Comment(object) | Fact::Privileges(object), Becomes::Anything) => {
                let Some((relation, _)) = objects.find(object) else { return };
                let attached = objects.of_relation(relation).into_iter();
                let attached = attached.filter(|it| it.aspect != Aspect::Definition);
                attached.for_each(|object| self.is_lost_for((relation, object)));
            }
            _ => {}
        }
    }

    /// `IF NOT EXISTS` leaves an object as it is.
    pub(super) fn may_exist(&mut self, object: &FactSubject, objects: KnownObjects<'a>) {
        let Some((relation, _)) = objects.find(object) else { return };
        self.tables.remove(relation);
        let parts = objects.of_relation(relation).into_iter();
        parts.for_each(|part| self.is_lost_for((relation, part)));
    }

    pub(super) fn is_lost_for(&mut self, key: PartKey<'a>) {
        self.lost.insert(key);
    }

    pub(super) fn is_lost_for_all(&mut self, statement: usize) {
        self.lost_for_all = Some(statement);
        self.tables.clear();
    }

    /// Whether an object is not in doubt, and statements have changed it.
    pub(super) fn is_certain(&self, key: PartKey<'_>, left: &[PossiblyLeft]) -> bool {
        let is_later = |it: &PossiblyLeft| self.lost_for_all.is_none_or(|at| it.statement > at);
        !self.lost.iter().any(|it| *it == key) && !left.is_empty() && left.iter().all(is_later)
    }
}
