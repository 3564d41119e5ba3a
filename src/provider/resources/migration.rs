//! `dsql_migration`: one migration from one file or text.

mod model;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::model::{Model, decode_source};
use super::super::clusters::Clusters;
use super::super::contract::{
    ApplyRequest, ApplyResponse, ImportResponse, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse, Resource,
};
use super::super::diagnostics;
use super::super::settings::{LedgerLocation, cluster_attribute};
use super::super::timeouts::{self, Timeouts};
use super::basis::{Basis, Process};
use super::rules::{self, Rules};
use super::run::{self, Look, Planned, Run, set_all};
use super::{SINGLE_MIGRATIONS, computed};
use crate::database::{MigrationRecord, Observation, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::{Plan, Policy};
use crate::migration::Migration;
use crate::schema::{Attribute, Schema};
use crate::value::{AttributePath, Input, Object, Type, Value};

/// The resource type.
pub(in super::super) struct MigrationResource {
    clusters: Arc<Clusters>,
    process: Process,
}

impl MigrationResource {
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
        let migration = source.read().ok()?;
        let record = record_of(seen, &migration.version.0);
        Some(Basis::new(&self.process, source.file(), location, &[migration], record))
    }

    async fn refreshed(&self, request: &ReadRequest) -> Result<run::Refreshed, Diagnostic> {
        let unchanged = || Ok(run::Refreshed::unchanged(request));
        let Some(object) = Object::new(&request.current_state) else { return unchanged() };
        let Input::Known(version) = object.string("version") else { return unchanged() };
        let limit = Timeouts::decode(&object)?.read;
        let Input::Known(location) = run::locate(&self.clusters, &object)? else {
            return unchanged();
        };

        let seen =
            run::look(&self.clusters, &location, SINGLE_MIGRATIONS, &nothing(), limit).await?;
        let before = Value::map([(version, request.current_state.clone())]);
        let warnings = computed::rewritten(&before, &seen.migrations);
        let warnings = diagnostics::rewritten_ledger(&warnings).into_iter().collect();
        let basis = self.basis(&object, &location, &seen);
        let state = record_of(&seen, version).map_or(Value::Null, |record| {
            let mut state = request.current_state.clone();
            set_all(&mut state, shown(record));
            state.set("ledger", location.ledger_name());
            state
        });
        let private = basis.as_ref().map(Basis::encode).unwrap_or_default();
        Ok(run::Refreshed { state, private, warnings })
    }

    async fn planned(
        &self,
        request: &PlanRequest,
        config: &Object<'_>,
    ) -> Result<Planned, Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let mut planned = request.proposed_new_state.clone();
        let (Input::Known(source), Input::Known(rules)) = (&model.source, &model.rules) else {
            set_all(&mut planned, unknown(config));
            let warning = diagnostics::planned_without(&run::unknown_arguments(config));
            return Ok(Planned::without_a_look(planned, vec![warning]));
        };
        let prepared = rules.prepare(vec![source.read()?]);
        let [migration] = prepared.migrations.as_slice() else {
            return Err(vec![diagnostics::still_unknown()]);
        };
        let what = format!("pending migration {}", migration.version);
        let location = run::locate(&self.clusters, config).map_err(|error| vec![error])?;
        let Input::Known(location) = location else {
            set_all(&mut planned, named(migration));
            set_all(&mut planned, computed::pending(migration, None));
            set_all(&mut planned, vec![("ledger", Value::Unknown), ("last_run", Value::Unknown)]);
            let mut diagnostics = vec![diagnostics::planned_from_files()];
            diagnostics.extend(rules.judge_unknown(&prepared, &what, &source.path()));
            return Ok(Planned::without_a_look(planned, diagnostics));
        };

        let limit = model.timeouts.read;
        let nothing_new = nothing_new(&request.prior_state, config, migration);
        let look = run::look(&self.clusters, &location, SINGLE_MIGRATIONS, &nothing(), limit).await;
        let seen = match Look::of(look, &request.prior_state, nothing_new)? {
            Look::Seen(seen) => seen,
            Look::Missed(warning) => {
                planned.set("status", Value::Unknown);
                run::forget_other_ledger(&mut planned, &location);
                return Ok(Planned::without_a_look(planned, vec![warning]));
            }
        };
        let policy = Policy::default();
        let run = run_of(&location, &prepared.migrations, &policy, limit, source.path());
        let records = run.records(&seen);
        let basis = Basis::new(&self.process, source.file(), &location, run.migrations, &records);
        let as_refreshed = |before: &Basis| {
            let prior = run::prior_at(&self.clusters, request, &location)?;
            if prior.string("version") == Input::Known(migration.version.0.as_str()) {
                self.basis(&prior, &location, &seen)
            } else {
                // The refresh saw another migration: only the place can be compared.
                Some(before.at(&location))
            }
        };
        let changed = basis.changed_since(request, as_refreshed).map_err(|error| vec![error])?;
        let mut diagnostics: Vec<Diagnostic> = changed.into_iter().collect();
        // A file that was edited meanwhile may also be an applied one.
        let plan = match run.plan(&records) {
            Ok(plan) => plan,
            Err(errors) => return Err(diagnostics.into_iter().chain(errors).collect()),
        };
        diagnostics.extend(rules.judge(&prepared, &plan, &what, &source.path()));
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(diagnostics);
        }
        for entry in &plan.entries {
            set_all(&mut planned, named(migration));
            set_all(&mut planned, computed::planned(entry).unwrap_or_default());
        }
        planned.set("ledger", location.ledger_name());
        // The description is only words: the configuration's wins over the ledger's.
        planned.set("description", migration.description.as_str());
        // Known, so that a saved plan cannot do something else than it showed.
        if plan.pending().next().is_some() || request.prior_state.is_null() {
            planned.set("last_run", run::versions_to_run(&plan));
        }
        Ok(Planned { state: planned, private: basis.encode(), diagnostics })
    }

    async fn applied(
        &self,
        request: &ApplyRequest,
        config: &Object<'_>,
    ) -> Result<ApplyResponse, Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let (Input::Known(source), Input::Known(rules)) = (&model.source, &model.rules) else {
            return Err(vec![diagnostics::still_unknown()]);
        };
        let prepared = rules.prepare(vec![source.read()?]);
        let [migration] = prepared.migrations.as_slice() else {
            return Err(vec![diagnostics::still_unknown()]);
        };
        let location = run::locate_known(&self.clusters, config)?;
        let limit = model.timeouts.write(&request.prior_state);
        let policy = Policy::default();
        let run = run_of(&location, &prepared.migrations, &policy, limit, source.path());
        let mut last_run = Value::Null;
        let mut ended = run
            .carry_out(&self.clusters, rules.hider(), |plan| {
                last_run = run::versions_to_run(plan);
                as_planned(&request.planned_state, plan).map_err(|changed| vec![changed])?;
                rules.still_right(&prepared, plan, &source.path())
            })
            .await;
        ended.diagnostics = rules.hide_all(ended.diagnostics);

        // A failed update keeps the state of the version before, which is still applied.
        let record =
            ended.observation.as_ref().and_then(|seen| record_of(seen, &migration.version.0));
        match record {
            Some(record) if ended.diagnostics.is_empty() => {
                let mut state = request.planned_state.clone();
                set_all(&mut state, shown(record));
                state.set("ledger", location.ledger_name());
                state.set("description", migration.description.as_str());
                if state.get("last_run").is_some_and(Value::is_unknown) {
                    state.set("last_run", last_run);
                }
                // What the plan was made from is of no use to the next one.
                Ok(ApplyResponse { new_state: state, private: Vec::new(), diagnostics: Vec::new() })
            }
            _ => Err(ended.diagnostics),
        }
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
                "File with the SQL. The path is kept as written; a relative one begins where \
                 Terraform runs. Exactly one of `path` and `sql` must be set.",
            ),
            Attribute::string("sql").optional().description("The SQL itself."),
            Attribute::string("version").optional().computed().description(
                "What names the migration in the ledger. Default: the digits that the file's name \
                 begins with; of a repeatable one `R__` and the name of the file. A new version \
                 with a new text moves forward; the text of an applied version must not change \
                 unless it is repeatable.",
            ),
            Attribute::bool("repeatable").optional().description(
                "Whether it runs again when its text or the values of its variables have changed: \
                 roles, grants, views. Default: false.",
            ),
            Attribute::string("description")
                .optional()
                .computed()
                .description("Words for the ledger. Default: from the file's name."),
            cluster_attribute(),
            timeouts::attribute(),
            Attribute::string("id").computed().description("The version."),
            Attribute::list_of("last_run", Type::String).computed().description(
                "The version, if the last apply set out to run it, and in a plan if the apply will; \
                 empty if it was applied already. In a plan unknown if it is repeatable and has \
                 variables that are known only at apply.",
            ),
            Attribute::string("ledger").computed().description(
                "Where the migration is recorded: `<endpoint>:<port>/<ledger_schema>`.",
            ),
        ];
        attributes.extend(rules::attributes());
        attributes.extend(computed::attributes());
        Schema::new(attributes).description(
            "Applies one forward SQL migration to an Aurora DSQL cluster, exactly once. \
             Destroying it does not touch the database.",
        )
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let mut diagnostics = Model::decode(&config).err().unwrap_or_default();
        diagnostics.extend(run::check_cluster(&config).err());
        diagnostics.extend(Rules::check(&config));
        diagnostics
    }

    async fn read(&self, request: ReadRequest) -> ReadResponse {
        let refreshed = self.refreshed(&request).await;
        run::read_response(request, refreshed)
    }

    async fn plan(&self, request: PlanRequest) -> PlanResponse {
        let planned = match Object::new(&request.config) {
            None => Planned::to_forget("that the migration is applied"),
            Some(config) => self.planned(&request, &config).await.unwrap_or_else(|diagnostics| {
                Planned::without_a_look(request.proposed_new_state.clone(), diagnostics)
            }),
        };
        planned.response(Vec::new())
    }

    async fn apply(&self, request: ApplyRequest) -> ApplyResponse {
        match Object::new(&request.config).filter(|_| !request.planned_state.is_null()) {
            Some(config) => Box::pin(self.applied(&request, &config))
                .await
                .unwrap_or_else(|diagnostics| run::refused(&request, diagnostics)),
            None => run::forgotten(request),
        }
    }

    async fn import(&self, id: &str) -> ImportResponse {
        run::import(&self.clusters, SINGLE_MIGRATIONS, |location, seen| {
            let record = record_of(seen, id)?;
            let mut state = run::empty(&self.schema());
            set_all(&mut state, shown(record));
            state.set("ledger", location.ledger_name());
            Some(state)
        })
        .await
    }
}

