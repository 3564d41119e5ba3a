//! Adopts migrations that were applied before the provider was used: checks them against the
//! catalog, and makes their records. Pure.
//!
//! A history table or the configuration states which migrations were applied. The check only looks
//! for missing objects. An object that a later migration drops, renames or moves is not expected,
//! and neither is one that a statement such as `DROP … CASCADE` may have dropped without naming it.

use std::collections::BTreeSet;
use std::fmt;

use crate::database::{MigrationRecord, MigrationState};
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};
use crate::migration::{Migration, Origin, Statement, Version};
use crate::sql::{self, Ask, Becomes, JobTarget};

use super::plan::{Plan, Status};

/// An object that an adopted migration creates and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The statement that creates it.
    pub origin: Origin,
    /// What is missing, as a clause.
    pub what: String,
}

/// Whether the objects that a migration creates have to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// All of them, because the migration is to be adopted.
    All,
    /// None, because the provider has run the migration. It may have dropped objects of others.
    Nothing,
}

/// An object that a statement is expected to have left.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    origin: Origin,
    /// The fact that must have a value.
    fact: Fact,
    /// A column that the value must list.
    column: Option<String>,
    /// The table with which the object is dropped.
    table: Option<QualifiedName>,
    /// The text of the statement. If it contains the name of a dropped column, the object was
    /// dropped with the column.
    statement: String,
}

/// Whether the provider has not run any migration of a set. Only until then, the history table of
/// the other tool is read.
#[must_use]
pub fn is_untouched(records: &[MigrationRecord]) -> bool {
    records.iter().all(|record| record.adopted_from.is_some() || !record.has_begun())
}

/// The versions that are not adopted any more, because the provider has begun or recorded them.
#[must_use]
pub fn known(records: &[MigrationRecord]) -> BTreeSet<&Version> {
    records.iter().filter(|record| record.has_begun()).map(|record| &record.version).collect()
}

/// Makes the record of a migration that is to be adopted.
#[must_use]
pub fn adopted(migration: &Migration, from: &str) -> MigrationRecord {
    MigrationRecord {
        version: migration.version.clone(),
        kind: migration.kind,
        run: 0,
        values: None,
        description: migration.description.clone(),
        checksum: migration.checksum.clone(),
        state: MigrationState::Applied,
        finished_at: None,
        applied_by: String::new(),
        duration_ms: None,
        error: None,
        adopted_from: Some(from.to_owned()),
        provider_version: None,
        recorded: None,
        statements: Vec::new(),
    }
}

/// Merges the records of the ledger with those to adopt. A migration that the ledger knows keeps
/// its record.
#[must_use]
pub fn merge_records(
    ledger: &[MigrationRecord],
    adopted: &[MigrationRecord],
) -> Vec<MigrationRecord> {
    let known = known(ledger);
    let new = adopted.iter().filter(|record| !known.contains(&record.version));
    let is_new = |version: &Version| adopted.iter().any(|record| record.version == *version);
    let old = ledger.iter().filter(|r| known.contains(&r.version) || !is_new(&r.version));
    old.chain(new).cloned().collect()
}

/// Returns the migrations of a plan that are still to be adopted, each with the source that lists
/// it as applied.
pub fn to_adopt<'a>(plan: &Plan<'a>) -> impl Iterator<Item = (&'a Migration, &'a str)> {
    plan.entries.iter().filter_map(|entry| match entry.status {
        Status::Applied(record) if record.is_to_adopt() => {
            Some((entry.migration, record.adopted_from.as_deref()?))
        }
        _ => None,
    })
}

/// Merges the records that another run has left with those that a plan has still to adopt.
#[must_use]
pub fn with_adopted(plan: &Plan<'_>, ledger: &[MigrationRecord]) -> Vec<MigrationRecord> {
    let adopted: Vec<_> =
        to_adopt(plan).map(|(migration, from)| adopted(migration, from)).collect();
    merge_records(ledger, &adopted)
}

/// Returns the facts that are needed to check these migrations, whichever of them were applied.
#[must_use]
pub fn facts<'a>(migrations: impl IntoIterator<Item = &'a Migration>) -> Vec<Fact> {
    let mut facts = BTreeSet::new();
    for statement in migrations.into_iter().flat_map(Migration::known_statements) {
        let mut alone = Expectations::default();
        alone.add(statement, Expect::All);
        facts.extend(alone.0.into_iter().map(|expected| expected.fact));
    }
    facts.into_iter().collect()
}

