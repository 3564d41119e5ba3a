//! Finds what pending statements create although it exists.
//!
//! The server rejects `CREATE TABLE t` if there is a `t`, and a run then stops in the middle of a
//! set. With `IF NOT EXISTS` it does nothing, and the migration would count as applied although the
//! object may have another definition. Both are known before anything runs.

use std::collections::{BTreeSet, HashSet};

use super::comparison::{Catalog, Comparer, Printer};
use super::drift;
use super::expected::Expectations;
use super::plan::Plan;
use super::verdict::identities_of;
use crate::database::{Error, Session};
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::migration::{Class, Migration, Statement, StatementNumber};
use crate::sql::{self, Effect};

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
/// no earlier pending statement drops, renames or moves.
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
    let mut found = Vec::new();
    for Pending { migration, statement, is_begun, effect } in pending {
        // `ALTER TABLE` drops before it adds.
        left.remove_absent(statement, &effect);
        let created = effect.created().filter(|created| {
            !is_begun
                && !is_skipped(migration, created.object)
                && exists(created.object)
                && left.has(statement, created.object)
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

/// A statement of a pending migration.
struct Pending<'a> {
    migration: &'a Migration,
    statement: &'a Statement,
    /// Whether an earlier run has sent it. Then the next run reads from the catalog whether it was
    /// applied.
    is_begun: bool,
    effect: Effect,
}

/// The statements up to the first one whose effect is unknown, which may drop anything.
fn pending_statements<'a>(plan: &Plan<'a>) -> Vec<Pending<'a>> {
    let statements = plan.pending().flat_map(|entry| {
        let rows = entry.begun().map(|begun| begun.statements.as_slice()).unwrap_or_default();
        let is_begun = |number: StatementNumber| rows.iter().any(|row| row.number == number);
        let numbered = entry.migration.numbered();
        numbered.map(move |(number, statement)| (entry.migration, statement, is_begun(number)))
    });
    let mut pending = Vec::new();
    for (migration, statement, is_begun) in statements {
        if !is_schema_change(statement) {
            continue;
        }
        let effect = sql::effect(&statement.text);
        // A variable without a value may be part of the name of an object.
        if effect.is_unknown() || statement.text.contains("${") {
            break;
        }
        pending.push(Pending { migration, statement, is_begun, effect });
    }
    pending
}

fn is_schema_change(statement: &Statement) -> bool {
    !matches!(statement.class, Class::Dml | Class::Batch)
}

/// Whether a run skips a statement that creates what exists.
fn is_skipped(migration: &Migration, object: &FactSubject) -> bool {
    migration.is_repeatable() && matches!(object, FactSubject::Schema(_) | FactSubject::Role(_))
}

/// Compares the definitions of optional objects with the catalog, and removes functions that only
/// have the name of another one. Reads up to three times: the facts, the definitions, and the
/// expressions that the server prints in its own way.
///
/// # Errors
/// The catalog could not be read.
pub async fn compare_existing<'a>(
    session: &mut Session,
    plan: &Plan<'a>,
    found: Vec<ExistingObject<'a>>,
) -> Result<Vec<ExistingObject<'a>>, Error> {
    let changed = changed_names(plan, &found);
    let is_compared = |it: &ExistingObject<'_>| {
        let is_changed = short_name(&it.object).is_some_and(|name| {
            let is_other = |statement| !std::ptr::eq(statement, it.statement);
            let mut earlier = changed.iter().take_while(|(statement, _)| is_other(*statement));
            earlier.any(|(_, names)| names.contains(name))
        });
        is_routine(&it.object) || it.is_optional && !is_changed
    };
    let effects: Vec<Option<Effect>> =
        found.iter().map(|it| is_compared(it).then(|| sql::effect(&it.statement.text))).collect();
    if effects.iter().all(Option::is_none) {
        return Ok(found);
    }
    let facts: BTreeSet<Fact> = effects
        .iter()
        .flatten()
        .flat_map(|it| it.facts().into_iter().chain(it.context()))
        .collect();
    let facts: Vec<Fact> = facts.into_iter().collect();
    let now = session.facts(&facts).await?;
    let objects = session.describe(&identities_of(facts, &now)).await?;

    let mut printer = Printer::default();
    let compare = |printer: &mut Printer| -> Vec<Option<ExistingObject<'a>>> {
        let mut comparer = Comparer { catalog: Catalog { now: &now, objects: &objects }, printer };
        let pairs = found.iter().zip(&effects);
        pairs.map(|(object, effect)| comparer.existing(object, effect.as_ref())).collect()
    };
    let mut compared = compare(&mut printer);
    let missing = printer.missing();
    if !missing.is_empty() {
        let printed = session.explain(&missing).await?;
        printer.add(missing.into_iter().zip(printed).collect());
        compared = compare(&mut printer);
    }
    Ok(compared.into_iter().flatten().collect())
}