/// One migration shows no drift; the sets do.
fn nothing() -> Watched {
    Watched::Schemas(Vec::new())
}

fn run_of<'a>(
    location: &'a LedgerLocation,
    migrations: &'a [Migration],
    policy: &'a Policy,
    limit: Duration,
    source: AttributePath,
) -> Run<'a> {
    Run {
        location,
        set: SINGLE_MIGRATIONS,
        migrations,
        among_others: true,
        policy,
        adoption: None,
        watch: None,
        limit,
        source,
    }
}

/// Whether the state says that exactly this migration is applied.
fn nothing_new(state: &Value, config: &Object<'_>, migration: &Migration) -> bool {
    let same_values = state.get("variables") == Some(config.value("variables"));
    state.get("version") == Some(&migration.version.0.as_str().into())
        && computed::says_applied(state, migration, same_values, None)
}

fn record_of<'a>(seen: &'a Observation, version: &str) -> Option<&'a MigrationRecord> {
    seen.migrations.iter().find(|record| record.version.0 == version)
}

/// The computed attributes as the ledger has them.
fn shown(record: &MigrationRecord) -> Vec<(&'static str, Value)> {
    let version: Value = record.version.0.as_str().into();
    let mut attributes = vec![
        ("id", version.clone()),
        ("version", version),
        ("description", record.description.as_str().into()),
    ];
    attributes.extend(computed::recorded(record));
    attributes
}

/// What the migration is called.
fn named(migration: &Migration) -> Vec<(&'static str, Value)> {
    let version: Value = migration.version.0.as_str().into();
    vec![
        ("id", version.clone()),
        ("version", version),
        ("description", migration.description.as_str().into()),
    ]
}

/// The computed attributes while the text or its name is not known.
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
    ];
    attributes.extend(computed::attributes().into_iter().map(|a| (a.name, Value::Unknown)));
    attributes
}

/// Refuses to run anything else than what was planned: a saved plan may be old.
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
        return Err(diagnostics::out_of_date(&["it was applied by another run".to_owned()]));
    }
    Ok(())
}
