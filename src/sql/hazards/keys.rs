//! The keys of tables, as statements define them: columns whose values name at most one row.

use std::collections::BTreeMap;

use super::objects::plain;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::definition::{ConstraintKind, Definition, KeyPart};
use crate::sql::effect::{Becomes, Effect, effect};
use crate::sql::tokens::tokens;

/// The keys that statements have defined, by table.
#[derive(Debug, Clone, Default)]
pub struct Keys(BTreeMap<QualifiedName, Vec<TableKey>>);

#[derive(Debug, Clone)]
struct TableKey {
    /// The name of the constraint or of the index; `None` if the server chooses it.
    name: Option<String>,
    columns: Vec<String>,
}

impl Keys {
    /// Reads a statement. Only schema changes are read beyond their first word.
    pub fn read(&mut self, sql: &str) {
        if tokens(sql).next().is_some_and(|first| first.is_any(&["CREATE", "ALTER", "DROP"])) {
            self.learn(&effect(sql));
        }
    }

    /// Adds what a statement defines, and removes what it drops.
    pub(super) fn learn(&mut self, effect: &Effect) {
        for ask in &effect.asks {
            match (&ask.fact, &ask.becomes) {
                (fact, Becomes::Defined(definition) | Becomes::Contains(definition)) => {
                    self.define(fact, definition);
                }
                (Fact::Identity(object), Becomes::Absent) => self.remove(object),
                _ => {}
            }
        }
    }

    /// The columns of each key of a table.
    pub(super) fn of(&self, table: &QualifiedName) -> impl Iterator<Item = &[String]> {
        let keys = self.0.get(&plain(table)).map(Vec::as_slice).unwrap_or_default();
        keys.iter().map(|key| key.columns.as_slice())
    }

    fn define(&mut self, fact: &Fact, definition: &Definition) {
        let index = match fact {
            Fact::Identity(FactSubject::Relation(name)) => Some(name.name.clone()),
            _ => None,
        };
        let mut add = |table: &QualifiedName, name: Option<String>, columns: Vec<String>| {
            self.0.entry(plain(table)).or_default().push(TableKey { name, columns });
        };
        let of_constraint = |kind: &ConstraintKind| match kind {
            ConstraintKind::PrimaryKey(columns) | ConstraintKind::Unique { columns, .. } => {
                Some(columns.clone())
            }
            ConstraintKind::Check(_)
            | ConstraintKind::ForeignKey(_)
            | ConstraintKind::UsingIndex(_) => None,
        };
        match definition {
            Definition::Table(table) => {
                let Some(name) = fact.qualified_name() else { return };
                for constraint in &table.constraints {
                    if let Some(columns) = of_constraint(&constraint.kind) {
                        add(name, constraint.name.clone(), columns);
                    }
                }
            }
            Definition::Constraint(constraint) => {
                let columns = of_constraint(&constraint.kind);
                if let (Some(table), Some(columns)) = (fact.qualified_name(), columns) {
                    add(table, constraint.name.clone(), columns);
                }
            }
            Definition::Index(it) if it.unique && it.predicate.is_none() => {
                let column = |part: &KeyPart| match part {
                    KeyPart::Column(name) => Some(name.clone()),
                    KeyPart::Expression(_) => None,
                };
                if let Some(columns) = it.keys.iter().map(|key| column(&key.part)).collect() {
                    add(&it.table, index, columns);
                }
            }
            _ => {}
        }
    }

    /// Forgets the keys that may have gone with an object. The server chooses the names of some.
    fn remove(&mut self, object: &FactSubject) {
        match object {
            FactSubject::Relation(name) => {
                self.0.remove(&plain(name));
                for keys in self.0.values_mut() {
                    keys.retain(|key| key.name.as_ref() != Some(&name.name));
                }
            }
            FactSubject::Constraint(table, name) => {
                if let Some(keys) = self.0.get_mut(&plain(table)) {
                    keys.retain(|key| key.name.as_ref().is_some_and(|it| it != name));
                }
            }
            FactSubject::Column(table, name) => {
                if let Some(keys) = self.0.get_mut(&plain(table)) {
                    keys.retain(|key| !key.columns.contains(name));
                }
            }
            _ => {}
        }
    }
}
