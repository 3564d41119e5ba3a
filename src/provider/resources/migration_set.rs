//! `dsql_migration_set`: a directory of migrations, kept applied on a cluster.

mod expected;
mod model;
mod shown;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;

use self::expected::{as_planned, holds_recorded, nothing_new};
pub(super) use self::model::MigrationSetModel;
use self::model::decode_source;
use self::shown::{after, from_files, keep_rows, shown, unknown};
use super::adoption::config as adoption_config;
use super::computed::{self, set_all, set_if_unknown};
use super::drift::{self, Watch};
use super::import;
use super::location::{accept_cluster_attribute, check_cluster};
use super::operation::{LoadedModel, Model as _, SetOperation};
use super::rules::{self, StatementRules};
use super::source::Source;
use super::state_ledger::ChangedRow;
use super::steps::{self, FinishedRun, ObservedPlan, RefreshQuery, ResourceContext, ResourceKind};
use super::upgrade::{self, SCHEMA_VERSION};
use super::{planned_drift, policy, source, verify, wait};
use crate::database::Observation;
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::engine::adoption::to_adopt;
use crate::provider::clusters::Clusters;
use crate::provider::contract::{
    ApplyRequest, ApplyResponse, EarlierSchema, ImportResponse, PlanRequest, PlanResponse,
    ReadRequest, ReadResponse, Resource,
};
use crate::provider::diagnostics::{self, Subject};
use crate::provider::settings::{LedgerLocation, cluster_attribute};
use crate::provider::timeouts::{self, Timeouts};
use crate::schema::{Attribute, Nesting, Schema};
use crate::value::{Input, Object, Type, Value};

pub(crate) use self::shown::latest;

/// The set of a configuration without `name`.
pub(crate) const DEFAULT_NAME: &str = "default";

/// The resource type.
pub(crate) struct MigrationSetResource(ResourceContext);

impl MigrationSetResource {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self(ResourceContext::new(clusters))
    }
}

impl ResourceKind for MigrationSetResource {
    type Model = MigrationSetModel;

