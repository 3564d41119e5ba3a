//! Leaves out what statements do to temporary objects, which the catalog shows only to the session
//! that created them. Pure.

use std::collections::BTreeSet;

use crate::migration::Statement;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::{self, Becomes, Effect, JobTarget};

/// The temporary tables of the file whose statements are being read. They hide permanent tables
/// with the same names.
#[derive(Debug, Default)]
pub(in crate::engine) struct TemporaryTables {
    file: String,
    tables: BTreeSet<String>,
}

impl TemporaryTables {
    /// Returns the part of an effect that concerns permanent objects. Takes the statements of a
    /// file in their order.
    pub(in crate::engine) fn permanent(
        &mut self,
        statement: &Statement,
        mut effect: Effect,
    ) -> Effect {
        if self.file != statement.origin.file {
            self.file.clone_from(&statement.origin.file);
            self.tables.clear();
        }
        if let Some(table) = sql::temporary_table(&statement.text) {
            self.tables.insert(table.name);
            return Effect::default();
        }
        if self.is_part(&statement.text) {
            return Effect::default();
        }
        let (gone, kept) = effect.asks.into_iter().partition(|ask| self.concerns(&ask.fact));
        effect.asks = kept;
        for ask in gone {
            if let (Fact::Identity(FactSubject::Relation(name)), Becomes::Absent) =
                (ask.fact, ask.becomes)
            {
                self.tables.remove(&name.name);
            }
        }
        effect
    }

    /// Whether a name is that of a temporary object.
    pub(super) fn contains(&self, name: &QualifiedName) -> bool {
        match &name.schema {
            Some(schema) => schema == "pg_temp" || schema.starts_with("pg_temp_"),
            None => self.tables.contains(&name.name),
        }
    }

    /// Whether a statement creates an index on a temporary table, or a view of one, which is then
    /// temporary as well.
    fn is_part(&self, sql: &str) -> bool {
        if let Some(JobTarget::Index { table, .. }) = sql::job_target(sql) {
            return self.contains(&table);
        }
        sql::begins_with(sql, "CREATE")
            && self.tables.iter().any(|table| sql::mentions(sql, table))
            && sql::mentions(sql, "view")
    }

    fn concerns(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Identity(object) | Fact::Definition(object) => match object {
                FactSubject::Relation(name)
                | FactSubject::Column(name, _)
                | FactSubject::Constraint(name, _)
                | FactSubject::Domain(name)
                | FactSubject::Routine(name) => self.contains(name),
                FactSubject::Schema(_) | FactSubject::Role(_) => false,
            },
            Fact::Columns(name)
            | Fact::Validated(name, _)
            | Fact::IndexIds(name)
            | Fact::ConstraintIds(name) => self.contains(name),
            _ => false,
        }
    }
}
