//! Which statements have left constraints NOT VALID, by the files of a set. Pure.
//!
//! Follows the names of constraints, tables and schemas, so that a renamed constraint is still that
//! of its migration.

use super::Change;
use super::statements::is_chosen;
use crate::database::{StatementState, unquoted};
use crate::engine::comparison::is_named;
use crate::engine::plan::{Plan, PlannedMigration, Status};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::migration::{StatementNumber, Version};
use crate::sql::{self, Ask, Becomes, Definition};

/// A constraint that a migration has left NOT VALID.
#[derive(Debug)]
pub struct LeftNotValid<'a> {
    /// The constraint.
    pub change: &'a Change,
    /// The migration that has added it.
    pub version: &'a Version,
    /// The number of the statement.
    pub number: StatementNumber,
}

/// Returns those of the constraints that migrations of the set have left NOT VALID and that no
/// pending migration validates or drops.
#[must_use]
pub fn left_not_valid<'a>(plan: &Plan<'a>, constraints: &'a [Change]) -> Vec<LeftNotValid<'a>> {
    if constraints.is_empty() {
        return Vec::new();
    }
    let mut applied = AddedConstraints::default();
    plan.entries.iter().for_each(|entry| applied.follow(entry, true));
    let mut after = applied.clone();
    plan.entries.iter().for_each(|entry| after.follow(entry, false));
    let stays = |added: &&Added<'_>| after.0.iter().any(|it| it.is_same_statement(added));
    let left = constraints.iter().filter_map(|change| {
        let mut added = applied.0.iter().rev().filter(stays);
        let added = added.find(|added| added.is(change))?;
        Some(LeftNotValid { change, version: added.version, number: added.number })
    });
    left.collect()
}

/// A constraint that a statement has added with NOT VALID, under its present name.
#[derive(Debug, Clone)]
struct Added<'a> {
    table: QualifiedName,
    /// `None` if the server has chosen it.
    name: Option<String>,
    /// The name of the table when the constraint was added, with which a chosen name begins.
    former_table: String,
    version: &'a Version,
    number: StatementNumber,
    /// The position among the constraints of the statement.
    position: usize,
}

impl Added<'_> {
    fn is(&self, change: &Change) -> bool {
        let Change { relation, object, .. } = change;
        let own = object.name.strip_prefix(relation.as_str());
        let own = own.and_then(|rest| rest.strip_prefix('.')).map(unquoted);
        is_named(relation, &self.table) && own.is_some_and(|own| self.has_name(&own))
    }

    fn has_name(&self, found: &str) -> bool {
        match &self.name {
            Some(name) => name == found,
            None => is_chosen(found, &self.former_table),
        }
    }

    fn is_same_statement(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.version.clone(), it.number, it.position);
        key(self) == key(other)
    }
}

#[derive(Debug, Clone, Default)]
struct AddedConstraints<'a>(Vec<Added<'a>>);

impl<'a> AddedConstraints<'a> {
    /// Follows the statements of a migration that are applied, or those that are pending.
    fn follow(&mut self, entry: &PlannedMigration<'a>, applied: bool) {
        for (number, statement) in entry.migration.numbered() {
            let is_applied = match entry.status {
                Status::Applied(_) => true,
                Status::Pending { begun } => begun
                    .and_then(|record| record.statement(number))
                    .is_some_and(|row| row.state == StatementState::Done),
                Status::Rerun { .. } => false,
                Status::Excluded(_) => continue,
            };
            if is_applied == applied {
                let asks = sql::effect(&statement.text).asks;
                for (position, ask) in asks.iter().enumerate() {
                    self.apply(ask, &entry.migration.version, number, position);
                }
            }
        }
    }

    fn apply(&mut self, ask: &Ask, version: &'a Version, number: StatementNumber, position: usize) {
        let is_not_valid = |definition: &Definition| matches!(definition, Definition::Constraint(it) if it.not_valid);
        let mut add = |table: &QualifiedName, name: Option<String>| {
            let former_table = table.name.clone();
            let table = qualified(table);
            self.0.push(Added { table, name, former_table, version, number, position });
        };
        match (&ask.fact, &ask.becomes) {
            (
                Fact::Identity(FactSubject::Constraint(table, name)),
                Becomes::Defined(definition),
            ) if is_not_valid(definition) => add(table, Some(name.clone())),
            (Fact::ConstraintIds(table), Becomes::Contains(definition))
                if is_not_valid(definition) =>
            {
                add(table, None);
            }
            (Fact::Identity(to), Becomes::MovedFrom(Fact::Identity(from))) if to != from => {
                self.rename(from, to);
            }
            (Fact::Validated(table, name), Becomes::Present)
            | (Fact::Identity(FactSubject::Constraint(table, name)), Becomes::Absent) => {
                let table = qualified(table);
                self.0.retain(|it| it.table != table || !it.has_name(name));
            }
            (Fact::Identity(FactSubject::Relation(table)), Becomes::Absent) => {
                let table = qualified(table);
                self.0.retain(|it| it.table != table);
            }
            _ => {}
        }
    }

