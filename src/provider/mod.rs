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
    use crate::database::{LedgerSchema, Target};
    use crate::engine::{KeptStatement, PlanError, Policy};
    use crate::formats;
    use crate::migration::{Checksum, StatementNumber, Version};
    use crate::provider::diagnostics::AppliedSet;
    use crate::provider::settings::LedgerLocation;
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
    fn no_advice_about_a_single_migration_names_an_argument_that_only_a_set_has() {
        let arguments = |wanted: &str| -> BTreeSet<String> {
            let (.., schema) = schemas().into_iter().find(|it| it.0 == wanted).expect("a type");
            schema.block.attributes.into_iter().map(|attribute| attribute.name).collect()
        };
        let single = arguments("dsql_migration");
        let only: Vec<String> =
            arguments("dsql_migration_set").difference(&single).cloned().collect();
        let names = |text: &str, name: &str| {
            let is_word = !name.contains('_');
            text.contains(&format!("{name} = "))
                || text.contains(&format!("`{name}`"))
                || !is_word && text.contains(name)
        };
        let (file, version) = (|| "1_a.sql".to_owned(), || Version("1".to_owned()));
        let (applied, found) = (Checksum::of("a"), Checksum::of("b"));
        let (file_1, version_1) = (file(), version());
        let difference = None;
        let diverged =
            PlanError::Diverged { file: file_1, version: version_1, applied, found, difference };
        let statement_diverged = PlanError::StatementDiverged {
            file: file(),
            line: 1,
            version: version(),
            number: StatementNumber::of_index(0),
            applied: "SELECT 1".into(),
            done: [StatementNumber::of_index(0)].into(),
            failed: Box::default(),
            kept: KeptStatement::Applied,
        };
        let ledger = LedgerSchema::new("dsql_migrations");
        let location = LedgerLocation { target: Target::new("abc.on.aws"), ledger };
        let of_plan = |errors: &[PlanError], is_shared| {
            let set = AppliedSet { location: &location, set: "app", is_shared, is_create: false };
            diagnostics::plan_errors(errors, &Policy::default(), &"path".into(), set)
        };
        let errors = [diverged, statement_diverged];
        let mut advice = of_plan(&errors, true);
        let path = "path".into();
        let texts =
            ["", "SET x = 1", "SELECT 'it", "\\d", "-- dsql:x\nSELECT 1", "-- migrate:down"];
        for text in texts {
            let found = formats::single("1_a.sql", text, None, None).expect("a version");
            assert_eq!(found.problems.len(), 1, "{text}");
            advice.push(diagnostics::format_error(&found.problems[0].error, &path));
        }
        for error in [formats::single("a.sql", "", None, None), formats::read_file("1", None, None)]
        {
            let error = error.expect_err("no version, no file");
            advice.push(diagnostics::format_error(&error, &path));
        }
        for diagnostic in advice {
            let named = only.iter().find(|name| names(&diagnostic.detail, name));
            assert_eq!(named, None, "{}", diagnostic.detail);
        }
        let of_set = &of_plan(&errors, false)[0].detail;
        assert!(names(of_set, "accept_checksums"), "{of_set}");
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