    const IS_SHARED: bool = false;
    const PATH: &'static str = "dir";
    const FORGOTTEN: &'static str = "which migrations are applied";
    const REQUIRES_REPLACE: &'static [&'static str] = &["name"];

    fn subject(object: &Object<'_>) -> Subject {
        Subject::set(object.string("name").or(DEFAULT_NAME).known())
    }

    fn refresh_query<'a>(state: &Object<'a>) -> Result<Option<RefreshQuery<'a>>, Diagnostic> {
        let set = state.string("name").known().unwrap_or(DEFAULT_NAME);
        let limit = Timeouts::decode(state)?.read;
        let Input::Known(watch) = Watch::decode(state)? else { return Ok(None) };
        Ok(Some(RefreshQuery { set, watch: Some(watch), limit }))
    }

    fn source_of(state: &Object<'_>) -> Option<Arc<dyn Source>> {
        decode_source(state).ok()?.known()
    }

    fn recorded<'a>(state: &Object<'a>) -> Cow<'a, Value> {
        Cow::Borrowed(state.value("migrations"))
    }

    fn refreshed(
        state: &Value,
        query: &RefreshQuery<'_>,
        location: &LedgerLocation,
        observation: &Observation,
        changed: &[ChangedRow],
    ) -> Value {
        let before = state;
        let mut state = state.clone();
        set_all(&mut state, shown(location, observation));
        keep_rows(&mut state, before, changed);
        if let Some(watch) = &query.watch {
            set_all(&mut state, watch.find(observation).shown());
        }
        state
    }

    fn set_arguments(planned: &mut Value, model: &MigrationSetModel, config: &Object<'_>) {
        planned.set("name", Value::from(model.name.clone()));
        planned.set("id", Value::from(model.name.clone()));
        planned.set("verified_endpoints", verify::planned(config, &Value::Null, true));
    }

    fn set_unknown(planned: &mut Value, _config: &Object<'_>) {
        set_all(planned, unknown());
    }

    fn holds_recorded(state: &Value, model: &LoadedModel<'_>) -> bool {
        holds_recorded(state, model.migrations(), model.known.policy)
    }

    fn set_loaded(planned: &mut Value, model: &LoadedModel<'_>) {
        planned.set("detected_format", model.format.map(|format| format.name().to_owned()));
    }

    fn set_from_files(planned: &mut Value, model: &LoadedModel<'_>) {
        set_all(planned, from_files(model));
    }

    fn set_unreachable(planned: &mut Value) {
        set_all(planned, drift::known_after_apply());
        planned.set("hazards", Value::Unknown);
    }

    fn nothing_new(state: &Value, config: &Object<'_>, model: &LoadedModel<'_>) -> bool {
        nothing_new(state, config, model.migrations(), model.known.policy)
    }

    fn is_same(state: &Object<'_>, operation: &SetOperation<'_>) -> bool {
        state.string("name").or(DEFAULT_NAME) == Input::Known(operation.set())
    }

    fn set_planned(planned: &mut Value, observed: &ObservedPlan<'_>) -> Vec<Diagnostic> {
        let ObservedPlan { request, config, operation, observation, records, plan } = observed;
        let prior = &request.prior_state;
        set_all(planned, shown(&operation.location, observation));
        let drops = plan.abandoned().next().is_some();
        let changes = drops || plan.pending().next().is_some() || to_adopt(plan).next().is_some();
        if changes {
            set_all(planned, after(plan, records, operation.model.known.rules.wait));
        }
        let verified = verify::planned(config, prior, changes);
        planned.set("verified_endpoints", verified);
        let known = &operation.model.known;
        let subject = operation.subject();
        let migrations = operation.migrations();
        let mut found = policy::warnings(plan, records, migrations, known.policy, &subject);
        found.extend(policy::without_effect(observed));
        let former = prior.get("name").and_then(|name| name.string().known());
        let pending = plan.pending().count();
        if let Some(former) = former.filter(|former| *former != known.set && pending > 0) {
            found.push(diagnostics::name_changed(former, known.set, pending, &subject));
        }
        let Some(watch) = known.watch else { return found };
        found.extend(planned_drift::set_planned(watch, planned, observed, changes));
        if *planned != *prior {
            planned.set("verified_endpoints", verify::planned(config, prior, true));
        }
        found
    }

    fn as_planned(planned: &mut Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
        // Removed before the run begins: it would be the largest value that the run holds.
        let expected = planned.set("migrations", Value::Unknown).unwrap_or(Value::Unknown);
        as_planned(&expected, plan)
    }

    async fn finish(run: FinishedRun<'_>) -> Result<ApplyResponse, Vec<Diagnostic>> {
        let FinishedRun { operation, prior, planned: mut state, mut result, .. } = run;
        let (location, known) = (&operation.location, operation.model.known);
        let mut verified = Value::List(Vec::new());
        if let Some(observation) = result.observation.as_ref().filter(|_| !result.is_failed()) {
            let schemas = known.watch.map_or(&[][..], |watch| &watch.schemas);
            let (set, limit) = (known.set, run.read_limit);
            let applied = verify::Applied { location, set, schemas, observation, limit };
            let (right, wrong) = applied.verify(&run.context.clusters, run.config).await;
            verified = right;
            result.diagnostics.extend(wrong);
        }

        // A failed create stores nothing: a stored object would be tainted and replaced.
        let is_failed_create = prior.is_null() && result.is_failed();
        let Some(observation) = result.observation.filter(|_| !is_failed_create) else {
            return Err(result.diagnostics);
        };
        set_all(&mut state, shown(location, &observation));
        let shown = known.watch.map(|watch| watch.find(&observation).shown());
        for (name, value) in shown.into_iter().flatten() {
            set_if_unknown(&mut state, name, value);
        }
        set_if_unknown(&mut state, "last_run", run.last_run);
        set_if_unknown(&mut state, "hazards", run.hazards);
        set_if_unknown(&mut state, "verified_endpoints", verified);
        let diagnostics = result.diagnostics;
        Ok(ApplyResponse { new_state: state, private: run.private, diagnostics })
    }
}