/// Returns the objects that migrations create and that the catalog does not contain, in the order
/// of the statements. The applied migrations include those that the provider has run, because these
/// may have dropped objects that an adopted migration creates.
#[must_use]
pub fn missing<'a>(
    applied: impl IntoIterator<Item = (&'a Migration, Expect)>,
    facts: &Facts,
) -> Vec<Missing> {
    let mut absent = expected(applied);
    absent.retain(|expected| !expected.exists(facts));
    let relation = |name: &QualifiedName| Fact::Identity(FactSubject::Relation(name.clone()));
    let is_missing = |owner: &Fact| absent.iter().any(|e| e.column.is_none() && e.fact == *owner);
    absent
        .iter()
        // If a table is missing, its columns are not reported as well; if an index is missing, its
        // validity is not.
        .filter(|expected| {
            let index = match &expected.fact {
                Fact::Valid(index) => Some(relation(index)),
                _ => None,
            };
            let table = expected.table.as_ref().map(relation);
            !index.into_iter().chain(table).any(|owner| is_missing(&owner))
        })
        .map(|expected| Missing { origin: expected.origin.clone(), what: expected.to_string() })
        .collect()
}

/// The objects that migrations are expected to have left, in the order of the statements.
fn expected<'a>(applied: impl IntoIterator<Item = (&'a Migration, Expect)>) -> Vec<Expected> {
    let mut expectations = Expectations::default();
    for (migration, expect) in applied {
        for statement in migration.known_statements() {
            expectations.add(statement, expect);
        }
        if migration.unknown_from.is_some() {
            // The rest may have dropped, renamed or moved anything.
            expectations.0.clear();
        }
    }
    expectations.0
}

impl Expected {
    fn exists(&self, facts: &Facts) -> bool {
        let found = facts.get(&self.fact);
        match &self.column {
            None => found.is_some(),
            Some(column) => {
                found.is_some_and(|list| list.split(',').any(|name| name == column.as_str()))
            }
        }
    }

    /// Whether it is this relation or a part of it.
    fn is_of(&self, relation: &QualifiedName) -> bool {
        self.table.as_ref().is_some_and(|table| same(table, relation))
            || self.relation().is_some_and(|name| same(name, relation))
    }

    fn relation(&self) -> Option<&QualifiedName> {
        match &self.fact {
            Fact::Identity(FactSubject::Relation(name))
            | Fact::Columns(name)
            | Fact::Valid(name) => Some(name),
            _ => None,
        }
    }

    fn is_in(&self, schema: &str) -> bool {
        let name = match &self.fact {
            Fact::Identity(FactSubject::Schema(name)) => return name == schema,
            Fact::Identity(FactSubject::Domain(name) | FactSubject::Routine(name)) => Some(name),
            _ => self.relation().or(self.table.as_ref()),
        };
        name.is_some_and(|name| name.schema.as_deref().unwrap_or(PUBLIC) == schema)
    }

    /// Whether it is a table or a column, which `CASCADE` never drops.
    fn is_table(&self) -> bool {
        self.column.is_some()
            || self.statement.get(..12).is_some_and(|s| s.eq_ignore_ascii_case("create table"))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fact, &self.column) {
            (Fact::Columns(table), Some(column)) => {
                write!(f, "{} does not exist", FactSubject::Column(table.clone(), column.clone()))
            }
            (Fact::Identity(object), _) => write!(f, "{object} does not exist"),
            (Fact::Valid(index), _) => write!(f, "index {index} is not valid"),
            (fact, _) => write!(f, "{fact}: none"),
        }
    }
}

#[derive(Default)]
struct Expectations(Vec<Expected>);

impl Expectations {
    fn add(&mut self, statement: &Statement, expect: Expect) {
        // An object whose name is not known yet cannot be checked.
        if statement.text.contains("${") {
            return;
        }
        let effect = sql::effect(&statement.text);
        for ask in &effect.asks {
            self.remove(ask, statement);
        }
        let target = sql::job_target(&statement.text);
        if target.is_none() && sql::mentions(&statement.text, "index") {
            self.remove_used_index(statement);
        }
        if expect == Expect::Nothing {
            return;
        }
        // An index that becomes a constraint is checked as the constraint.
        let is_constraint =
            |ask: &Ask| matches!(ask.fact, Fact::Identity(FactSubject::Constraint(..)));
        let adds_constraint = effect.asks.iter().any(is_constraint);
        for ask in effect.asks {
            if !(adds_constraint && matches!(ask.becomes, Becomes::MovedFrom(_))) {
                self.expect(ask, statement);
            }
        }
        if let Some(JobTarget::Index { index: Some(index), table, .. }) = target {
            let relation = Fact::Identity(FactSubject::Relation(index.clone()));
            for expected in self.0.iter_mut().filter(|expected| expected.fact == relation) {
                expected.table = Some(table.clone());
            }
            self.push(statement, Fact::Valid(index), None, Some(table));
        }
    }

