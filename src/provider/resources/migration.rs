//! `dsql_migration`: one migration from one file or text.

mod model;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;

use self::model::{MigrationModel, decode_source};
use super::SINGLE_MIGRATIONS;
use super::computed::{self, set_all, set_if_unknown};
use super::drift::{self, Watch};
use super::import;
use super::location::{accept_cluster_attribute, check_cluster};
use super::operation::{LoadedModel, Model as _, SetOperation};
use super::planned_drift;
use super::rules::{self, StatementRules};
use super::source::Source;
use super::state_ledger::ChangedRow;
use super::steps::{self, FinishedRun, ObservedPlan, RefreshQuery, ResourceContext, ResourceKind};
use super::upgrade::{self, SCHEMA_VERSION};
use super::wait;
use crate::database::{MigrationRecord, Observation};
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::migration::Migration;
use crate::provider::clusters::Clusters;
use crate::provider::contract::{
    ApplyRequest, ApplyResponse, EarlierSchema, ImportResponse, PlanRequest, PlanResponse,
    ReadRequest, ReadResponse, Resource,
};
use crate::provider::diagnostics::{self, Subject, UnrecordedSets};
use crate::provider::settings::{LedgerLocation, cluster_attribute};
use crate::provider::timeouts::{self, Timeouts};
use crate::schema::{Attribute, Schema};
use crate::value::{Input, Object, Type, Value};

/// The resource type.
pub(crate) struct MigrationResource(ResourceContext);

impl MigrationResource {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self(ResourceContext::new(clusters))
    }
}

impl ResourceKind for MigrationResource {
    type Model = MigrationModel;