#[async_trait]
impl Resource for MigrationSetResource {
    fn type_name(&self) -> &'static str {
        "dsql_migration_set"
    }

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::string("dir").optional().description(
                "Directory with the migrations. In a module, write `${path.module}/migrations`: a \
                 relative path starts where Terraform runs. The state keeps the path while the \
                 directory has the same applied migrations, so do not refer to this attribute: \
                 repeat its expression. Set exactly one of `dir` and `files`.",
            ),
            Attribute::map_of("files", Type::String).optional().description(
                "Migrations as a map from file name, such as `0001_users.sql`, to SQL. They run \
                 in the order of their numbers. Set exactly one of `dir` and `files`.",
            ),
            Attribute::set_of("repeatable", Type::String)
                .optional()
                .description(policy::REPEATABLE),
            Attribute::string("format").optional().description(source::format_description()),
            Attribute::string("detected_format")
                .computed()
                .description("Format in which the provider read `dir`. Null with `files`."),
            Attribute::string("name").optional().computed().description(
                "Name of the migration set in the ledger, so that several sets can share a \
                 cluster. Default: `default`. A different name is a different migration set: \
                 Terraform replaces the resource, and all migrations run again.",
            ),
            cluster_attribute(),
            accept_cluster_attribute(),
            wait::attribute(),
            timeouts::attribute(),
            Attribute::string("id").computed().description("Name of the migration set."),
            Attribute::list_of("last_run", Type::String).computed().description(
                "Versions that the last apply ran, and in a plan those that the apply will run. \
                 Unknown in a plan if a repeatable migration has variables that are known only at \
                 apply.",
            ),
            Attribute::string("ledger").computed().description(
                "Endpoint, port, and schema of the ledger, for example \
                     `localhost:5432/dsql_migrations`.",
            ),
            Attribute::objects("migrations", Nesting::Map, migration_attributes()).description(
                "All migrations by version: those in the ledger, and in a plan those that the \
                 apply will run.",
            ),
            Attribute::string("latest_version").computed().description(
                "Version of the applied migration that began last, which is not always the \
                 highest version. Repeatable migrations do not count.",
            ),
        ];
        attributes.extend(policy::arguments());
        attributes.extend(drift::arguments());
        attributes.extend(drift::computed());
        attributes.extend(verify::attributes());
        attributes.extend(rules::attributes());
        attributes.push(rules::hazards_attribute());
        attributes.extend(adoption_config::attributes());
        Schema::new(attributes).version(SCHEMA_VERSION).description(
            "Applies a directory of forward-only SQL migrations to an Aurora DSQL cluster, each \
             exactly once and in order. The plan shows pending migrations and drift. Destroying \
             the resource does not touch the database.",
        )
    }

    fn earlier_schema(&self, version: i64) -> Option<EarlierSchema> {
        upgrade::earlier(&self.schema(), version)
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let mut diagnostics = MigrationSetModel::decode(&config).err().unwrap_or_default();
        diagnostics.extend(check_cluster(&config).err());
        diagnostics.extend(StatementRules::check(&config));
        diagnostics.extend(verify::check(&config));
        diagnostics
    }

    async fn read(&self, request: ReadRequest) -> ReadResponse {
        steps::refresh::read::<Self>(&self.0, request).await
    }

    async fn plan(&self, request: PlanRequest) -> PlanResponse {
        steps::plan::plan::<Self>(&self.0, request).await
    }

    async fn apply(&self, request: ApplyRequest) -> ApplyResponse {
        steps::apply::apply::<Self>(&self.0, request).await
    }

    async fn import(&self, id: &str) -> ImportResponse {
        import::import(&self.0.clusters, id, id, |location, observation| {
            if observation.migrations.is_empty() {
                return None;
            }
            let mut state = import::empty(&self.schema());
            set_all(&mut state, vec![("id", id.into()), ("name", id.into())]);
            set_all(&mut state, shown(location, observation));
            Some(state)
        })
        .await
    }
}

/// The attributes of one migration.
fn migration_attributes() -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::string("description").computed().description("Description from the file name."),
        Attribute::string("adopted_from").computed().description(
            "Source that marks the migration as already applied: a history table, \
             `baseline_version`, or the former version of a renamed migration. Null if the provider \
             ran it under this version.",
        ),
    ];
    attributes.extend(computed::attributes());
    attributes
}