impl Comparer<'_, '_> {
    /// Compares an object that exists with its statement. `None` if it is another function.
    fn existing<'a>(
        &mut self,
        existing: &ExistingObject<'a>,
        effect: Option<&Effect>,
    ) -> Option<ExistingObject<'a>> {
        let Some(effect) = effect else { return Some(existing.clone()) };
        let object = &existing.object;
        let created = effect.created().find(|created| created.object == object)?;
        let identity = self.catalog.now.get(&Fact::Identity(object.clone()));
        let definition = match (created.definition, identity) {
            (Some(sql::Definition::Function(function)), Some(identity)) => {
                self.catalog.function_with(identity, &function.signature())?;
                ExistingDefinition::Unknown
            }
            (None, _) => ExistingDefinition::Same,
            // It was dropped meanwhile, or it is in a schema that the search path does not have.
            (Some(_), None) => ExistingDefinition::Unknown,
            (Some(definition), Some(identity)) => {
                let mut findings: Vec<String> =
                    self.object(definition, object, identity).findings().collect();
                let found = self.catalog.by_identity(object, identity);
                // The server does not build it again.
                let invalid = found.filter(|it| drift::is_invalid(&it.object, &it.definition));
                findings.extend(invalid.map(|it| format!("{} is INVALID", it.object)));
                if findings.is_empty() {
                    ExistingDefinition::Same
                } else {
                    ExistingDefinition::Different(findings)
                }
            }
        };
        Some(ExistingObject { definition, ..existing.clone() })
    }
}

/// The pending statements, each with the names in it if it changes something.
fn changed_names<'a>(
    plan: &Plan<'a>,
    found: &[ExistingObject<'a>],
) -> Vec<(&'a Statement, HashSet<String>)> {
    let does_nothing = |pending: &Pending<'_>| {
        let is_kept = |object: &FactSubject| {
            let mut kept = found.iter().filter(|it| it.is_optional && it.object == *object);
            kept.any(|it| std::ptr::eq(it.statement, pending.statement))
        };
        pending.effect.created().all(|created| is_kept(created.object))
    };
    let names = |pending: &Pending<'_>| {
        if does_nothing(pending) { HashSet::new() } else { sql::mentioned(&pending.statement.text) }
    };
    pending_statements(plan).iter().map(|it| (it.statement, names(it))).collect()
}

fn is_routine(object: &FactSubject) -> bool {
    matches!(object, FactSubject::Routine(_))
}

/// The name of an object without that of its schema or table.
fn short_name(object: &FactSubject) -> Option<&str> {
    match object {
        FactSubject::Schema(name)
        | FactSubject::Role(name)
        | FactSubject::Column(_, name)
        | FactSubject::Constraint(_, name) => Some(name),
        FactSubject::Relation(name) | FactSubject::Domain(name) | FactSubject::Routine(name) => {
            Some(&name.name)
        }
    }
}

#[cfg(test)]
mod tests;