    const IS_SHARED: bool = true;
    const PATH: &'static str = "path";
    const FORGOTTEN: &'static str = "that the migration is applied";
    const REQUIRES_REPLACE: &'static [&'static str] = &[];

    fn subject(object: &Object<'_>) -> Subject {
        Subject::migration(object.string("version").known())
    }

    fn refresh_query<'a>(state: &Object<'a>) -> Result<Option<RefreshQuery<'a>>, Diagnostic> {
        if state.string("version").known().is_none() {
            return Ok(None);
        }
        let limit = Timeouts::decode(state)?.read;
        let Input::Known(watch) = Watch::decode_on_request(state)? else { return Ok(None) };
        Ok(Some(RefreshQuery { set: SINGLE_MIGRATIONS, watch, limit }))
    }

    fn source_of(state: &Object<'_>) -> Option<Arc<dyn Source>> {
        decode_source(state).ok()?.known()
    }

    fn recorded<'a>(state: &Object<'a>) -> Cow<'a, Value> {
        let attributes = state.attributes().map(|(name, value)| (name, value.clone()));
        let version = state.string("version").known().unwrap_or_default();
        Cow::Owned(Value::map([(version, Value::object(attributes))]))
    }

    fn refreshed(
        state: &Value,
        query: &RefreshQuery<'_>,
        location: &LedgerLocation,
        observation: &Observation,
        changed: &[ChangedRow],
    ) -> Value {
        if !changed.is_empty() {
            return state.clone();
        }
        let version = Object::new(state).and_then(|state| state.string("version").known());
        let record = version.and_then(|version| record_of(observation, version));
        record.map_or(Value::Null, |record| {
            let mut state = state.clone();
            set_all(&mut state, shown(record));
            set_all(&mut state, drift_shown(query.watch.as_ref(), observation));
            state.set("ledger", location.ledger_name());
            // The ledger keeps the description of the first run. The one in the state is that of
            // the configuration, which a new name of the file changes.
            if state.get("description").is_none_or(Value::is_null) {
                state.set("description", record.description.as_str());
            }
            state
        })
    }

    fn set_arguments(_planned: &mut Value, _model: &MigrationModel, _config: &Object<'_>) {}

    fn set_unknown(planned: &mut Value, config: &Object<'_>) {
        set_all(planned, unknown(config));
    }

    fn holds_recorded(state: &Value, model: &LoadedModel<'_>) -> bool {
        model.migrations().iter().all(|migration| {
            state.get("version") == Some(&migration.version.0.as_str().into())
                && computed::holds(state, migration, None)
        })
    }

    fn set_loaded(_planned: &mut Value, _model: &LoadedModel<'_>) {}

    fn set_from_files(planned: &mut Value, model: &LoadedModel<'_>) {
        for migration in model.migrations() {
            set_all(planned, named(migration));
            set_all(planned, computed::pending(migration, None, model.known.rules.wait));
        }
        let unknown = ["ledger", "last_run", "hazards"].map(|name| (name, Value::Unknown));
        set_all(planned, unknown.to_vec());
        set_all(planned, drift_after(model.known.watch.is_some()));
    }

    fn set_unreachable(planned: &mut Value) {
        planned.set("status", Value::Unknown);
        let detects_drift = planned.get("on_drift").is_some_and(|on_drift| !on_drift.is_null());
        set_all(planned, drift_after(detects_drift));
        planned.set("hazards", Value::Unknown);
    }

    fn nothing_new(state: &Value, config: &Object<'_>, model: &LoadedModel<'_>) -> bool {
        let same_values = state.get("variables") == Some(config.value("variables"));
        model.migrations().iter().all(|migration| {
            state.get("version") == Some(&migration.version.0.as_str().into())
                && computed::says_applied(state, migration, same_values, None)
        })
    }

    fn is_same(state: &Object<'_>, operation: &SetOperation<'_>) -> bool {
        let mut versions = operation.migrations().iter().map(|m| m.version.0.as_str());
        versions.all(|version| state.string("version") == Input::Known(version))
    }

    fn set_planned(planned: &mut Value, observed: &ObservedPlan<'_>) -> Vec<Diagnostic> {
        let wait = observed.operation.model.known.rules.wait;
        for entry in &observed.plan.entries {
            set_all(planned, named(entry.migration));
            set_all(planned, computed::planned(entry, wait).unwrap_or_default());
        }
        planned.set("ledger", observed.operation.location.ledger_name());
        match observed.operation.model.known.watch {
            Some(watch) => {
                let runs = observed.plan.pending().next().is_some();
                planned_drift::set_planned(watch, planned, observed, runs)
            }
            None if planned_drift::records_earlier_run(observed.observation) => {
                // The update is all that calls the provider again. The apply leaves null.
                set_all(planned, drift::known_after_apply());
                let subject = observed.operation.subject();
                let ledger = &observed.operation.location.ledger;
                let ended = UnrecordedSets { has_observed: true, others: &[], ledger };
                diagnostics::unfinished(std::iter::empty(), ended, &subject).into_iter().collect()
            }
            None => {
                set_all(planned, drift::not_detected());
                Vec::new()
            }
        }
    }

    fn as_planned(planned: &mut Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
        as_planned(planned, plan)
    }

    async fn finish(run: FinishedRun<'_>) -> Result<ApplyResponse, Vec<Diagnostic>> {
        let FinishedRun { operation, planned: mut state, result, .. } = run;
        let [migration] = operation.migrations() else { return Err(result.diagnostics) };
        // A failed update keeps the state of the version before, which is still applied.
        let observation = result.observation.as_ref().filter(|_| !result.is_failed());
        let found = observation
            .and_then(|observed| Some((observed, record_of(observed, &migration.version.0)?)));
        let Some((observation, record)) = found else { return Err(result.diagnostics) };
        set_all(&mut state, shown(record));
        state.set("ledger", operation.location.ledger_name());
        state.set("description", migration.description.as_str());
        set_if_unknown(&mut state, "last_run", run.last_run);
        set_if_unknown(&mut state, "hazards", run.hazards);
        for (name, value) in drift_shown(operation.model.known.watch, observation) {
            set_if_unknown(&mut state, name, value);
        }
        Ok(ApplyResponse {
            new_state: state,
            private: run.private,
            diagnostics: result.diagnostics,
        })
    }
}

#[async_trait]
impl Resource for MigrationResource {
    fn type_name(&self) -> &'static str {
        "dsql_migration"
    }

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::string("path").optional().description(
                "File with the SQL. A relative path starts at the directory in which Terraform \
                 runs. The state keeps the path while the file has the same applied text, so do \
                 not refer to this attribute: repeat its expression. Set exactly one of `path` and \
                 `sql`.",
            ),
            Attribute::string("sql")
                .optional()
                .description("SQL of the migration, instead of a file. Requires `version`."),
            Attribute::string("version").optional().computed().description(
                "Version of the migration in the ledger. Default: the digits at the beginning of \
                 the file name, or, for a repeatable migration, `R__` and the file name. The text \
                 of an applied version must not change, unless the migration is repeatable.",
            ),
            Attribute::bool("repeatable").optional().description(
                "Whether the migration runs again when its text or the values of its variables \
                 change, as for roles, grants, and views. Default: `false`.",
            ),
            Attribute::string("description").optional().computed().description(
                "Description of the migration. Default: the words of the file name. The \
                     ledger keeps the description of the first run.",
            ),
            cluster_attribute(),
            accept_cluster_attribute(),
            wait::attribute(),
            timeouts::attribute(),
            Attribute::string("id").computed().description("Version of the migration."),
            Attribute::list_of("last_run", Type::String).computed().description(
                "Version of the migration if the last apply ran it, and in a plan if the apply \
                 will run it. Otherwise empty. Unknown in a plan if the migration is repeatable \
                 and has variables that are known only at apply.",
            ),
            Attribute::string("ledger").computed().description(
                "Endpoint, port, and schema of the ledger, for example \
                 `localhost:5432/dsql_migrations`.",
            ),
        ];
        attributes.extend(drift::arguments_on_request());
        attributes.extend(drift::computed_on_request());
        attributes.extend(rules::attributes());
        attributes.push(rules::hazards_attribute());
        attributes.extend(computed::attributes());
        Schema::new(attributes).version(SCHEMA_VERSION).description(
            "Applies one forward-only SQL migration to an Aurora DSQL cluster, exactly once. \
             Destroying the resource does not touch the database.",
        )
    }

    fn earlier_schema(&self, version: i64) -> Option<EarlierSchema> {
        upgrade::earlier(&self.schema(), version)
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let mut diagnostics = MigrationModel::decode(&config).err().unwrap_or_default();
        diagnostics.extend(check_cluster(&config).err());
        diagnostics.extend(StatementRules::check(&config));
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
        import::import(&self.0.clusters, SINGLE_MIGRATIONS, id, |location, observation| {
            let record = record_of(observation, id)?;
            let mut state = import::empty(&self.schema());
            set_all(&mut state, shown(record));
            state.set("description", record.description.as_str());
            state.set("ledger", location.ledger_name());
            Some(state)
        })
        .await
    }
}