    fn rename(&mut self, from: &FactSubject, to: &FactSubject) {
        match (from, to) {
            (FactSubject::Relation(from), FactSubject::Relation(to)) => {
                let from = qualified(from);
                let renamed = self.0.iter_mut().filter(|it| it.table == from);
                renamed.for_each(|it| it.table = qualified(to));
            }
            (FactSubject::Constraint(table, from), FactSubject::Constraint(_, to)) => {
                let table = qualified(table);
                let mut all = self.0.iter_mut().filter(|it| it.table == table);
                if let Some(renamed) = all.find(|it| it.has_name(from)) {
                    renamed.name = Some(to.clone());
                }
            }
            (FactSubject::Schema(from), FactSubject::Schema(to)) => {
                let schemas = self.0.iter_mut().filter_map(|it| it.table.schema.as_mut());
                schemas.filter(|schema| *schema == from).for_each(|schema| schema.clone_from(to));
            }
            _ => {}
        }
    }
}

/// A name with its schema.
fn qualified(name: &QualifiedName) -> QualifiedName {
    let schema = name.schema.clone().unwrap_or_else(|| "public".to_owned());
    QualifiedName { schema: Some(schema), name: name.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::MigrationRecord;
    use crate::engine::adoption::adopted;
    use crate::engine::drift::ChangeKind;
    use crate::engine::{Policy, plan};
    use crate::formats;

    /// The statements that have left the constraints, as `version.number constraint`. Files from
    /// `9` on are pending.
    fn left(files: &[(&str, &str)], constraints: &[&str]) -> Vec<String> {
        let migrations = formats::read_files(files.iter().copied()).expect("complete SQL");
        let applied = migrations.iter().filter(|it| it.version.0.as_str() < "9");
        let records: Vec<MigrationRecord> = applied.map(|it| adopted(it, "baseline")).collect();
        let plan = plan(&migrations, &records, &Policy::default()).expect("a plan");
        let change = |name: &&str| {
            let (relation, _) = name.rsplit_once('.').expect("a table");
            Change {
                relation: relation.to_owned(),
                object: format!("constraint {name}").as_str().into(),
                kind: ChangeKind::NotValid("CHECK ((n > 0)) NOT VALID".to_owned()),
                attached: Vec::new(),
                other: None,
            }
        };
        let constraints: Vec<Change> = constraints.iter().map(change).collect();
        let line = |it: LeftNotValid<'_>| {
            format!("{}.{} {}", it.version, it.number, it.change.object.name)
        };
        left_not_valid(&plan, &constraints).into_iter().map(line).collect()
    }

    const ADD: (&str, &str) = (
        "1_c.sql",
        "CREATE TABLE a (id int, n int); ALTER TABLE a ADD CONSTRAINT pos CHECK (n > 0) NOT VALID",
    );

    #[test]
    fn a_renamed_constraint_is_that_of_its_migration() {
        let cases = [
            ("SELECT 1", "public.a.pos"),
            ("ALTER TABLE a RENAME TO aa", "public.aa.pos"),
            ("ALTER TABLE a RENAME CONSTRAINT pos TO positive", "public.a.positive"),
            ("ALTER TABLE a RENAME COLUMN n TO m", "public.a.pos"),
            ("ALTER TABLE a SET SCHEMA s", "s.a.pos"),
            ("ALTER TABLE public.a SET SCHEMA s; ALTER SCHEMA s RENAME TO t", "t.a.pos"),
        ];
        for (renamed, name) in cases {
            let expected = [format!("1.2 {name}")];
            assert_eq!(left(&[ADD, ("2_r.sql", renamed)], &[name]), expected, "{renamed}");
        }
        let renamed = ("2_r.sql", "ALTER TABLE a RENAME TO aa");
        assert!(left(&[ADD, renamed], &["public.a.pos", "public.b.pos"]).is_empty());
    }

    #[test]
    fn a_chosen_name_begins_with_that_of_the_table_at_that_time() {
        let add = ("1_c.sql", "ALTER TABLE s.a ADD CHECK (n > 0) NOT VALID");
        assert_eq!(left(&[add], &["s.a.a_n_check"]), ["1.1 s.a.a_n_check"]);
        let renamed = [add, ("2_r.sql", "ALTER TABLE s.a RENAME TO b")];
        assert_eq!(left(&renamed, &["s.b.a_n_check"]), ["1.1 s.b.a_n_check"]);
        let named = [add, ("2_r.sql", "ALTER TABLE s.a RENAME CONSTRAINT a_n_check TO c")];
        assert_eq!(left(&named, &["s.a.c", "s.a.other"]), ["1.1 s.a.c"]);
    }

    #[test]
    fn only_the_validation_of_that_constraint_completes_it() {
        let of_b = ("2_b.sql", "ALTER TABLE b ADD CONSTRAINT pos CHECK (n > 0) NOT VALID");
        let both = ["public.a.pos", "public.b.pos"];
        let pending = ("9_v.sql", "ALTER TABLE ASYNC b VALIDATE CONSTRAINT pos");
        assert_eq!(left(&[ADD, of_b], &both).len(), 2);
        assert_eq!(left(&[ADD, of_b, pending], &both), ["1.2 public.a.pos"]);
        let renamed =
            ("9_v.sql", "ALTER TABLE b RENAME TO c; ALTER TABLE ASYNC c VALIDATE CONSTRAINT pos");
        assert_eq!(left(&[ADD, of_b, renamed], &both), ["1.2 public.a.pos"]);
        for dropped in ["ALTER TABLE a DROP CONSTRAINT pos", "DROP TABLE a"] {
            assert!(left(&[ADD, ("9_d.sql", dropped)], &["public.a.pos"]).is_empty(), "{dropped}");
            assert!(left(&[ADD, ("2_d.sql", dropped)], &["public.a.pos"]).is_empty(), "{dropped}");
        }
    }
}
