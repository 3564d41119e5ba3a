//! What statements remove together with the objects that they name.
//!
//! The server drops an index with its table or with one of its columns, and a sequence with the
//! column that owns it. With `CASCADE` it drops whatever depends on an object. The catalog shows to
//! which table an object belongs, so the text of a statement does not have to name the object.

use std::collections::HashSet;
use std::mem;

use crate::migration::Statement;
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};
use crate::sql::{self, Ask, Becomes, Effect};

/// What earlier statements may have removed.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// The objects that they name.
    objects: Vec<FactSubject>,
    /// All names in statements that drop, rename or move something.
    names: HashSet<String>,
    /// Whether one of them drops everything that depends on an object.
    cascades: bool,
    /// Whether one of them drops a domain, a function or a schema in this way, and so the columns
    /// that depend on it.
    cascades_to_columns: bool,
}

impl Removed {
    /// Adds what a statement may remove.
    pub(super) fn add(&mut self, statement: &Statement, effect: &Effect) {
        let is_removal = |ask: &Ask| matches!(ask.becomes, Becomes::Absent | Becomes::MovedFrom(_));
        let removes = effect.asks.iter().any(is_removal);
        if !removes && !sql::mentions(&statement.text, "drop") {
            return;
        }
        self.names.extend(sql::mentioned(&statement.text));
        self.objects.extend(effect.asks.iter().filter_map(|ask| match (&ask.fact, &ask.becomes) {
            (Fact::Identity(object), Becomes::Absent) => Some(object.clone()),
            (_, Becomes::MovedFrom(Fact::Identity(object))) => Some(object.clone()),
            _ => None,
        }));
        if sql::mentions(&statement.text, "cascade") {
            self.cascades = true;
            self.cascades_to_columns |= effect.asks.iter().any(|ask| {
                let is_part = matches!(
                    ask.fact,
                    Fact::Identity(
                        FactSubject::Relation(_)
                            | FactSubject::Column(..)
                            | FactSubject::Constraint(..)
                    )
                );
                is_removal(ask) && !is_part
            });
        }
    }

    /// Whether an object that exists may have been removed with another one.
    pub(super) fn may_include(&self, object: &FactSubject, existing: &Facts) -> bool {
        if self.objects.iter().any(|removed| may_be_same(removed, object)) {
            return true;
        }
        match object {
            FactSubject::Schema(_) | FactSubject::Role(_) => false,
            FactSubject::Relation(name) => {
                let table = existing.get(&Fact::PartOf(name.clone()));
                let is_table = table == Some(name.name.as_str());
                !is_table && (self.cascades || table.is_some_and(|it| self.names.contains(it)))
            }
            FactSubject::Constraint(table, _) => self.cascades || self.names.contains(&table.name),
            FactSubject::Column(..) => self.cascades_to_columns,
            FactSubject::Domain(_) | FactSubject::Routine(_) => self.cascades,
        }
    }
}

/// Whether two names may mean one object, because only one of them has a schema. Which schema the
/// other one means depends on the role.
fn may_be_same(one: &FactSubject, other: &FactSubject) -> bool {
    let (Some(relation), Some(other_relation)) = (qualified(one), qualified(other)) else {
        return false;
    };
    mem::discriminant(one) == mem::discriminant(other)
        && one.own_name() == other.own_name()
        && relation.name == other_relation.name
        && relation.schema.is_none() != other_relation.schema.is_none()
}

/// The name of an object or of its table, if it can have a schema.
fn qualified(object: &FactSubject) -> Option<&QualifiedName> {
    match object {
        FactSubject::Relation(name)
        | FactSubject::Column(name, _)
        | FactSubject::Constraint(name, _)
        | FactSubject::Domain(name)
        | FactSubject::Routine(name) => Some(name),
        FactSubject::Schema(_) | FactSubject::Role(_) => None,
    }
}
