//! Migrations that were applied before the provider came: whether the catalog agrees, and what is
//! to be recorded. Pure.
//!
//! Who says that they were applied is not asked here: the ledger of another tool, or a
//! practitioner. Only presence is looked for. What a later one of these migrations has dropped,
//! renamed or moved is not held against an earlier one, and where a statement may have taken more
//! away than it names, less is expected.

use std::collections::BTreeSet;
use std::fmt;

use crate::database::{MigrationRecord, MigrationState};
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};
use crate::migration::{Migration, Origin, Statement, Version};
use crate::sql::{self, Ask, Becomes, JobTarget};

use super::plan::{Plan, Status};

/// Something that an adopted migration makes and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The statement that makes it.
    pub origin: Origin,
    /// What is missing, in words.
    pub what: String,
}

/// Whether a migration is to have left something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It is to be adopted.
    All,
    /// The provider has run it itself: it only may have taken something away.
    Nothing,
}

/// What one statement is expected to have left.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    origin: Origin,
    /// What to ask.
    fact: Fact,
    /// A column that the answer lists; otherwise there only has to be an answer.
    column: Option<String>,
    /// The table that it goes away with.
    table: Option<QualifiedName>,
    /// Words in the statement, by which a dropped column takes it along.
    statement: String,
}

/// Whether a set still takes over by itself: as long as no migration of it was run here. From then
/// on the other tool is a thing of the past, and nobody has to look at its ledger.
#[must_use]
pub fn is_untouched(records: &[MigrationRecord]) -> bool {
    records.iter().all(|record| record.adopted_from.is_some() || !record.has_begun())
}

/// The versions that the ledger knows: what was begun is the provider's own to finish.
#[must_use]
pub fn known(records: &[MigrationRecord]) -> BTreeSet<&Version> {
    records.iter().filter(|record| record.has_begun()).map(|record| &record.version).collect()
}

/// The record of a migration that is to be taken over.
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
        statements: Vec::new(),
    }
}

/// The ledger with what is to be taken over, where it has nothing better to say.
#[must_use]
pub fn together(ledger: &[MigrationRecord], adopted: &[MigrationRecord]) -> Vec<MigrationRecord> {
    let known = known(ledger);
    let new = adopted.iter().filter(|record| !known.contains(&record.version));
    let is_new = |version: &Version| adopted.iter().any(|record| record.version == *version);
    let old = ledger.iter().filter(|r| known.contains(&r.version) || !is_new(&r.version));
    old.chain(new).cloned().collect()
}

/// The migrations of a plan that are still to be recorded, with what says that they are applied.
pub fn to_adopt<'a>(plan: &Plan<'a>) -> impl Iterator<Item = (&'a Migration, &'a str)> {
    plan.entries.iter().filter_map(|entry| match entry.status {
        Status::Applied(record) if record.is_to_adopt() => {
            Some((entry.migration, record.adopted_from.as_deref()?))
        }
        _ => None,
    })
}

/// The ledger as another run has left it, with what a plan is still to adopt.
#[must_use]
pub fn with_adopted(plan: &Plan<'_>, ledger: &[MigrationRecord]) -> Vec<MigrationRecord> {
    let adopted: Vec<_> =
        to_adopt(plan).map(|(migration, from)| adopted(migration, from)).collect();
    together(ledger, &adopted)
}

/// What to ask the catalog for these migrations, whichever of them turn out to be applied.
#[must_use]
pub fn facts<'a>(migrations: impl IntoIterator<Item = &'a Migration>) -> Vec<Fact> {
    let mut facts = BTreeSet::new();
    for statement in migrations.into_iter().flat_map(|migration| &migration.statements) {
        let mut alone = Expectations::default();
        alone.take(statement, Expect::All);
        facts.extend(alone.0.into_iter().map(|expected| expected.fact));
    }
    facts.into_iter().collect()
}

/// What migrations make and the catalog does not have, in their order. All that are applied count,
/// but only from those that are to be adopted something is expected.
#[must_use]
pub fn missing<'a>(
    applied: impl IntoIterator<Item = (&'a Migration, Expect)>,
    facts: &Facts,
) -> Vec<Missing> {
    let mut absent = expected(applied);
    absent.retain(|expected| !expected.is_there(facts));
    let relation = |name: &QualifiedName| Fact::Identity(FactSubject::Relation(name.clone()));
    let is_gone = |owner: &Fact| absent.iter().any(|e| e.column.is_none() && e.fact == *owner);
    absent
        .iter()
        // Without its table a column is not worth a line, nor is the validity of an index that is
        // not there at all.
        .filter(|expected| {
            let index = match &expected.fact {
                Fact::Valid(index) => Some(relation(index)),
                _ => None,
            };
            let table = expected.table.as_ref().map(relation);
            !index.into_iter().chain(table).any(|owner| is_gone(&owner))
        })
        .map(|expected| Missing { origin: expected.origin.clone(), what: expected.to_string() })
        .collect()
}

/// What migrations are expected to have left, in the order of the statements.
fn expected<'a>(applied: impl IntoIterator<Item = (&'a Migration, Expect)>) -> Vec<Expected> {
    let mut expectations = Expectations::default();
    for (migration, expect) in applied {
        for statement in &migration.statements {
            expectations.take(statement, expect);
        }
    }
    expectations.0
}

