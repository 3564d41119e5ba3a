//! Finds the objects that statements name, among those that are recorded or exist.

use crate::database::{CatalogObject, ObjectKind, Objects, Snapshot, schema_of, unquoted};
use crate::engine::comparison::{is_named, name_of};
use crate::migration::fact::{FactSubject, QualifiedName};
use crate::sql::{self, FunctionDefinition};

/// An object of a relation.
pub(in crate::engine::drift) type PartKey<'a> = (&'a str, &'a CatalogObject);

/// The recorded and the live schema.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine::drift) struct KnownObjects<'a> {
    pub(in crate::engine::drift) recorded: &'a Snapshot,
    pub(in crate::engine::drift) live: &'a Snapshot,
}

impl<'a> KnownObjects<'a> {
    /// The objects of a relation that are as recorded.
    pub(in crate::engine::drift) fn unchanged(&self, relation: &str) -> Vec<&'a CatalogObject> {
        let (live, recorded) = (self.live, self.recorded);
        let objects = live.relations.get(relation).into_iter().flatten();
        let is_recorded = |(object, definition): &(&CatalogObject, &String)| {
            recorded.definition(relation, object) == Some(definition.as_str())
        };
        objects.filter(is_recorded).map(|(object, _)| object).collect()
    }

    /// The object that a statement names.
    pub(in crate::engine::drift) fn find(&self, subject: &FactSubject) -> Option<PartKey<'a>> {
        let of_table = |table: &QualifiedName, kind: ObjectKind, own: &str| {
            let relation = self.relation(table)?;
            let is_it = |it: &CatalogObject| {
                let rest = it.name.strip_prefix(relation).and_then(|rest| rest.strip_prefix('.'));
                it.is(&kind) && rest.is_some_and(|rest| unquoted(rest) == own)
            };
            Some((relation, self.object(relation, is_it)?))
        };
        match subject {
            FactSubject::Schema(name) => {
                let mut relations = self.relations();
                let relation =
                    relations.find(|it| unquoted(it) == *name && schema_of(it) == *it)?;
                Some((relation, self.object(relation, |it| it.is(&ObjectKind::Schema))?))
            }
            FactSubject::Column(table, name) => of_table(table, ObjectKind::Column, name),
            FactSubject::Constraint(table, name) => of_table(table, ObjectKind::Constraint, name),
            FactSubject::Domain(name) => {
                let relation = self.relation(name)?;
                Some((relation, self.object(relation, |it| it.is(&ObjectKind::Domain))?))
            }
            FactSubject::Relation(name) => {
                let kinds = [ObjectKind::Table, ObjectKind::View, ObjectKind::Sequence];
                let is_relation = |it: &CatalogObject| kinds.iter().any(|kind| it.is(kind));
                let own = self.relation(name).and_then(|relation| {
                    self.object(relation, is_relation).map(|object| (relation, object))
                });
                own.or_else(|| {
                    let is_it =
                        |it: &CatalogObject| it.is(&ObjectKind::Index) && is_named(&it.name, name);
                    let mut relations = self.relations();
                    relations.find_map(|relation| Some((relation, self.object(relation, is_it)?)))
                })
            }
            FactSubject::Routine(_) | FactSubject::Role(_) => None,
        }
    }

    pub(super) fn find_function(
        &self,
        subject: &FactSubject,
        function: &FunctionDefinition,
    ) -> Option<PartKey<'a>> {
        let FactSubject::Routine(name) = subject else { return None };
        let signature = function.signature();
        self.relations().find_map(|relation| {
            let object = self.object(relation, |it| it.is(&ObjectKind::Function))?;
            let is_same = sql::signature_of(relation)
                .is_some_and(|found| sql::is_same_signature(&signature, &found));
            (is_named(without_arguments(relation), name) && is_same).then_some((relation, object))
        })
    }

    /// All objects for which a condition on the relation and the object holds.
    pub(super) fn all(&self, is_it: impl Fn(&'a str, &CatalogObject) -> bool) -> Vec<PartKey<'a>> {
        let of = |relation| self.of_relation(relation).into_iter().map(move |it| (relation, it));
        self.relations().flat_map(of).filter(|(relation, it)| is_it(relation, it)).collect()
    }

    /// The objects of the relation to which an object belongs, or of all functions with its name.
    pub(super) fn parts_of(
        &self,
        subject: &FactSubject,
        is_it: impl Fn(&CatalogObject) -> bool,
    ) -> Vec<PartKey<'a>> {
        let relation = match subject {
            FactSubject::Routine(name) => {
                let is_function = |of: &str| of.ends_with(')');
                let is_it = |of: &'a str, it: &CatalogObject| {
                    is_function(of) && is_named(without_arguments(of), name) && is_it(it)
                };
                return self.all(is_it);
            }
            FactSubject::Column(table, _) | FactSubject::Constraint(table, _) => {
                self.relation(table)
            }
            _ => self.find(subject).map(|(relation, _)| relation),
        };
        self.all(|of, it| Some(of) == relation && is_it(it))
    }

    /// The objects of relations in other schemas than `public` that have a name, or an index with
    /// it.
    pub(super) fn outside_of_public(&self, name: &str) -> Vec<PartKey<'a>> {
        let has_name = |object: &str| {
            let found = name_of(without_arguments(object));
            found.name == name && found.schema.is_some_and(|schema| schema != "public")
        };
        self.all(|of, it| has_name(of) || it.kind == ObjectKind::Index && has_name(&it.name))
    }

    pub(super) fn relation(&self, name: &QualifiedName) -> Option<&'a str> {
        self.relations().find(|relation| is_named(relation, name))
    }

    fn relations(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (live, recorded) = (self.live, self.recorded);
        live.relations.keys().chain(recorded.relations.keys()).map(String::as_str)
    }

    pub(super) fn object(
        &self,
        relation: &str,
        is_it: impl Fn(&CatalogObject) -> bool,
    ) -> Option<&'a CatalogObject> {
        self.of_relation(relation).into_iter().find(|it| is_it(it))
    }

    /// The objects of a relation, which may occur twice.
    pub(in crate::engine::drift) fn of_relation(&self, relation: &str) -> Vec<&'a CatalogObject> {
        let (live, recorded) = (self.live, self.recorded);
        let of = |snapshot: &'a Snapshot| snapshot.relations.get(relation).map(Objects::keys);
        of(live).into_iter().flatten().chain(of(recorded).into_iter().flatten()).collect()
    }
}

/// The name of a described function without the types of its arguments.
pub(in crate::engine::drift) fn without_arguments(relation: &str) -> &str {
    let mut is_quoted = false;
    let end = relation.find(|character| {
        is_quoted ^= character == '"';
        character == '(' && !is_quoted
    });
    &relation[..end.unwrap_or(relation.len())]
}

/// Whether an object is a column whose sequence is described with it.
pub(in crate::engine::drift) fn is_identity(
    object: &CatalogObject,
    definition: Option<&str>,
) -> bool {
    object.is(&ObjectKind::Column) && definition.is_some_and(|it| it.contains(" AS IDENTITY ("))
}
