//! Finds the resource, data source or ephemeral resource type that a request names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Title};
use crate::provider::contract::{DataSource, EphemeralResource, Provider, Resource};
use crate::schema::Schema;
use crate::value::Type;

/// A type that a request names, with what its schema implies.
pub(super) struct NamedType<T: ?Sized> {
    provider: Arc<dyn Provider>,
    list: fn(&dyn Provider) -> &[Box<T>],
    index: usize,
    /// Version of its schema.
    pub(super) version: i64,
    ty: Arc<Type>,
}

pub(super) type NamedResource = NamedType<dyn Resource>;
pub(super) type NamedDataSource = NamedType<dyn DataSource>;
pub(super) type NamedEphemeralResource = NamedType<dyn EphemeralResource>;

impl<T: ?Sized> Clone for NamedType<T> {
    fn clone(&self) -> Self {
        let (provider, ty) = (Arc::clone(&self.provider), Arc::clone(&self.ty));
        Self { provider, list: self.list, index: self.index, version: self.version, ty }
    }
}

impl<T: ?Sized> NamedType<T> {
    /// Returns the implementation of the type.
    pub(super) fn get(&self) -> &T {
        &(self.list)(&*self.provider)[self.index]
    }

    /// Returns the type of its objects.
    pub(super) fn ty(&self) -> &Type {
        &self.ty
    }
}

/// All types of one kind, by name.
pub(super) struct TypesByName<T: ?Sized>(HashMap<&'static str, NamedType<T>>);

impl<T: ?Sized> TypesByName<T> {
    /// Reads the schema of each type in a list of the provider.
    fn new(
        provider: &Arc<dyn Provider>,
        list: fn(&dyn Provider) -> &[Box<T>],
        describe: fn(&T) -> (&'static str, Schema),
    ) -> Self {
        let all = list(&**provider).iter().enumerate();
        let named = all.map(|(index, implementation)| {
            let (name, schema) = describe(implementation);
            let (provider, ty) = (Arc::clone(provider), Arc::new(schema.implied_type()));
            (name, NamedType { provider, list, index, version: schema.version, ty })
        });
        Self(named.collect())
    }
}

impl TypesByName<dyn Resource> {
    pub(super) fn resources(provider: &Arc<dyn Provider>) -> Self {
        Self::new(provider, |it| it.resources(), |it| (it.type_name(), it.schema()))
    }

    pub(super) fn find(&self, type_name: &str) -> Result<NamedResource, Diagnostic> {
        self.0.get(type_name).cloned().ok_or_else(|| {
            Diagnostic::error(Title::UnknownResourceType)
                .detail(missing("resource type", type_name))
        })
    }
}

impl TypesByName<dyn DataSource> {
    pub(super) fn data_sources(provider: &Arc<dyn Provider>) -> Self {
        Self::new(provider, |it| it.data_sources(), |it| (it.type_name(), it.schema()))
    }

    pub(super) fn find(&self, type_name: &str) -> Result<NamedDataSource, Diagnostic> {
        self.0.get(type_name).cloned().ok_or_else(|| {
            Diagnostic::error(Title::UnknownDataSourceType)
                .detail(missing("data source type", type_name))
        })
    }
}

impl TypesByName<dyn EphemeralResource> {
    pub(super) fn ephemeral_resources(provider: &Arc<dyn Provider>) -> Self {
        Self::new(provider, |it| it.ephemeral_resources(), |it| (it.type_name(), it.schema()))
    }

    pub(super) fn find(&self, type_name: &str) -> Result<NamedEphemeralResource, Diagnostic> {
        self.0.get(type_name).cloned().ok_or_else(|| {
            Diagnostic::error(Title::UnknownEphemeralResourceType)
                .detail(missing("ephemeral resource type", type_name))
        })
    }
}

fn missing(kind: &str, type_name: &str) -> String {
    format!("This version of the provider has no {kind} {type_name:?}.")
}