    /// Expects what a statement creates.
    fn expect(&mut self, ask: Ask, statement: &Statement) {
        match (ask.fact, ask.becomes) {
            (_, Becomes::Absent | Becomes::WithoutFunction(_)) => {}
            (Fact::Columns(table), Becomes::Exactly(columns)) => {
                for column in columns.split(',').filter(|column| !column.is_empty()) {
                    let fact = Fact::Columns(table.clone());
                    self.push(statement, fact, Some(column.to_owned()), Some(table.clone()));
                }
            }
            (Fact::Identity(FactSubject::Column(table, column)), _) => {
                self.push(statement, Fact::Columns(table.clone()), Some(column), Some(table));
            }
            (Fact::Identity(FactSubject::Constraint(table, name)), _) => {
                let constraint = FactSubject::Constraint(table.clone(), name);
                self.push(statement, Fact::Identity(constraint), None, Some(table));
            }
            (Fact::Validated(table, name), _) => {
                self.push(statement, Fact::Validated(table.clone(), name), None, Some(table));
            }
            (fact @ Fact::Identity(_), _) => {
                self.push(statement, fact, None, None);
            }
            _ => {}
        }
    }

    fn push(
        &mut self,
        statement: &Statement,
        fact: Fact,
        column: Option<String>,
        table: Option<QualifiedName>,
    ) {
        let (origin, text) = (statement.origin.clone(), statement.text.clone());
        self.0.push(Expected { origin, fact, column, table, statement: text });
    }

    /// Removes an index that a statement turns into a constraint: `ADD CONSTRAINT … USING INDEX …`
    /// renames the index like the constraint.
    fn remove_used_index(&mut self, statement: &Statement) {
        self.0.retain(|expected| {
            let is_index = !expected.is_table() && expected.table.is_some();
            let name = expected.relation().filter(|_| is_index);
            !name.is_some_and(|name| sql::mentions(&statement.text, &name.name))
        });
    }

    /// Removes what a statement drops or recreates.
    fn remove(&mut self, ask: &Ask, statement: &Statement) {
        // Of several functions with one name, it is not known which ones remain.
        if let Becomes::MovedFrom(routine @ Fact::Identity(FactSubject::Routine(_))) = &ask.becomes
        {
            self.0.retain(|expected| expected.fact != *routine);
        }
        if let Fact::Identity(FactSubject::Routine(_)) = &ask.fact {
            self.0.retain(|expected| expected.fact != ask.fact);
        }
        let (Fact::Identity(object), Becomes::Absent) = (&ask.fact, &ask.becomes) else { return };
        if sql::mentions(&statement.text, "cascade") {
            self.0.retain(Expected::is_table);
        }
        self.0.retain(|expected| match object {
            FactSubject::Relation(gone) => !expected.is_of(gone),
            FactSubject::Column(table, column) => {
                let is_it = expected.column.as_ref() == Some(column);
                // An index or a constraint that names the column is dropped with it.
                let depends_on_it =
                    expected.column.is_none() && sql::mentions(&expected.statement, column);
                let is_part = expected.table.as_ref().is_some_and(|other| same(other, table));
                !(is_part && (is_it || depends_on_it))
            }
            FactSubject::Constraint(table, name) => {
                let of_it = match &expected.fact {
                    Fact::Identity(FactSubject::Constraint(_, other))
                    | Fact::Validated(_, other) => other == name,
                    // Its index has the same name.
                    Fact::Identity(FactSubject::Relation(index)) | Fact::Valid(index) => {
                        index.name == *name
                    }
                    _ => false,
                };
                !(of_it && expected.table.as_ref().is_some_and(|other| same(other, table)))
            }
            FactSubject::Schema(schema) => !expected.is_in(schema),
            FactSubject::Domain(_) | FactSubject::Role(_) | FactSubject::Routine(_) => {
                expected.fact != ask.fact
            }
        });
    }
}

/// The default schema of names without one.
const PUBLIC: &str = "public";

fn same(one: &QualifiedName, other: &QualifiedName) -> bool {
    let schema = |name: &QualifiedName| name.schema.clone().unwrap_or_else(|| PUBLIC.to_owned());
    one.name == other.name && schema(one) == schema(other)
}

#[cfg(test)]
mod tests;
