//! Finds what pending statements create although it exists.
//!
//! The server rejects `CREATE TABLE t` if there is a `t`, and a run then stops in the middle of a
//! set. With `IF NOT EXISTS` it does nothing, and the migration would count as applied although the
//! object may have another definition. Both are known before anything runs.

mod alike;
mod compare;
mod evolved;
mod later;
mod pending;
mod removed;
mod repeated;

use std::collections::BTreeSet;

use super::expected::Expectations;
use super::plan::Plan;
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::migration::{Migration, Statement};
use crate::sql;

pub use self::compare::compare_existing;
use self::pending::{Pending, is_schema_change, pending_statements};
use self::removed::Removed;
pub use self::repeated::repeated_objects;

/// An object that a pending statement creates although it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingObject<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// The statement.
    pub statement: &'a Statement,
    /// The object.
    pub object: FactSubject,
    /// Whether the statement does nothing if the object exists (`IF NOT EXISTS`).
    pub is_optional: bool,
    /// How the object compares with the statement.
    pub definition: ExistingDefinition,
}

/// How an object that exists compares with the statement that would create it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExistingDefinition {
    /// It was not compared.
    #[default]
    Unknown,
    /// It has the definition of the statement.
    Same,
    /// It has another definition, or one that cannot be compared: the parts that are not the same.
    Different(Vec<String>),
}

/// Returns the objects that migrations create, to be looked up in the catalog.
#[must_use]
pub fn created_objects<'a>(
    migrations: impl IntoIterator<Item = &'a Migration>,
) -> BTreeSet<FactSubject> {
    let statements = migrations.into_iter().flat_map(Migration::known_statements);
    let of = |statement: &Statement| -> Vec<FactSubject> {
        sql::effect(&statement.text).created().map(|it| it.object.clone()).collect()
    };
    statements.filter(|statement| is_schema_change(statement)).flat_map(of).collect()
}

/// Returns the objects that pending statements create, that exist according to `existing`, and that
/// no earlier pending statement can have removed.
#[must_use]
pub fn existing_objects<'a>(plan: &Plan<'a>, existing: &Facts) -> Vec<ExistingObject<'a>> {
    let pending = pending_statements(plan);
    let exists = |object: &FactSubject| existing.get(&Fact::Identity(object.clone())).is_some();
    let mut left = Expectations::default();
    for pending in &pending {
        if pending.effect.created().any(|created| exists(created.object)) {
            left.add_created(pending.statement, pending.effect.clone());
        }
    }
    let mut removed = Removed::default();
    let mut found = Vec::new();
    for Pending { migration, statement, is_begun, effect } in pending {
        // `ALTER TABLE` drops before it adds.
        left.remove_absent(statement, &effect);
        removed.add(statement, &effect);
        let created = effect.created().filter(|created| {
            !is_begun
                && !is_skipped(migration, created.object)
                && exists(created.object)
                && left.has(statement, created.object)
                && !removed.may_include(created.object, existing)
        });
        found.extend(created.map(|created| ExistingObject {
            migration,
            statement,
            object: created.object.clone(),
            is_optional: created.is_optional,
            definition: ExistingDefinition::Unknown,
        }));
        left.remove_dropped(statement, &effect);
    }
    found
}

/// Whether a run skips a statement that creates what exists.
fn is_skipped(migration: &Migration, object: &FactSubject) -> bool {
    migration.is_repeatable() && matches!(object, FactSubject::Schema(_) | FactSubject::Role(_))
}

#[cfg(test)]
mod tests;