impl Expected {
    fn is_there(&self, facts: &Facts) -> bool {
        let found = facts.get(&self.fact.to_string());
        match &self.column {
            None => found.is_some(),
            Some(column) => {
                found.is_some_and(|list| list.split(',').any(|name| name == column.as_str()))
            }
        }
    }

    /// What it is about is, or is part of, this relation.
    fn is_of(&self, relation: &QualifiedName) -> bool {
        self.table.as_ref().is_some_and(|table| same(table, relation))
            || self.relation().is_some_and(|name| same(name, relation))
    }

    fn relation(&self) -> Option<&QualifiedName> {
        match &self.fact {
            Fact::Identity(FactSubject::Relation(name))
            | Fact::Definition(FactSubject::Relation(name))
            | Fact::Columns(name)
            | Fact::Valid(name) => Some(name),
            _ => None,
        }
    }

    fn lies_in(&self, schema: &str) -> bool {
        let name = match &self.fact {
            Fact::Identity(FactSubject::Schema(name)) => return name == schema,
            Fact::Identity(FactSubject::Domain(name))
            | Fact::Definition(FactSubject::Domain(name) | FactSubject::Routine(name)) => {
                Some(name)
            }
            _ => self.relation().or(self.table.as_ref()),
        };
        name.is_some_and(|name| name.schema.as_deref().unwrap_or(PUBLIC) == schema)
    }

    /// A table with its columns stays whatever else is dropped with `CASCADE`.
    fn is_table(&self) -> bool {
        self.column.is_some()
            || self.statement.get(..12).is_some_and(|s| s.eq_ignore_ascii_case("create table"))
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fact, &self.column) {
            (Fact::Columns(table), Some(column)) => {
                write!(f, "{} is not there", FactSubject::Column(table.clone(), column.clone()))
            }
            (Fact::Identity(object) | Fact::Definition(object), _) => {
                write!(f, "{object} is not there")
            }
            (Fact::Valid(index), _) => write!(f, "index {index} is not valid"),
            (fact, _) => write!(f, "{fact}: not there"),
        }
    }
}

#[derive(Default)]
struct Expectations(Vec<Expected>);

impl Expectations {
    fn take(&mut self, statement: &Statement, expect: Expect) {
        // With a name that is not known yet there is nothing to ask.
        if statement.text.contains("${") {
            return;
        }
        let effect = sql::effect(&statement.text);
        for ask in &effect.asks {
            self.forget(ask, statement);
        }
        let target = sql::job_target(&statement.text);
        if target.is_none() && sql::mentions(&statement.text, "index") {
            self.forget_used_index(statement);
        }
        if expect == Expect::Nothing {
            return;
        }
        for ask in effect.asks {
            self.expect(ask, statement);
        }
        if let Some(JobTarget::Index { index: Some(index), table, .. }) = target {
            let relation = Fact::Identity(FactSubject::Relation(index.clone()));
            for expected in self.0.iter_mut().filter(|expected| expected.fact == relation) {
                expected.table = Some(table.clone());
            }
            self.push(statement, Fact::Valid(index), None, Some(table));
        }
    }

    fn expect(&mut self, ask: Ask, statement: &Statement) {
        if matches!(ask.becomes, Becomes::Absent | Becomes::Anything) {
            return;
        }
        match (ask.fact, ask.becomes) {
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
            (fact @ (Fact::Identity(_) | Fact::Definition(_)), _) => {
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

    /// `ADD CONSTRAINT … USING INDEX …` gives the index the name of the constraint.
    fn forget_used_index(&mut self, statement: &Statement) {
        self.0.retain(|expected| {
            let is_index = !expected.is_table() && expected.table.is_some();
            let name = expected.relation().filter(|_| is_index);
            !name.is_some_and(|name| sql::mentions(&statement.text, &name.name))
        });
    }

    /// Forgets what a statement takes away or makes anew.
    fn forget(&mut self, ask: &Ask, statement: &Statement) {
        if let Fact::Definition(FactSubject::Routine(_)) = &ask.fact {
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
                // An index or a constraint that names the column goes with it.
                let leans_on_it =
                    expected.column.is_none() && sql::mentions(&expected.statement, column);
                let is_part = expected.table.as_ref().is_some_and(|other| same(other, table));
                !(is_part && (is_it || leans_on_it))
            }
            FactSubject::Constraint(table, name) => {
                let of_it = match &expected.fact {
                    Fact::Identity(FactSubject::Constraint(_, other))
                    | Fact::Validated(_, other) => other == name,
                    // It has an index of its own name.
                    Fact::Identity(FactSubject::Relation(index)) | Fact::Valid(index) => {
                        index.name == *name
                    }
                    _ => false,
                };
                !(of_it && expected.table.as_ref().is_some_and(|other| same(other, table)))
            }
            FactSubject::Schema(schema) => !expected.lies_in(schema),
            FactSubject::Domain(_) | FactSubject::Role(_) | FactSubject::Routine(_) => {
                expected.fact != ask.fact
            }
        });
    }
}

/// Where a name without schema is looked for, unless a role says otherwise.
const PUBLIC: &str = "public";

fn same(one: &QualifiedName, other: &QualifiedName) -> bool {
    let schema = |name: &QualifiedName| name.schema.clone().unwrap_or_else(|| PUBLIC.to_owned());
    one.name == other.name && schema(one) == schema(other)
}

#[cfg(test)]
mod tests;