fn record_of<'a>(observation: &'a Observation, version: &str) -> Option<&'a MigrationRecord> {
    observation.migrations.iter().find(|record| record.version.0 == version)
}

/// The computed attributes as the ledger has them.
fn shown(record: &MigrationRecord) -> Vec<(&'static str, Value)> {
    let version: Value = record.version.0.as_str().into();
    let mut attributes = vec![("id", version.clone()), ("version", version)];
    attributes.extend(computed::recorded(record));
    attributes
}

/// The attributes about drift; null if the resource detects none.
fn drift_shown(watch: Option<&Watch>, observation: &Observation) -> Vec<(&'static str, Value)> {
    watch.map_or_else(drift::not_detected, |watch| watch.find(observation).shown())
}

/// The attributes about drift while the cluster is unknown.
fn drift_after(detects_drift: bool) -> Vec<(&'static str, Value)> {
    if detects_drift { drift::known_after_apply() } else { drift::not_detected() }
}

/// The attributes that name a migration.
fn named(migration: &Migration) -> Vec<(&'static str, Value)> {
    let version: Value = migration.version.0.as_str().into();
    vec![
        ("id", version.clone()),
        ("version", version),
        ("description", migration.description.as_str().into()),
    ]
}

/// The computed attributes while the text or its version is unknown.
fn unknown(config: &Object<'_>) -> Vec<(String, Value)> {
    let or_unknown = |name| match config.value(name) {
        Value::Null => Value::Unknown,
        set => set.clone(),
    };
    let version = or_unknown("version");
    let mut attributes = vec![
        ("id".to_owned(), version.clone()),
        ("version".to_owned(), version),
        ("description".to_owned(), or_unknown("description")),
        ("ledger".to_owned(), Value::Unknown),
        ("last_run".to_owned(), Value::Unknown),
        ("hazards".to_owned(), Value::Unknown),
    ];
    attributes.extend(computed::attributes().into_iter().map(|a| (a.name, Value::Unknown)));
    let drift = drift_after(!config.value("on_drift").is_null());
    attributes.extend(drift.into_iter().map(|(name, value)| (name.to_owned(), value)));
    attributes
}

/// Refuses to run anything but what was planned: a saved plan may be old.
fn as_planned(planned: &Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
    let expected = planned.get("checksum").and_then(|checksum| checksum.string().known());
    for entry in &plan.entries {
        let file = &entry.migration.file;
        if expected.is_some_and(|expected| expected != entry.migration.checksum.0) {
            return Err(diagnostics::out_of_date(&[format!("{file} was changed")]));
        }
    }
    let to_run = planned.get("last_run").map(Value::elements);
    if let Some(Input::Known(to_run)) = to_run
        && planned.get("applied_at").is_some_and(Value::is_unknown)
        && !to_run.is_empty()
        && plan.pending().next().is_none()
    {
        return Err(diagnostics::out_of_date(&["another apply ran it".to_owned()]));
    }
    Ok(())
}
