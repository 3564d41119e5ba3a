//! The provider: thin adapters between what Terraform asks and what the engine does.
//!
//! A resource decodes its configuration into a model, makes one call to the engine, and encodes
//! the answer. SQL, gRPC and the words of errors are elsewhere; words are in `diagnostics.rs`.

pub mod contract;

mod arguments;
mod clusters;
mod data_sources;
mod diagnostics;
mod ephemeral_resources;
mod functions;
mod resources;
mod settings;
mod timeouts;

use std::sync::Arc;

use async_trait::async_trait;

use self::clusters::Clusters;
use self::contract::{DataSource, EphemeralResource, Function, Provider, Resource};
use self::data_sources::migration_status::MigrationStatus;
use self::data_sources::schema::SchemaDataSource;
use self::ephemeral_resources::auth_token::AuthToken;
use self::functions::checksum::ChecksumFunction;
use self::functions::lint::LintFunction;
use self::functions::parse_version::ParseVersionFunction;
use self::functions::split::SplitFunction;
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
    /// A provider that is not configured yet.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        let clusters = Arc::new(Clusters::new(environment));
        // The tables of everything that this provider offers.
        let resources: Vec<Box<dyn Resource>> = vec![
            Box::new(MigrationResource::new(Arc::clone(&clusters))),
            Box::new(MigrationSetResource::new(Arc::clone(&clusters))),
        ];
        let functions: Vec<Box<dyn Function>> = vec![
            Box::new(ChecksumFunction),
            Box::new(LintFunction),
            Box::new(ParseVersionFunction),
            Box::new(SplitFunction),
        ];
        let data_sources: Vec<Box<dyn DataSource>> = vec![
            Box::new(MigrationStatus::new(Arc::clone(&clusters))),
            Box::new(SchemaDataSource::new(Arc::clone(&clusters))),
        ];
        let ephemeral_resources: Vec<Box<dyn EphemeralResource>> =
            vec![Box::new(AuthToken::new(Arc::clone(&clusters)))];
        Self { clusters, resources, data_sources, functions, ephemeral_resources }
    }
}

#[async_trait]
impl Provider for DsqlProvider {
    fn schema(&self) -> Schema {
        Schema::new(settings::provider_attributes()).description(
            "Forward-only SQL migrations for Amazon Aurora DSQL: shown in `terraform plan`, \
             applied exactly once, with drift detection.",
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
        tracing::debug!(terraform_version, "configure");
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
    use super::*;

    /// Terraform takes these names in a `resource` block for itself; in JSON syntax it drops an
    /// attribute of the same name without a word.
    const META_ARGUMENTS: &[&str] =
        &["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];

    #[test]
    fn no_argument_of_a_resource_has_a_name_that_terraform_takes_for_itself() {
        let provider = DsqlProvider::new(Environment::default());
        let resources = provider.resources().iter().map(|resource| resource.schema());
        let sources = provider.data_sources().iter().map(|source| source.schema());
        let ephemeral = provider.ephemeral_resources().iter().map(|resource| resource.schema());
        for schema in resources.chain(sources).chain(ephemeral) {
            assert!(!schema.block.attributes.is_empty());
            for attribute in &schema.block.attributes {
                assert!(!META_ARGUMENTS.contains(&attribute.name.as_str()), "{}", attribute.name);
            }
        }
    }
}
