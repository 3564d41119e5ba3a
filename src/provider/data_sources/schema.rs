//! `dsql_schema`: the live objects of database schemas.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::clusters::Clusters;
use super::super::contract::DataSource;
use super::super::resources::location;
use super::super::resources::observe::observe;
use super::super::settings::cluster_attribute;
use super::super::time_limit::TimeLimit;
use crate::database::{ObjectKind, ObserveQuery, Snapshot, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::drift;
use crate::schema::{Attribute, Schema};
use crate::value::{Input, Object, Type, Value};

/// The data source type.
pub(crate) struct SchemaDataSource {
    clusters: Arc<Clusters>,
}

impl SchemaDataSource {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters }
    }
}

#[async_trait]
impl DataSource for SchemaDataSource {
    fn type_name(&self) -> &'static str {
        "dsql_schema"
    }

    fn schema(&self) -> Schema {
        let names = |name: &str, text: &str| {
            Attribute::list_of(name, Type::String).computed().description(text)
        };
        Schema::new(vec![
            Attribute::set_of("schemas", Type::String)
                .optional()
                .description("Names of the database schemas to read. Default: `[\"public\"]`."),
            cluster_attribute(),
            Attribute::map_of("objects", Type::String).computed().description(
                "All objects, as a map from kind and name (`column public.users.email`) to \
                 definition (`text NOT NULL`). Column order, storage, and statistics are not \
                 included.",
            ),
            names("tables", "Names of the tables, for example `public.users`."),
            names("views", "Names of the views."),
            Attribute::string("fingerprint").computed().description(
                "SHA-256 fingerprint of all objects. Schemas with the same objects have the same \
                 fingerprint, on every cluster.",
            ),
        ])
        .description(
            "Reads the objects of database schemas of an Aurora DSQL cluster, in a form that can \
             be compared between clusters. It writes nothing.",
        )
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        location::check_cluster(&config).err().into_iter().collect()
    }

    async fn read(&self, config: &Value) -> Result<Value, Vec<Diagnostic>> {
        let Some(object) = Object::new(config) else { return Ok(Value::Null) };
        let schemas: Vec<String> = match object.list("schemas") {
            Input::Known(names) => {
                names.iter().filter_map(|name| name.string().known().map(str::to_owned)).collect()
            }
            Input::Null | Input::Unknown => vec!["public".to_owned()],
        };
        let location = super::locate(&self.clusters, &object).map_err(|error| vec![error])?;
        let watched = Watched::Schemas(schemas);
        // The name of a set does not matter for the live schema.
        let limit = TimeLimit::fixed(&self.clusters);
        let observation = observe(
            &self.clusters,
            &location,
            ObserveQuery::new(&location.ledger, "", &watched),
            &limit,
        )
        .await
        .map_err(|error| vec![error])?;

        let mut state = config.clone();
        let live = &observation.live;
        let objects = live.objects().map(|(object, text)| (object.to_string(), text));
        state.set("objects", Value::map(objects));
        state.set("tables", Value::list(named(live, &ObjectKind::Table)));
        state.set("views", Value::list(named(live, &ObjectKind::View)));
        state.set("fingerprint", drift::fingerprint(live.objects()));
        Ok(state)
    }
}

/// The names of all objects of a kind.
fn named<'a>(live: &'a Snapshot, kind: &'a ObjectKind) -> impl Iterator<Item = &'a str> {
    let objects = live.objects().filter(move |(object, _)| object.is(kind));
    objects.map(|(object, _)| object.name.as_str())
}
