//! Compares what two statements create, by their texts. Pure.

use crate::migration::fact::{FactSubject, QualifiedName};
use crate::sql::{self, ColumnDefinition, Definition, TableDefinition};

/// Whether two definitions of an object are the same in all parts that can be compared.
pub(super) fn is_alike(one: &Definition, other: &Definition) -> bool {
    match (one, other) {
        (Definition::Table(one), Definition::Table(other)) => {
            let of = |table: &TableDefinition| {
                let mut constraints = table.constraints.clone();
                constraints.iter_mut().for_each(|it| it.text.clear());
                (constraints, table.like.clone())
            };
            !one.has_unknown
                && !other.has_unknown
                && one.columns.len() == other.columns.len()
                && one.columns.iter().zip(&other.columns).all(|(one, other)| is_column(one, other))
                && of(one) == of(other)
        }
        (Definition::Column(one), Definition::Column(other)) => is_column(one, other),
        (Definition::Index(one), Definition::Index(other)) => {
            let mut one = one.clone();
            one.text.clone_from(&other.text);
            !one.has_unknown && one == *other
        }
        (Definition::Sequence(one), Definition::Sequence(other)) => {
            let is_known = !one.has_unknown && !other.has_unknown;
            is_known && one.completed("bigint") == other.completed("bigint")
        }
        (one, other) => one == other && *one != Definition::Unknown,
    }
}

fn is_column(one: &ColumnDefinition, other: &ColumnDefinition) -> bool {
    let is_type = one.type_name == other.type_name
        || sql::is_same_type(&one.type_name, &other.type_name) == Some(true);
    let mut one = one.clone();
    one.text.clone_from(&other.text);
    one.type_name.clone_from(&other.type_name);
    if let (Some(identity), Some(other)) = (&mut one.identity, &other.identity) {
        identity.options.text.clone_from(&other.options.text);
    }
    is_type && !one.has_unknown && one == *other
}

/// Whether two names may mean one object.
pub(super) fn is_same(one: &FactSubject, other: &FactSubject) -> bool {
    match (one, other) {
        (FactSubject::Relation(one), FactSubject::Relation(other)) => may_be_same(one, other),
        (FactSubject::Column(table, one), FactSubject::Column(of, other)) => {
            one == other && may_be_same(table, of)
        }
        _ => one == other,
    }
}

/// Whether two names may mean one relation. Which schema a name without one means depends on the
/// role.
pub(super) fn may_be_same(one: &QualifiedName, other: &QualifiedName) -> bool {
    one.name == other.name
        && (one.schema == other.schema || one.schema.is_none() || other.schema.is_none())
}
