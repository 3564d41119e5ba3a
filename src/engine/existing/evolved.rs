//! What pending statements make of the definition of an object. Pure.
//!
//! A directory whose statements all have `IF NOT EXISTS` is often applied by hand before. The
//! catalog then shows what all of the statements have made of an object, not only the first one.

use super::alike::may_be_same;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::{self, Becomes, Definition, Effect, TableDefinition};

/// Applies what a statement changes in an object that exists. Returns whether it changes anything.
pub(super) fn evolve(definition: &mut Definition, object: &FactSubject, effect: &Effect) -> bool {
    let before = definition.clone();
    for ask in &effect.asks {
        match (&mut *definition, object) {
            (Definition::Table(table), FactSubject::Relation(name)) => {
                evolve_table(table, name, &ask.fact, &ask.becomes);
            }
            (Definition::Column(_), FactSubject::Column(table, column)) => {
                let Fact::Definition(FactSubject::Column(of, altered)) = &ask.fact else {
                    continue;
                };
                if may_be_same(of, table) && altered == column {
                    alter(definition, &ask.becomes);
                }
            }
            _ => {}
        }
    }
    *definition != before
}

fn evolve_table(table: &mut TableDefinition, name: &QualifiedName, fact: &Fact, becomes: &Becomes) {
    match (fact, becomes) {
        (Fact::Identity(FactSubject::Column(of, column)), becomes) if may_be_same(of, name) => {
            evolve_columns(table, column, becomes);
        }
        (Fact::Definition(FactSubject::Column(of, column)), becomes) if may_be_same(of, name) => {
            let found = table.columns.iter_mut().find(|it| it.name == *column);
            let Some(found) = found else { return };
            let mut altered = Definition::Column(found.clone());
            alter(&mut altered, becomes);
            match altered {
                Definition::Column(altered) => *found = altered,
                _ => found.has_unknown = true,
            }
        }
        (
            Fact::Identity(FactSubject::Constraint(of, _)) | Fact::ConstraintIds(of),
            Becomes::Defined(added) | Becomes::Contains(added),
        ) if may_be_same(of, name) => match &**added {
            Definition::Constraint(constraint) => table.constraints.push(constraint.clone()),
            _ => table.has_unknown = true,
        },
        (Fact::Identity(FactSubject::Constraint(of, constraint)), Becomes::Absent)
            if may_be_same(of, name) =>
        {
            table.constraints.retain(|it| it.name.as_ref() != Some(constraint));
        }
        _ => {}
    }
}

fn evolve_columns(table: &mut TableDefinition, column: &String, becomes: &Becomes) {
    match becomes {
        Becomes::Defined(added) if table.columns.iter().all(|it| it.name != *column) => {
            match &**added {
                Definition::Column(added) => table.columns.push(added.clone()),
                _ => table.has_unknown = true,
            }
        }
        Becomes::Absent => {
            table.columns.retain(|it| it.name != *column);
            table.constraints.retain(|it| !sql::mentions(&it.text, column));
        }
        Becomes::MovedFrom(Fact::Identity(FactSubject::Column(_, former))) => {
            let renamed = table.columns.iter_mut().find(|it| it.name == *former);
            renamed.into_iter().for_each(|it| it.name.clone_from(column));
            table.has_unknown |= table.constraints.iter().any(|it| sql::mentions(&it.text, former));
        }
        _ => {}
    }
}

fn alter(definition: &mut Definition, becomes: &Becomes) {
    match becomes {
        Becomes::Altered(alterations) => {
            alterations.iter().for_each(|it| definition.alter(Some(it.clone())));
        }
        _ => definition.alter(None),
    }
}
