//! The objects that a statement may change in a way that is not followed. Pure.

use super::{KnownObjects, PartKey, is_identity};
use crate::database::{Aspect, CatalogObject, ObjectKind};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::{self, Alteration, Ask, Becomes, ConstraintKind, Definition, Effect};

/// Returns the objects that a fact leaves in doubt.
pub(super) fn doubts<'a>(ask: &Ask, objects: KnownObjects<'a>) -> Vec<PartKey<'a>> {
    let Ask { fact, becomes } = ask;
    let mut found = Vec::new();
    match (fact, becomes) {
        (Fact::Identity(object), Becomes::Present | Becomes::Defined(_)) => {
            found = of_created(object, becomes, objects);
        }
        (Fact::IndexIds(table) | Fact::ConstraintIds(table), Becomes::Contains(definition)) => {
            found = of_definition(table, definition, objects);
        }
        (Fact::Identity(FactSubject::Relation(_) | FactSubject::Column(..)), Becomes::Absent) => {
            // A sequence goes with the column that owns it.
            let is_gone = |of: &str, it: &CatalogObject| objects.live.definition(of, it).is_none();
            found = objects.all(|of, it| it.kind == ObjectKind::Sequence && is_gone(of, it));
        }
        (Fact::Definition(object), Becomes::Defined(definition)) if is_unknown(definition) => {
            found = objects.parts_of(object, |_| true);
        }
        (Fact::Definition(object), Becomes::Altered(_) | Becomes::Anything) => {
            found = of_altered(object, becomes, objects);
        }
        (Fact::Comment(object), Becomes::Anything) => {
            found = objects.parts_of(object, |it| it.aspect == Aspect::Comment);
        }
        // What is revoked on a table is revoked on its columns as well.
        (Fact::Privileges(object), Becomes::Granted { granted: false, .. }) => {
            let is_column = |it: &CatalogObject| it.kind == ObjectKind::Column;
            found = objects.parts_of(object, |it| is_column(it) && is_privileges(it));
        }
        (Fact::Privileges(object), Becomes::Anything) | (Fact::Owner(object), _) => {
            found = objects.parts_of(object, is_privileges);
        }
        (Fact::Identity(object @ FactSubject::Routine(_)), _) => {
            found = objects.parts_of(object, |_| true);
        }
        _ => {}
    }
    found.extend(elsewhere(fact, objects));
    found
}

/// A created object may have privileges by default. A key changes the columns of its table.
fn of_created<'a>(
    object: &FactSubject,
    becomes: &Becomes,
    objects: KnownObjects<'a>,
) -> Vec<PartKey<'a>> {
    let mut found = objects.parts_of(object, is_privileges);
    let Becomes::Defined(definition) = becomes else { return found };
    match object {
        FactSubject::Constraint(table, _) | FactSubject::Column(table, _) => {
            found.extend(of_definition(table, definition, objects));
        }
        _ if is_unknown(definition) => found.extend(objects.parts_of(object, |_| true)),
        _ => {}
    }
    found
}

/// What the definition of a part of a table leaves in doubt.
fn of_definition<'a>(
    table: &QualifiedName,
    definition: &Definition,
    objects: KnownObjects<'a>,
) -> Vec<PartKey<'a>> {
    let is_column = |it: &CatalogObject| it.is(&ObjectKind::Column);
    let relation = FactSubject::Relation(table.clone());
    match definition {
        Definition::Unknown => objects.parts_of(&relation, |_| true),
        Definition::Constraint(constraint) => match &constraint.kind {
            ConstraintKind::PrimaryKey(_) => objects.parts_of(&relation, is_column),
            ConstraintKind::UsingIndex(index) => {
                let mut found = objects.parts_of(&relation, is_column);
                found.extend(objects.find(&FactSubject::Relation(table.sibling(index.clone()))));
                found
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Alterations of columns are followed. The texts of what depends on a type change with it.
fn of_altered<'a>(
    object: &FactSubject,
    becomes: &Becomes,
    objects: KnownObjects<'a>,
) -> Vec<PartKey<'a>> {
    let found = objects.find(object);
    match (object, becomes) {
        (FactSubject::Column(table, column), Becomes::Altered(all)) => {
            let is_type = |it: &Alteration| matches!(it, Alteration::Type(_));
            let Some(relation) = objects.relation(table).filter(|_| all.iter().any(is_type)) else {
                return Vec::new();
            };
            let texts = |of: &str, it: &CatalogObject| {
                let snapshots = [objects.live, objects.recorded].into_iter();
                snapshots.filter_map(|at| at.definition(of, it)).any(|it| sql::mentions(it, column))
            };
            objects.all(|of, it| of == relation && texts(of, it))
        }
        // The sequence of an identity column is described with its column.
        (FactSubject::Relation(_), _) if found.is_none() => {
            objects.all(|of, it| is_identity(it, objects.live.definition(of, it)))
        }
        _ => found.into_iter().collect(),
    }
}

/// The objects in other schemas that a name without a schema may mean. The search path begins with
/// the schema that has the name of the role.
fn elsewhere<'a>(fact: &Fact, objects: KnownObjects<'a>) -> Vec<PartKey<'a>> {
    match fact.qualified_name() {
        Some(QualifiedName { schema: None, name }) => objects.outside_of_public(name),
        _ => Vec::new(),
    }
}

/// Whether all objects are found that a statement names.
pub(super) fn finds_all(effect: &Effect, objects: KnownObjects<'_>) -> bool {
    effect.asks.iter().all(|ask| match &ask.fact {
        Fact::Identity(object)
        | Fact::Definition(object)
        | Fact::Comment(object)
        | Fact::Privileges(object)
        | Fact::Owner(object) => {
            let is_described = !matches!(object, FactSubject::Role(_));
            let is_function = matches!(object, FactSubject::Routine(_));
            !is_described
                || objects.find(object).is_some()
                || is_function && !objects.parts_of(object, |_| true).is_empty()
        }
        fact => fact.qualified_name().is_none_or(|name| objects.relation(name).is_some()),
    })
}

fn is_privileges(object: &CatalogObject) -> bool {
    matches!(object.aspect, Aspect::Privileges { .. })
}

fn is_unknown(definition: &Definition) -> bool {
    matches!(definition, Definition::Unknown)
}
