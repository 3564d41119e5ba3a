//! `dsql_migration_set`: a directory of migrations, kept applied on a cluster.

mod expected;
mod model;
mod shown;

use std::sync::Arc;

use async_trait::async_trait;

use self::expected::{as_planned, nothing_new};
use self::model::{Known, Model, decode_source};
use self::shown::{after, after_a_look, from_files, shown, unknown};
use super::super::clusters::Clusters;
use super::super::contract::{
    ApplyRequest, ApplyResponse, ImportResponse, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse, Resource,
};
use super::super::diagnostics;
use super::super::settings::{LedgerLocation, cluster_attribute};
use super::super::timeouts::{self, Timeouts};
use super::adoption::{self, Adoptable};
use super::basis::{Basis, Process};
use super::drift::{self, Watch};
use super::rules::{self, Rules};
use super::run::{self, Look, Planned, set_all};
use super::{computed, policy, source, verify};
use crate::database::{Observation, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::engine::adoption::{to_adopt, together};
use crate::schema::{Attribute, Nesting, Schema};
use crate::value::{Input, Object, Type, Value};

pub(in super::super) use self::shown::latest;

pub(in super::super) const DEFAULT_NAME: &str = "default";

/// The resource type.
pub(in super::super) struct MigrationSetResource {
    clusters: Arc<Clusters>,
    process: Process,
}

impl MigrationSetResource {
    pub(in super::super) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters, process: Process::new() }
    }

    /// What the plan after a refresh will be made from, as far as the state tells.
    fn basis(
        &self,
        state: &Object<'_>,
        location: &LedgerLocation,
        seen: &Observation,
    ) -> Option<Basis> {
        let Ok(Input::Known(source)) = decode_source(state) else { return None };
        let (migrations, _) = source.read().ok()?;
        Some(Basis::new(&self.process, source.dir(), location, &migrations, &seen.migrations))
    }

    async fn refreshed(&self, request: &ReadRequest) -> Result<run::Refreshed, Diagnostic> {
        let unchanged = || Ok(run::Refreshed::unchanged(request));
        let Some(object) = Object::new(&request.current_state) else { return unchanged() };
        let name = object.string("name").known().unwrap_or(DEFAULT_NAME);
        let limit = Timeouts::decode(&object)?.read;
        let Input::Known(watch) = Watch::decode(&object)? else { return unchanged() };
        let Input::Known(location) = run::locate(&self.clusters, &object)? else {
            return unchanged();
        };

        let watched = Watched::Schemas(watch.schemas.clone());
        let seen = run::look(&self.clusters, &location, name, &watched, limit).await?;
        let rewritten = computed::rewritten(object.value("migrations"), &seen.migrations);
        let basis = self.basis(&object, &location, &seen);
        let mut state = request.current_state.clone();
        set_all(&mut state, shown(&location, &seen));
        set_all(&mut state, watch.find(&seen).shown());
        Ok(run::Refreshed {
            state,
            private: basis.as_ref().map(Basis::encode).unwrap_or_default(),
            warnings: diagnostics::rewritten_ledger(&rewritten).into_iter().collect(),
        })
    }

    async fn planned(
        &self,
        request: &PlanRequest,
        config: &Object<'_>,
    ) -> Result<Planned, Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let mut planned = request.proposed_new_state.clone();
        planned.set("name", Value::from(model.name.clone()));
        planned.set("id", Value::from(model.name.clone()));
        planned.set("verified_endpoints", verify::planned(config, &Value::Null, true));

        let Some(known) = model.known() else {
            set_all(&mut planned, unknown());
            let warning = diagnostics::planned_without(&run::unknown_arguments(config));
            return Ok(Planned::without_a_look(planned, vec![warning]));
        };
        let Known { source, name, rules, watch, policy, .. } = known;
        let (migrations, format) = source.read()?;
        planned.set("detected_format", format.map(|format| format.name().to_owned()));
        let prepared = rules.prepare(migrations);
        let migrations = &prepared.migrations;
        let what = what(name);
        let location = run::locate(&self.clusters, config).map_err(|error| vec![error])?;
        let Input::Known(location) = location else {
            set_all(&mut planned, from_files(migrations, policy));
            let mut diagnostics = vec![diagnostics::planned_from_files()];
            diagnostics.extend(rules.judge_unknown(&prepared, &what, &source.path()));
            return Ok(Planned::without_a_look(planned, diagnostics));
        };

        let limit = model.timeouts.read;
        let watched = Watched::Schemas(watch.schemas.clone());
        let nothing_new = nothing_new(&request.prior_state, config, migrations, policy);
        let look = run::look(&self.clusters, &location, name, &watched, limit).await;
        let seen = match Look::of(look, &request.prior_state, nothing_new)? {
            Look::Seen(seen) => seen,
            Look::Missed(warning) => {
                set_all(&mut planned, after_a_look());
                run::forget_other_ledger(&mut planned, &location);
                return Ok(Planned::without_a_look(planned, vec![warning]));
            }
        };
        let mut diagnostics = Vec::new();
        let adoptable = Adoptable::of(migrations);
        let asked = known.asked(&location, &adoptable, format);
        let run = known.run(asked, migrations, limit);
        let adopted = match asked.look(&self.clusters, &seen, limit).await {
            Ok(found) => found,
            Err(errors) => return Err(diagnostics.into_iter().chain(errors).collect()),
        };
        diagnostics.extend(adopted.warnings);
        let records = together(&run.records(&seen), &adopted.records);
        let basis = Basis::new(&self.process, source.dir(), &location, migrations, &records);
        let as_refreshed = |_: &Basis| {
            let prior = run::prior_at(&self.clusters, request, &location)?;
            let is_same_set = prior.string("name").or(DEFAULT_NAME) == Input::Known(name);
            is_same_set.then(|| self.basis(&prior, &location, &seen)).flatten()
        };
        let changed = basis.changed_since(request, as_refreshed).map_err(|error| vec![error])?;
        diagnostics.extend(changed);
        // A file that was edited meanwhile may also be an applied one.
        let plan = match run.plan(&records) {
            Ok(plan) => plan,
            Err(errors) => return Err(diagnostics.into_iter().chain(errors).collect()),
        };
        diagnostics.extend(diagnostics::taken_over(&plan));
        diagnostics.extend(rules.judge(&prepared, &plan, &what, &source.path()));
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(diagnostics);
        }

        let found = watch.find(&seen);
        set_all(&mut planned, shown(&location, &seen));
        set_all(&mut planned, found.shown());
        let changes = plan.pending().next().is_some() || to_adopt(&plan).next().is_some();
        if changes {
            set_all(&mut planned, after(&plan, &records));
        }
        planned.set("verified_endpoints", verify::planned(config, &request.prior_state, changes));
        diagnostics.extend(policy::say(&plan, policy));
        // Known, so that a saved plan cannot run another list than it showed: Terraform refuses a
        // repeated plan that says otherwise.
        if plan.pending().next().is_some() || request.prior_state.is_null() {
            planned.set("last_run", run::versions_to_run(&plan));
        }
        // Drift stays visible until it is gone: an apply looks again, it does not accept by itself.
        if planned != request.prior_state || watch.plans(&found) {
            set_all(&mut planned, after_a_look());
            planned.set("verified_endpoints", verify::planned(config, &request.prior_state, true));
        }
        diagnostics.extend(watch.say(&found));
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(diagnostics);
        }
        Ok(Planned { state: planned, private: basis.encode(), diagnostics })
    }

    async fn applied(
        &self,
        prior: &Value,
        mut planned: Value,
        config: &Object<'_>,
    ) -> Result<ApplyResponse, Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let Some(known) = model.known() else {
            return Err(vec![diagnostics::still_unknown()]);
        };
        let Known { source, name, rules, watch, .. } = known;
        let (migrations, format) = source.read()?;
        let prepared = rules.prepare(migrations);
        let location = run::locate_known(&self.clusters, config)?;
        let adoptable = Adoptable::of(&prepared.migrations);
        let asked = known.asked(&location, &adoptable, format);
        let run = known.run(asked, &prepared.migrations, model.timeouts.write(prior));
        let expected = planned.set("migrations", Value::Unknown).unwrap_or(Value::Unknown);
        let mut pending = Value::List(Vec::new());
        let still_as_planned = |plan: &Plan<'_>| {
            pending = run::versions_to_run(plan);
            as_planned(&expected, plan).map_err(|changed| vec![changed])?;
            // It would be the largest part of what the run holds.
            drop(expected);
            rules.still_right(&prepared, plan, &source.path())
        };
        let mut ended = run.carry_out(&self.clusters, rules.hider(), still_as_planned).await;
        ended.diagnostics = rules.hide_all(ended.diagnostics);

        let mut verified = Value::List(Vec::new());
        if let Some(seen) = ended.observation.as_ref().filter(|_| ended.diagnostics.is_empty()) {
            let schemas = &watch.schemas;
            let limit = model.timeouts.read;
            let applied = verify::Applied { location: &location, set: name, schemas, seen, limit };
            let (right, wrong) = applied.verify(&self.clusters, config).await;
            verified = right;
            ended.diagnostics.extend(wrong);
        }

        // A failed create stores nothing: a stored object would be tainted and replaced.
        let failed_create = prior.is_null() && !ended.diagnostics.is_empty();
        let Some(seen) = ended.observation.filter(|_| !failed_create) else {
            return Err(ended.diagnostics);
        };
        let mut state = planned;
        set_all(&mut state, shown(&location, &seen));
        set_all(&mut state, watch.find(&seen).shown());
        if state.get("last_run").is_some_and(Value::is_unknown) {
            state.set("last_run", pending);
        }
        if state.get("verified_endpoints").is_some_and(Value::is_unknown) {
            state.set("verified_endpoints", verified);
        }
        // What the plan was made from is of no use to the next one.
        Ok(ApplyResponse { new_state: state, private: Vec::new(), diagnostics: ended.diagnostics })
    }
}

