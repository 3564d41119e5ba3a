//! The provider: thin adapters between Terraform's requests and the engine.
//!
//! A resource decodes its configuration into a model, calls the engine once, and encodes the
//! result. It contains neither SQL nor gRPC. Errors become text in `diagnostics.rs`.

pub mod contract;

mod arguments;
mod clusters;
mod data_sources;
mod diagnostics;
mod ephemeral_resources;
mod functions;
mod resources;
mod settings;
mod time_limit;
mod timeouts;

use std::sync::Arc;

use async_trait::async_trait;

use self::clusters::Clusters;
use self::contract::{DataSource, EphemeralResource, Function, Provider, Resource};
use self::data_sources::migration_status::MigrationStatus;
use self::data_sources::schema::SchemaDataSource;
use self::resources::migration::MigrationResource;
use self::resources::migration_set::MigrationSetResource;
pub use self::settings::Environment;
use self::settings::Settings;
use crate::diagnostic::Diagnostic;
use crate::schema::Schema;
use crate::value::{Object, Value};

/// The `dsql` provider.
pub struct DsqlProvider {
    clusters: Arc<Clusters>,
    resources: Vec<Box<dyn Resource>>,
    functions: Vec<Box<dyn Function>>,
    data_sources: Vec<Box<dyn DataSource>>,
    ephemeral_resources: Vec<Box<dyn EphemeralResource>>,
}

impl DsqlProvider {
    /// Creates a provider that is not configured yet.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        let clusters = Arc::new(Clusters::new(environment));
        let resources: Vec<Box<dyn Resource>> = vec![
            Box::new(MigrationResource::new(Arc::clone(&clusters))),
            Box::new(MigrationSetResource::new(Arc::clone(&clusters))),
        ];
        let data_sources: Vec<Box<dyn DataSource>> = vec![
            Box::new(MigrationStatus::new(Arc::clone(&clusters))),
            Box::new(SchemaDataSource::new(Arc::clone(&clusters))),
        ];
        Self {
            resources,
            data_sources,
            functions: functions::all(),
            ephemeral_resources: ephemeral_resources::all(&clusters),
            clusters,
        }
    }
}

#[async_trait]
impl Provider for DsqlProvider {
    fn schema(&self) -> Schema {
        Schema::new(settings::provider_attributes()).description(
            "Manages forward-only SQL migrations for Amazon Aurora DSQL: shows them in `terraform \
             plan`, applies each exactly once, and detects drift.",
        )
    }

    fn resources(&self) -> &[Box<dyn Resource>] {
        &self.resources
    }

    fn functions(&self) -> &[Box<dyn Function>] {
        &self.functions
    }

    fn data_sources(&self) -> &[Box<dyn DataSource>] {
        &self.data_sources
    }

    fn ephemeral_resources(&self) -> &[Box<dyn EphemeralResource>] {
        &self.ephemeral_resources
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        Object::new(config).and_then(|config| Settings::decode(&config).err()).into_iter().collect()
    }

    async fn configure(&self, terraform_version: &str, config: Value) -> Vec<Diagnostic> {
        tracing::debug!(terraform_version, "configuring the provider");
        let settings = Object::new(&config).map(|config| Settings::decode(&config));
        match settings.unwrap_or_else(|| Ok(Settings::default())) {
            Ok(settings) => {
                self.clusters.configure(settings);
                Vec::new()
            }
            Err(diagnostic) => vec![diagnostic],
        }
    }

    fn stop(&self) {
        self.clusters.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::schema::{Owner, editor};

    /// Every schema of the provider, with the name of its type.
    fn schemas() -> Vec<(&'static str, Owner, Schema)> {
        let provider = DsqlProvider::new(Environment::default());
        let resources = provider.resources().iter();
        let resources = resources.map(|it| (it.type_name(), Owner::Resource, it.schema()));
        let data_sources = provider.data_sources().iter();
        let data_sources = data_sources.map(|it| (it.type_name(), Owner::Resource, it.schema()));
        let ephemeral = provider.ephemeral_resources().iter();
        let ephemeral = ephemeral.map(|it| (it.type_name(), Owner::Resource, it.schema()));
        let block = ("provider", Owner::Provider, provider.schema());
        std::iter::once(block).chain(resources).chain(data_sources).chain(ephemeral).collect()
    }

    #[test]
    fn every_schema_follows_the_rules_of_terraform() {
        let schemas = schemas();
        assert_eq!(schemas.len(), 6, "the provider block and every type");
        for (name, owner, schema) in schemas {
            assert_eq!(schema.check(owner), [] as [&str; 0], "{name}");
        }
    }

    #[test]
    fn every_description_survives_editors() {
        let mut found = BTreeSet::new();
        let mut check = |name: &str, text: &str| {
            for problem in editor::problems(text) {
                found.insert(format!("{name} has {problem}: {text}"));
            }
        };
        for (name, _, schema) in schemas() {
            for (path, text) in schema.descriptions() {
                check(&format!("{name}: {path}"), text);
            }
        }
        for function in functions::all() {
            let (name, signature) = (function.name(), function.signature());
            check(name, signature.description);
            for parameter in signature.parameters {
                check(&format!("{name}({})", parameter.name), parameter.description);
            }
        }
        assert!(found.is_empty(), "{} problems: {found:#?}", found.len());
    }
}
