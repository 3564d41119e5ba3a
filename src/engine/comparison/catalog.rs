//! Finds objects in the catalog as it was read.

use crate::database::{CatalogObject, DescribedObject, ObjectKind, schema_of, unquoted};
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};
use crate::sql::{is_same_signature, signature_of};

/// The catalog as it was read.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Catalog<'a> {
    pub(in crate::engine) now: &'a Facts,
    pub(in crate::engine) objects: &'a [DescribedObject],
}

impl<'a> Catalog<'a> {
    /// Whether a name in the statement refers to a relation that the catalog describes.
    pub(super) fn is_relation(self, name: &QualifiedName, relation: &str) -> Option<bool> {
        let identity = self.identity(name)?;
        let named = self.objects.iter().find(|it| it.identity.as_deref() == Some(identity));
        // Indexes are not relations here.
        let named = named.filter(|it| !it.object.is(&ObjectKind::Index))?;
        Some(named.relation == relation)
    }

    fn identity(self, name: &QualifiedName) -> Option<&'a str> {
        self.now.get(&Fact::Identity(FactSubject::Relation(name.clone())))
    }

    /// The described object of a subject with this identity.
    pub(in crate::engine) fn by_identity(
        self,
        subject: &FactSubject,
        identity: &str,
    ) -> Option<&'a DescribedObject> {
        let kinds: &[ObjectKind] = match subject {
            FactSubject::Schema(_) => &[ObjectKind::Schema],
            FactSubject::Relation(_) => {
                &[ObjectKind::Table, ObjectKind::View, ObjectKind::Sequence, ObjectKind::Index]
            }
            FactSubject::Constraint(..) => &[ObjectKind::Constraint],
            FactSubject::Domain(_) => &[ObjectKind::Domain],
            FactSubject::Routine(_) => &[ObjectKind::Function],
            FactSubject::Column(..) | FactSubject::Role(_) => &[],
        };
        self.objects.iter().find(|it| {
            it.identity.as_deref() == Some(identity) && kinds.iter().any(|kind| it.object.is(kind))
        })
    }

    /// The described part of a table with this name.
    pub(super) fn part(
        self,
        table: &QualifiedName,
        kind: &ObjectKind,
        name: &str,
    ) -> Option<&'a DescribedObject> {
        self.parts_of(table, kind).into_iter().find(|part| own_name(part) == name)
    }

    /// The described parts of a table: its columns, constraints or indexes.
    pub(in crate::engine) fn parts(
        self,
        relation: &str,
        kind: &ObjectKind,
    ) -> impl Iterator<Item = &'a DescribedObject> {
        self.objects.iter().filter(move |it| it.relation == relation && it.object.is(kind))
    }

    /// The described indexes or constraints of the table that a statement names.
    pub(in crate::engine) fn parts_of(
        self,
        table: &QualifiedName,
        kind: &ObjectKind,
    ) -> Vec<&'a DescribedObject> {
        let table = self
            .identity(table)
            .and_then(|it| self.by_identity(&FactSubject::Relation(table.clone()), it));
        table.map(|table| self.parts(&table.relation, kind).collect()).unwrap_or_default()
    }

    /// The described function with these argument types, among those with the given identities.
    pub(in crate::engine) fn function_with(
        self,
        identities: &str,
        signature: &[String],
    ) -> Option<&'a DescribedObject> {
        let identities: Vec<&str> = identities.split(", ").collect();
        self.objects.iter().filter(|it| it.object.is(&ObjectKind::Function)).find(|it| {
            it.identity.as_deref().is_some_and(|identity| identities.contains(&identity))
                && signature_of(&it.object.name)
                    .is_none_or(|found| is_same_signature(signature, &found))
        })
    }
}

/// The name of a part of a table, without the table and without quotes.
pub(in crate::engine) fn own_name(part: &DescribedObject) -> String {
    let CatalogObject { kind, name, .. } = &part.object;
    let prefix = if *kind == ObjectKind::Index { schema_of(name) } else { &part.relation };
    let own = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
    unquoted(own.unwrap_or(name))
}

/// The name of a described relation, without quotes.
pub(in crate::engine) fn name_of(relation: &str) -> QualifiedName {
    let schema = schema_of(relation);
    let name = relation.strip_prefix(schema).and_then(|rest| rest.strip_prefix('.'));
    QualifiedName { schema: Some(unquoted(schema)), name: unquoted(name.unwrap_or(relation)) }
}