#[async_trait]
impl Resource for MigrationSetResource {
    fn type_name(&self) -> &'static str {
        "dsql_migration_set"
    }

    fn schema(&self) -> Schema {
        let mut migration = vec![
            Attribute::string("description").computed().description("Words from the file name."),
            Attribute::string("adopted_from").computed().description(
                "What says that it was applied before the provider came: the ledger of another \
                 tool, or `baseline_version`.",
            ),
        ];
        migration.extend(computed::attributes());
        let mut attributes = vec![
            Attribute::string("dir").optional().description(
                "Directory with the migrations. The path is kept as written; a relative one begins \
                 where Terraform runs, so write `${path.module}/…` in a module. Exactly one of \
                 `dir` and `files` must be set.",
            ),
            Attribute::map_of("files", Type::String).optional().description(
                "Migrations as a map from name (`0001_create_users.sql`) to SQL, in the order of \
                 their numbers.",
            ),
            Attribute::set_of("repeatable", Type::String)
                .optional()
                .description(policy::REPEATABLE),
            Attribute::string("format").optional().description(source::format_description()),
            Attribute::string("detected_format").computed().description(
                "The format in which `dir` was read; what `auto` has chosen. Null with `files`.",
            ),
            Attribute::string("name").optional().computed().description(
                "Name of the set in the ledger, so that several sets can share a cluster. \
                 Default: `default`. Another name is another set: it replaces the resource.",
            ),
            cluster_attribute(),
            timeouts::attribute(),
            Attribute::string("id").computed().description("The name of the set."),
            Attribute::list_of("last_run", Type::String).computed().description(
                "Versions that the last apply set out to run, and in a plan those that the apply \
                 will run; in a plan unknown if a repeatable migration has variables that are \
                 known only at apply.",
            ),
            Attribute::string("ledger")
                .computed()
                .description("Where the set is recorded: `<endpoint>:<port>/<ledger_schema>`."),
            Attribute::nested("migrations", Nesting::Map, migration).computed().description(
                "All migrations of the set by version: those in the ledger, and in a plan those \
                 that the apply will run.",
            ),
            Attribute::string("latest_version").computed().description(
                "Version of the migration that was begun last, of those that are applied and not \
                 repeatable.",
            ),
        ];
        attributes.extend(policy::arguments());
        attributes.extend(drift::arguments());
        attributes.extend(drift::computed());
        attributes.extend(verify::attributes());
        attributes.extend(rules::attributes());
        attributes.extend(adoption::attributes());
        Schema::new(attributes).description(
            "Applies the forward SQL migrations of a directory to an Aurora DSQL cluster, each \
             exactly once and in order, and shows pending migrations and drift in the plan. \
             Destroying it does not touch the database.",
        )
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let mut diagnostics = Model::decode(&config).err().unwrap_or_default();
        diagnostics.extend(run::check_cluster(&config).err());
        diagnostics.extend(Rules::check(&config));
        diagnostics.extend(verify::check(&config));
        diagnostics
    }

    async fn read(&self, request: ReadRequest) -> ReadResponse {
        let refreshed = self.refreshed(&request).await;
        run::read_response(request, refreshed)
    }

    async fn plan(&self, request: PlanRequest) -> PlanResponse {
        let planned = match Object::new(&request.config) {
            None => Planned::to_forget("which migrations are applied"),
            Some(config) => self.planned(&request, &config).await.unwrap_or_else(|diagnostics| {
                Planned::without_a_look(request.proposed_new_state.clone(), diagnostics)
            }),
        };
        planned.response(vec!["name".into()])
    }

    async fn apply(&self, mut request: ApplyRequest) -> ApplyResponse {
        let planned = std::mem::replace(&mut request.planned_state, Value::Null);
        match Object::new(&request.config).filter(|_| !planned.is_null()) {
            Some(config) => Box::pin(self.applied(&request.prior_state, planned, &config))
                .await
                .unwrap_or_else(|diagnostics| run::refused(&request, diagnostics)),
            None => run::forgotten(request),
        }
    }

    async fn import(&self, id: &str) -> ImportResponse {
        run::import(&self.clusters, id, |location, seen| {
            if seen.migrations.is_empty() {
                return None;
            }
            let mut state = run::empty(&self.schema());
            set_all(&mut state, vec![("id", id.into()), ("name", id.into())]);
            set_all(&mut state, shown(location, seen));
            Some(state)
        })
        .await
    }
}

/// The migrations of a set, as messages call them.
fn what(set: &str) -> String {
    format!("set {set}")
}
