//! What the catalog should show after statements. Pure.
//!
//! An object that a later statement drops, renames or moves is not expected, and neither is one
//! that a statement such as `DROP … CASCADE` may have dropped without naming it.

mod temporary;

use std::fmt;

pub(super) use self::temporary::TemporaryTables;
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};
use crate::migration::{Migration, Origin, Statement};
use crate::sql::{self, Ask, Becomes, Effect, JobTarget};

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
pub(super) struct Expected {
    pub(super) origin: Origin,
    /// The fact that must have a value.
    pub(super) fact: Fact,
    /// A column that the value must list.
    pub(super) column: Option<String>,
    /// The table with which the object is dropped.
    pub(super) table: Option<QualifiedName>,
    /// The text of the statement. If it contains the name of a dropped column, the object was
    /// dropped with the column.
    statement: String,
    /// Whether a later statement whose effect is not known may have dropped, renamed or moved it.
    pub(super) may_be_gone: bool,
}

impl Expected {
    pub(super) fn exists(&self, facts: &Facts) -> bool {
        let found = facts.get(&self.fact);
        match &self.column {
            None => found.is_some(),
            Some(column) => {
                found.is_some_and(|list| list.split(',').any(|name| name == column.as_str()))
            }
        }
    }

    /// Whether it shows that migrations have run in a database. Schemas and roles may have been
    /// created for the migrations.
    pub(super) fn is_evidence(&self) -> bool {
        !matches!(self.fact, Fact::Identity(FactSubject::Schema(_) | FactSubject::Role(_)))
    }

    /// Whether it is this relation or a part of it.
    fn is_of(&self, relation: &QualifiedName) -> bool {
        self.table.as_ref().is_some_and(|table| same(table, relation))
            || self.relation().is_some_and(|name| same(name, relation))
    }

    pub(super) fn relation(&self) -> Option<&QualifiedName> {
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

    /// Whether it is a table, which `CASCADE` never drops.
    fn is_table(&self) -> bool {
        self.column.is_none() && sql::begins_with(&self.statement, "CREATE TABLE")
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

/// The objects that statements are expected to have left, in the order of the statements.
#[derive(Default)]
pub(super) struct Expectations(pub(super) Vec<Expected>, TemporaryTables);

impl Expectations {
    /// Adds what a migration creates, and removes what it drops.
    pub(super) fn add_migration(&mut self, migration: &Migration, expect: Expect) {
        for statement in migration.known_statements() {
            self.add(statement, expect);
        }
        if migration.unknown_from.is_some() {
            self.0.iter_mut().for_each(|expected| expected.may_be_gone = true);
        }
    }

    /// Adds what a statement creates, and removes what it drops.
    pub(super) fn add(&mut self, statement: &Statement, expect: Expect) {
        // An object whose name is not known yet cannot be checked.
        if statement.text.contains("${") {
            return;
        }
        let effect = self.1.permanent(statement, sql::effect(&statement.text));
        self.remove_dropped(statement, &effect);
        if expect == Expect::All {
            self.add_created(statement, effect);
            self.remove_owned(statement);
        }
    }

    /// Removes what a statement drops by name.
    pub(super) fn remove_absent(&mut self, statement: &Statement, effect: &Effect) {
        for ask in effect.asks.iter().filter(|ask| ask.becomes == Becomes::Absent) {
            self.remove(ask, statement);
        }
    }

    /// Removes everything that may be gone after a statement.
    pub(super) fn remove_dropped(&mut self, statement: &Statement, effect: &Effect) {
        for ask in &effect.asks {
            self.remove(ask, statement);
        }
        self.remove_owned(statement);
        // `ADD CONSTRAINT … USING INDEX …` renames the index like the constraint.
        let is_build = sql::job_target(&statement.text).is_some();
        if !is_build && sql::mentions(&statement.text, "index") {
            self.remove_mentioned(statement, true);
        }
    }

    /// Adds what a statement creates.
    pub(super) fn add_created(&mut self, statement: &Statement, effect: Effect) {
        // An index that becomes a constraint is checked as the constraint.
        let is_constraint =
            |ask: &Ask| matches!(ask.fact, Fact::Identity(FactSubject::Constraint(..)));
        let adds_constraint = effect.asks.iter().any(is_constraint);
        for ask in effect.asks {
            if !(adds_constraint && matches!(ask.becomes, Becomes::MovedFrom(_))) {
                self.expect(ask, statement);
            }
        }
        let target = sql::job_target(&statement.text);
        if let Some(JobTarget::Index { index: Some(index), table, .. }) = target
            && !self.1.contains(&table)
        {
            let relation = Fact::Identity(FactSubject::Relation(index.clone()));
            for expected in self.0.iter_mut().filter(|expected| expected.fact == relation) {
                expected.table = Some(table.clone());
            }
            self.push(statement, Fact::Valid(index), None, Some(table));
        }
    }

    /// Whether the object that a statement creates is still expected.
    pub(super) fn has(&self, statement: &Statement, object: &FactSubject) -> bool {
        let (fact, column) = match object {
            FactSubject::Column(table, name) => (Fact::Columns(table.clone()), Some(name)),
            _ => (Fact::Identity(object.clone()), None),
        };
        self.0.iter().any(|expected| {
            let is_it = expected.fact == fact && expected.column.as_ref() == column;
            is_it && expected.origin == statement.origin
        })
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
        let may_be_gone = false;
        self.0.push(Expected { origin, fact, column, table, statement: text, may_be_gone });
    }

    /// Removes the sequences that a statement gives to a column: they are dropped with it.
    fn remove_owned(&mut self, statement: &Statement) {
        if sql::mentions(&statement.text, "owned") {
            self.remove_mentioned(statement, false);
        }
    }

    /// Removes the relations that a statement mentions, except for tables: either those that belong
    /// to a table, or the others.
    fn remove_mentioned(&mut self, statement: &Statement, of_tables: bool) {
        self.0.retain(|expected| {
            let is_candidate = expected.column.is_none()
                && !expected.is_table()
                && expected.table.is_some() == of_tables;
            let name = expected.relation().filter(|_| is_candidate);
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
        let (Fact::Identity(object), Becomes::Absent | Becomes::WithoutFunction(_)) =
            (&ask.fact, &ask.becomes)
        else {
            return;
        };
        if sql::mentions(&statement.text, "cascade") {
            // The columns of other tables depend on domains and functions only.
            let keeps_columns = matches!(
                object,
                FactSubject::Relation(_) | FactSubject::Column(..) | FactSubject::Constraint(..)
            );
            let is_kept = |it: &Expected| it.is_table() || keeps_columns && it.column.is_some();
            self.0.retain(is_kept);
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
