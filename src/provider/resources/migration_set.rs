//! `dsql_migration_set`: a directory of migrations, kept applied on a cluster.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::super::clusters::Clusters;
use super::super::contract::{
    ApplyRequest, ApplyResponse, ImportResponse, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse, Resource,
};
use super::super::diagnostics;
use super::super::settings::{Place, cluster_attribute};
use super::super::timeouts::{self, Timeouts};
use super::adoption::{self, Adoptable, Asked, TakeOver};
use super::basis::Basis;
use super::drift::{self, Watch};
use super::policy;
use super::rules::{self, Rules};
use super::run::{self, Run, set_all};
use super::{SINGLE_MIGRATIONS, computed, verify};
use crate::database::{MigrationRecord, MigrationState, Observation, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::adoption::{to_adopt, together};
use crate::engine::{Entry, ExecOrder, Plan, Policy, Standing};
use crate::formats::{self, Format, Patterns, Placeholders};
use crate::migration::{Migration, MigrationKind, Version};
use crate::schema::{Attribute, Nesting, Schema};
use crate::value::{AttributePath, Input, Object, Type, Value};

pub(in super::super) const DEFAULT_NAME: &str = "default";

/// The resource type.
pub(in super::super) struct MigrationSetResource {
    clusters: Arc<Clusters>,
    /// Tells this process from others: a plan in another process than its refresh is a repeated one.
    process: String,
}

/// What a configuration says, as far as it is known.
struct Model {
    source: Input<Source>,
    name: Input<String>,
    rules: Input<Rules>,
    watch: Input<Watch>,
    policy: Input<Policy>,
    take_over: Input<TakeOver>,
    timeouts: Timeouts,
}

/// A model of which everything is known.
#[derive(Clone, Copy)]
struct Known<'a> {
    source: &'a Source,
    name: &'a str,
    rules: &'a Rules,
    watch: &'a Watch,
    policy: &'a Policy,
    take_over: &'a TakeOver,
}

impl<'a> Known<'a> {
    /// What a plan and its apply ask about migrations from before the provider.
    fn asked(&self, place: &'a Place, of: &'a Adoptable<'a>, format: Option<Format>) -> Asked<'a> {
        let Self { source, name, policy, take_over, .. } = *self;
        Asked { wish: take_over, place, set: name, dir: source.place(), format, of, policy }
    }

    /// What a plan compares and its apply carries out.
    fn run(&self, asked: Asked<'a>, migrations: &'a [Migration], limit: Duration) -> Run<'a> {
        Run {
            place: asked.place,
            set: self.name,
            migrations,
            among_others: false,
            policy: self.policy,
            adoption: Some(asked),
            watch: Some(self.watch),
            limit,
            source: self.source.path(),
        }
    }
}

/// Where the SQL is.
pub(in super::super) struct Source {
    text: Text,
    options: formats::Options,
}

enum Text {
    Dir { path: String, format: Option<Format> },
    Files(BTreeMap<String, String>),
}

impl Source {
    fn path(&self) -> AttributePath {
        match &self.text {
            Text::Dir { .. } => "dir".into(),
            Text::Files(_) => "files".into(),
        }
    }

    /// What tells where the files are. The texts of `files` are part of the configuration, which
    /// Terraform compares itself.
    fn place(&self) -> Option<&str> {
        match &self.text {
            Text::Dir { path, .. } => Some(path),
            Text::Files(_) => None,
        }
    }

    /// Reads and checks every file; a directory also tells its format.
    pub(in super::super) fn read(
        &self,
    ) -> Result<(Vec<Migration>, Option<Format>), Vec<Diagnostic>> {
        let read = match &self.text {
            Text::Dir { path, format } => formats::read_dir_with(path, *format, &self.options)
                .map(|directory| (directory.migrations, Some(directory.format))),
            Text::Files(files) => {
                let files = files.iter().map(|(name, sql)| (name.as_str(), sql.as_str()));
                formats::read_files_with(files, &self.options).map(|migrations| (migrations, None))
            }
        };
        read.map_err(|errors| {
            errors.iter().map(|e| diagnostics::format_error(e, self.path())).collect()
        })
    }
}

/// What a plan answers.
struct Planned {
    state: Value,
    /// The [`Basis`] of the plan; empty if nothing was asked.
    private: Vec<u8>,
    diagnostics: Vec<Diagnostic>,
}

impl Planned {
    fn without_a_look(state: Value, diagnostics: Vec<Diagnostic>) -> Self {
        Self { state, private: Vec::new(), diagnostics }
    }
}

/// What a repeated plan says if its files or its ledger are not those of the first one. Only
/// Terraform 1.16 and later tells for certain that a plan is repeated; see ADR 0009.
///
/// A refresh knows the provider's own ledger, a plan also what is to be adopted.
fn changed_since(
    request: &PlanRequest,
    now: &Basis,
    with_adopted: &Basis,
) -> Result<Option<Diagnostic>, Diagnostic> {
    if let Some(first) = Basis::decode(&request.first_plan) {
        let differences = first.differences(with_adopted);
        return if differences.is_empty() { Ok(None) } else { Err(run::out_of_date(&differences)) };
    }
    let refreshed = Basis::decode(&request.private).filter(|before| before.is_anothers(now));
    let differences = refreshed.map(|before| before.differences(now)).unwrap_or_default();
    Ok((!differences.is_empty()).then(|| run::changed_since_refresh(&differences)))
}

impl Model {
    fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let source = or_unknown(decode_source(config), &mut diagnostics);
        let name = or_unknown(decode_name(config), &mut diagnostics);
        let rules = Rules::decode(config).unwrap_or_else(|wrong| {
            diagnostics.extend(wrong);
            Input::Unknown
        });
        let watch = or_unknown(Watch::decode(config), &mut diagnostics);
        let policy = policy::decode(config).unwrap_or_else(|wrong| {
            diagnostics.extend(wrong);
            Input::Unknown
        });
        let take_over = or_unknown(TakeOver::decode(config), &mut diagnostics);
        match Timeouts::decode(config) {
            Ok(timeouts) if diagnostics.is_empty() => {
                Ok(Self { source, name, rules, watch, policy, take_over, timeouts })
            }
            Ok(_) => Err(diagnostics),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                Err(diagnostics)
            }
        }
    }

    /// `None` while something is unknown.
    fn known(&self) -> Option<Known<'_>> {
        let Input::Known(take_over) = &self.take_over else { return None };
        match (&self.source, &self.name, &self.rules, &self.watch, &self.policy) {
            (
                Input::Known(source),
                Input::Known(name),
                Input::Known(rules),
                Input::Known(watch),
                Input::Known(policy),
            ) => Some(Known { source, name, rules, watch, policy, take_over }),
            _ => None,
        }
    }
}

/// Collects what is wrong, so that all of it is said at once.
fn or_unknown<T>(
    decoded: Result<Input<T>, Diagnostic>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Input<T> {
    decoded.unwrap_or_else(|diagnostic| {
        diagnostics.push(diagnostic);
        Input::Unknown
    })
}

fn decode_source(config: &Object<'_>) -> Result<Input<Source>, Diagnostic> {
    // Without this argument nothing would replace what another tool replaces.
    let placeholders = match config.value("variables") {
        Value::Null => Placeholders::Refused,
        _ => Placeholders::Variables,
    };
    decode_source_with(config, placeholders)
}

/// Reads `dir`, `files`, `format` and `repeatable`.
pub(in super::super) fn decode_source_with(
    config: &Object<'_>,
    placeholders: Placeholders,
) -> Result<Input<Source>, Diagnostic> {
    let format = match config.string("format") {
        Input::Null => Input::Known(None),
        Input::Unknown => Input::Unknown,
        Input::Known(name) => Input::Known(Format::parse(name).map_err(|error| {
            Diagnostic::error("Unknown format").detail(format!("{error}.")).at("format")
        })?),
    };
    let text = match (config.string("dir"), config.map("files")) {
        (Input::Null, Input::Null) => {
            return Err(Diagnostic::error("No source of migrations").detail(
                "Set dir to a directory with migrations, or files to a map from name to SQL.",
            ));
        }
        (dir, Input::Null) => {
            dir.and_then(|dir| format.map(|format| Text::Dir { path: dir.to_owned(), format }))
        }
        (Input::Null, files) => files.and_then(|files| {
            let files = files.iter().map(|(name, sql)| Some((name.clone(), known(sql)?)));
            // One unknown text makes the whole set unknown: its statements cannot be planned.
            files
                .collect::<Option<_>>()
                .map_or(Input::Unknown, |files| Input::Known(Text::Files(files)))
        }),
        (_, _) => {
            return Err(Diagnostic::error("Two sources of migrations")
                .detail("Set either dir or files, not both.")
                .at("files"));
        }
    };
    let repeatable = policy::texts(config, "repeatable").map(Patterns);
    Ok(text.and_then(|text| {
        repeatable.map(|repeatable| {
            let options = formats::Options { repeatable, placeholders };
            Source { text, options }
        })
    }))
}

/// The formats with their words, from the table that also decides what is accepted.
fn format_description() -> String {
    let lines = formats::FORMATS.iter().map(|info| format!("`{}` ({})", info.name, info.summary));
    format!("Format of `dir`. Default: `auto`. One of {}.", lines.collect::<Vec<_>>().join("; "))
}

fn known(text: &Value) -> Option<String> {
    match text.string() {
        Input::Known(text) => Some(text.to_owned()),
        // A null text is an empty one; the reader refuses it by its name.
        Input::Null => Some(String::new()),
        Input::Unknown => None,
    }
}

fn decode_name(config: &Object<'_>) -> Result<Input<String>, Diagnostic> {
    let name = config.string("name").or(DEFAULT_NAME);
    let problem = match name {
        Input::Known("") => "It must not be empty.",
        Input::Known(SINGLE_MIGRATIONS) => "The ledger uses this name for dsql_migration.",
        Input::Known(name) if name.len() > 200 => "It must not be longer than 200 bytes.",
        _ => return Ok(name.map(str::to_owned)),
    };
    Err(Diagnostic::error("Invalid name").detail(problem).at("name"))
}

impl MigrationSetResource {
    pub(in super::super) fn new(clusters: Arc<Clusters>) -> Self {
        // The standard library's only source of randomness.
        let process = format!("{:016x}", RandomState::new().hash_one(0));
        Self { clusters, process }
    }

    /// What the plan after this refresh will be made from, as far as the state tells.
    fn basis(&self, state: &Object<'_>, place: &Place, seen: &Observation) -> Option<Basis> {
        let Ok(Input::Known(source)) = decode_source(state) else { return None };
        let (migrations, _) = source.read().ok()?;
        Some(Basis::new(&self.process, source.place()?, place, &migrations, &seen.migrations))
    }

    async fn refreshed(&self, request: &ReadRequest) -> Result<run::Refreshed, Diagnostic> {
        let unchanged = || Ok(run::Refreshed::unchanged(request));
        let Some(object) = Object::new(&request.state) else { return unchanged() };
        let name = object.string("name").known().unwrap_or(DEFAULT_NAME);
        let limit = Timeouts::decode(&object)?.read;
        let Input::Known(watch) = Watch::decode(&object)? else { return unchanged() };
        let Input::Known(place) = run::place(&self.clusters, &object)? else { return unchanged() };

        let watched = Watched::Schemas(watch.schemas.clone());
        let seen = run::look(&self.clusters, &place, name, &watched, limit).await?;
        let rewritten = computed::rewritten(object.value("migrations"), &seen.migrations);
        let basis = self.basis(&object, &place, &seen);
        let mut state = request.state.clone();
        set_all(&mut state, shown(&place, &seen));
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
        let mut planned = request.proposed.clone();
        planned.set("name", Value::from(model.name.clone()));
        planned.set("id", Value::from(model.name.clone()));
        planned.set("verified_endpoints", verify::planned(config, &Value::Null, true));

        let Some(known) = model.known() else {
            set_all(&mut planned, unknown());
            return Ok(Planned::without_a_look(planned, Vec::new()));
        };
        let Known { source, name, rules, watch, policy, .. } = known;
        let (migrations, format) = source.read()?;
        planned.set("detected_format", format.map(|format| format.name().to_owned()));
        let prepared = rules.prepare(migrations);
        let migrations = &prepared.migrations;
        let what = what(name);
        let place = run::place(&self.clusters, config).map_err(|error| vec![error])?;
        let Input::Known(place) = place else {
            set_all(&mut planned, from_files(migrations, policy));
            let mut diagnostics = vec![run::planned_from_files()];
            diagnostics.extend(rules.judge_unknown(&prepared, &what, &source.path()));
            return Ok(Planned::without_a_look(planned, diagnostics));
        };

        let limit = model.timeouts.read;
        let watched = Watched::Schemas(watch.schemas.clone());
        let seen = match run::look(&self.clusters, &place, name, &watched, limit).await {
            Ok(seen) => seen,
            // Terraform makes an ordinary plan before it plans a destroy, and does not say so: as
            // long as nothing is to be run, a cluster that is gone must not stop it. See ADR 0007.
            Err(error) if nothing_new(&request.prior, config, migrations, policy) => {
                set_all(&mut planned, after_a_look());
                run::forget_other_ledger(&mut planned, &place);
                return Ok(Planned::without_a_look(planned, vec![run::not_looked(&error)]));
            }
            Err(error) if request.prior.is_null() => return Err(vec![error]),
            Err(error) => return Err(vec![run::needs_the_cluster(error)]),
        };
        let mut diagnostics = Vec::new();
        let adoptable = Adoptable::of(migrations);
        let asked = known.asked(&place, &adoptable, format);
        let run = known.run(asked, migrations, limit);
        let adopted = match asked.look(&self.clusters, &seen, limit).await {
            Ok(found) => found,
            Err(errors) => return Err(diagnostics.into_iter().chain(errors).collect()),
        };
        diagnostics.extend(adopted.warnings);
        let records = together(&run.records(&seen), &adopted.records);
        let basis = |records: &[MigrationRecord]| {
            let basis = |at| Basis::new(&self.process, at, &place, migrations, records);
            source.place().map(basis)
        };
        let (now, basis) = (basis(&seen.migrations), basis(&records));
        if let (Some(now), Some(basis)) = (&now, &basis) {
            diagnostics.extend(changed_since(request, now, basis).map_err(|error| vec![error])?);
        }
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
        set_all(&mut planned, shown(&place, &seen));
        set_all(&mut planned, found.shown());
        let changes = plan.pending().next().is_some() || to_adopt(&plan).next().is_some();
        if changes {
            set_all(&mut planned, after(&plan, &records));
        }
        planned.set("verified_endpoints", verify::planned(config, &request.prior, changes));
        diagnostics.extend(policy::say(&plan, policy));
        // Known, so that a saved plan cannot run another list than it showed: Terraform refuses a
        // repeated plan that says otherwise.
        if plan.pending().next().is_some() || request.prior.is_null() {
            let is_known = plan.pending().all(|entry| entry.migration.values.are_known());
            let versions = if is_known { pending_versions(&plan) } else { Value::Unknown };
            planned.set("last_run", versions);
        }
        // Drift stays visible until it is gone: an apply looks again, it does not accept by itself.
        if planned != request.prior || watch.plans(&found) {
            set_all(&mut planned, after_a_look());
            planned.set("verified_endpoints", verify::planned(config, &request.prior, true));
        }
        diagnostics.extend(watch.say(&found));
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(diagnostics);
        }
        let private = basis.as_ref().map(Basis::encode).unwrap_or_default();
        Ok(Planned { state: planned, private, diagnostics })
    }

    async fn applied(
        &self,
        request: &ApplyRequest,
        config: &Object<'_>,
    ) -> Result<ApplyResponse, Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let Some(known) = model.known() else {
            return Err(vec![run::still_unknown()]);
        };
        let Known { source, name, rules, watch, .. } = known;
        let (migrations, format) = source.read()?;
        let prepared = rules.prepare(migrations);
        let place = run::known_place(&self.clusters, config)?;
        let adoptable = Adoptable::of(&prepared.migrations);
        let asked = known.asked(&place, &adoptable, format);
        let run = known.run(asked, &prepared.migrations, model.timeouts.write(&request.prior));
        let expected = request.planned.get("migrations").unwrap_or(&Value::Unknown);
        let mut pending = Value::List(Vec::new());
        let still_as_planned = |plan: &Plan<'_>| {
            pending = pending_versions(plan);
            as_planned(expected, plan).map_err(|changed| vec![changed])?;
            rules.still_right(&prepared, plan, &source.path())
        };
        let mut ended = run.carry_out(&self.clusters, rules.hider(), still_as_planned).await;
        ended.diagnostics = rules.hide_all(ended.diagnostics);

        let mut verified = Value::List(Vec::new());
        if let Some(seen) = ended.observation.as_ref().filter(|_| ended.diagnostics.is_empty()) {
            let schemas = &watch.schemas;
            let limit = model.timeouts.read;
            let applied = verify::Applied { place: &place, set: name, schemas, seen, limit };
            let (right, wrong) = applied.verify(&self.clusters, config).await;
            verified = right;
            ended.diagnostics.extend(wrong);
        }

        // A failed create stores nothing: a stored object would be tainted and replaced.
        let failed_create = request.prior.is_null() && !ended.diagnostics.is_empty();
        let Some(seen) = ended.observation.filter(|_| !failed_create) else {
            return Err(ended.diagnostics);
        };
        let mut state = request.planned.clone();
        set_all(&mut state, shown(&place, &seen));
        set_all(&mut state, watch.find(&seen).shown());
        if state.get("last_run").is_some_and(Value::is_unknown) {
            state.set("last_run", pending);
        }
        if state.get("verified_endpoints").is_some_and(Value::is_unknown) {
            state.set("verified_endpoints", verified);
        }
        // What the plan was made from is of no use to the next one.
        Ok(ApplyResponse { state, private: Vec::new(), diagnostics: ended.diagnostics })
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
            Attribute::string("format").optional().description(format_description()),
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
            None => {
                let warning = run::what_stays("which migrations are applied");
                Planned::without_a_look(Value::Null, vec![warning])
            }
            Some(config) => self.planned(&request, &config).await.unwrap_or_else(|diagnostics| {
                Planned::without_a_look(request.proposed.clone(), diagnostics)
            }),
        };
        let Planned { state, private, diagnostics } = planned;
        PlanResponse { planned: state, requires_replace: vec!["name".into()], private, diagnostics }
    }

    async fn apply(&self, request: ApplyRequest) -> ApplyResponse {
        match Object::new(&request.config).filter(|_| !request.planned.is_null()) {
            Some(config) => Box::pin(self.applied(&request, &config))
                .await
                .unwrap_or_else(|diagnostics| run::refused(&request, diagnostics)),
            None => run::forgotten(request),
        }
    }

    async fn import(&self, id: &str) -> ImportResponse {
        run::import(&self.clusters, id, |place, seen| {
            if seen.migrations.is_empty() {
                return None;
            }
            let mut state = run::empty(&self.schema());
            set_all(&mut state, vec![("id", id.into()), ("name", id.into())]);
            set_all(&mut state, shown(place, seen));
            Some(state)
        })
        .await
    }
}

/// The migrations of a set, as messages call them.
fn what(set: &str) -> String {
    format!("pending migrations of the set {set}")
}

/// The versions that an apply of this plan runs.
fn pending_versions(plan: &Plan<'_>) -> Value {
    Value::list(plan.pending().map(|entry| entry.migration.version.0.as_str()))
}

/// A migration as the database has it.
fn row(record: &MigrationRecord) -> Value {
    let mut attributes = vec![
        ("description", record.description.as_str().into()),
        ("adopted_from", record.adopted_from.clone().into()),
    ];
    attributes.extend(computed::recorded(record));
    Value::object(attributes)
}

/// The computed attributes as the database has them.
fn shown(place: &Place, seen: &Observation) -> Vec<(&'static str, Value)> {
    let migrations = seen.migrations.iter().map(|record| (record.version.0.clone(), row(record)));
    vec![
        ("migrations", Value::map(migrations)),
        ("latest_version", latest(&seen.migrations).into()),
        ("ledger", place.ledger_name().into()),
    ]
}

/// The version that was begun last, of those that are applied and not repeatable.
pub(in super::super) fn latest(records: &[MigrationRecord]) -> Option<String> {
    let counts = |record: &&MigrationRecord| {
        record.state == MigrationState::Applied && record.kind != MigrationKind::Repeatable
    };
    records.iter().rfind(counts).map(|record| record.version.0.clone())
}

/// The computed attributes as a run will leave them.
fn after(plan: &Plan<'_>, ledger: &[MigrationRecord]) -> Vec<(&'static str, Value)> {
    let migrations = plan.entries.iter().filter_map(|entry| {
        let mut attributes = computed::planned(entry)?;
        let (description, from) = match entry.standing {
            Standing::Applied(record) => (&record.description, record.adopted_from.clone()),
            _ => (&entry.migration.description, None),
        };
        attributes.push(("description", description.as_str().into()));
        attributes.push(("adopted_from", from.into()));
        Some((entry.migration.version.0.clone(), Value::object(attributes)))
    });
    let retired = plan.retired.iter().map(|record| (record.version.0.clone(), row(record)));
    vec![
        ("migrations", Value::map(migrations.chain(retired))),
        ("latest_version", latest_after(plan, ledger).into()),
    ]
}

/// As [`latest`] after the run: what is begun in it comes behind all that was begun before.
fn latest_after(plan: &Plan<'_>, ledger: &[MigrationRecord]) -> Option<String> {
    let pending = |version: &Version| {
        plan.pending().find(|entry| entry.migration.version == *version && !is_repeatable(entry))
    };
    let is_new = |entry: &&Entry<'_>| !is_repeatable(entry) && entry.begun().is_none();
    if let Some(last) = plan.pending().filter(is_new).last() {
        return Some(last.migration.version.0.clone());
    }
    let counts = |record: &&MigrationRecord| {
        let is_applied =
            record.state == MigrationState::Applied && record.kind != MigrationKind::Repeatable;
        is_applied || pending(&record.version).is_some()
    };
    ledger.iter().rfind(counts).map(|record| record.version.0.clone())
}

fn is_repeatable(entry: &Entry<'_>) -> bool {
    entry.migration.is_repeatable()
}

/// What only a look at the database after the run can tell.
fn after_a_look() -> Vec<(&'static str, Value)> {
    vec![("drift", Value::Unknown), ("schema_fingerprint", Value::Unknown)]
}

/// The computed attributes while the cluster is not known: the texts are certain, all else is not.
fn from_files(migrations: &[Migration], policy: &Policy) -> Vec<(&'static str, Value)> {
    // Where there may be a history, nobody knows which of them run.
    let is_open = migrations.iter().any(|migration| migration.kind == MigrationKind::Baseline)
        || policy.order == ExecOrder::LinearSkip
        || policy.target.is_some()
        || !policy.removed.is_empty();
    let planned = migrations.iter().map(|migration| {
        let mut attributes = vec![("description", Value::Unknown), ("adopted_from", Value::Null)];
        attributes.extend(computed::pending(migration, None).into_iter().map(|(name, value)| {
            // The ledger may have another text, if that is accepted.
            let certain = matches!(name, "status" | "skipped")
                || matches!(name, "checksum" | "statements")
                    && !policy.accepted.contains_key(&migration.version);
            (name, if certain { value } else { Value::Unknown })
        }));
        (migration.version.0.clone(), Value::object(attributes))
    });
    let planned = if is_open { Value::Unknown } else { Value::map(planned) };
    let mut attributes = vec![
        ("migrations", planned),
        ("latest_version", Value::Unknown),
        ("last_run", Value::Unknown),
        ("ledger", Value::Unknown),
    ];
    attributes.extend(after_a_look());
    attributes
}

fn unknown() -> Vec<(&'static str, Value)> {
    let mut attributes: Vec<_> =
        ["migrations", "latest_version", "detected_format", "last_run", "ledger"]
            .map(|name| (name, Value::Unknown))
            .into_iter()
            .collect();
    attributes.extend(after_a_look());
    attributes
}

/// Whether the state says that exactly these migrations are applied.
fn nothing_new(
    state: &Value,
    config: &Object<'_>,
    migrations: &[Migration],
    policy: &Policy,
) -> bool {
    let Some(Input::Known(recorded)) = state.get("migrations").map(Value::entries) else {
        return false;
    };
    let same_values = state.get("variables") == Some(config.value("variables"));
    recorded.len() == migrations.len()
        && migrations.iter().all(|migration| {
            let text = |name| recorded.get(&migration.version.0)?.get(name)?.string().known();
            text("status").is_some_and(computed::is_applied)
                && (same_values || !migration.is_repeatable())
                && (text("checksum") == Some(migration.checksum.0.as_str())
                    || policy.accepted.get(&migration.version) == Some(&migration.checksum))
        })
}

/// Refuses to run anything else than what was planned: a saved plan may be old.
fn as_planned(expected: &Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
    let Input::Known(expected) = expected.entries() else { return Ok(()) };
    let mut differences = Vec::new();
    for entry in &plan.entries {
        let version = &entry.migration.version;
        let planned = expected.get(&version.0);
        let text = |name| planned.and_then(|planned| planned.get(name)?.string().known());
        let is_repeatable = entry.migration.is_repeatable();
        match (planned, &entry.standing) {
            (_, Standing::Left(_)) => {}
            (None, _) => differences.push(format!("migration {version} was added")),
            (Some(_), Standing::Pending { .. } | Standing::Again { .. })
                if text("checksum") != Some(entry.migration.checksum.0.as_str()) =>
            {
                differences.push(format!("{} was changed", entry.migration.file));
            }
            (Some(_), Standing::Applied(record))
                if text("status").is_some_and(|status| computed::status(record) != status) =>
            {
                let from = record.adopted_from.as_deref().unwrap_or("another run");
                differences.push(format!("migration {version} is applied according to {from}"));
            }
            (Some(_), Standing::Applied(record)) if record.is_to_adopt() => {}
            (Some(_), Standing::Pending { .. }) if text("status") == Some(computed::ADOPTED) => {
                differences.push(format!("migration {version} does not count as applied any more"));
            }
            // A repeatable one may turn out to have the values of its last run.
            (Some(planned), Standing::Applied(_))
                if !is_repeatable
                    && planned.get("applied_at").is_some_and(Value::is_unknown)
                    && planned.get("description").is_some_and(|d| !d.is_unknown()) =>
            {
                differences.push(format!("migration {version} was applied by another run"));
            }
            (Some(planned), Standing::Pending { .. })
                if planned.get("applied_at").is_some_and(|at| !at.is_unknown()) =>
            {
                differences.push(format!("migration {version} is not in the ledger any more"));
            }
            (Some(planned), Standing::Again { .. })
                if planned.get("applied_at").is_some_and(|at| !at.is_unknown()) =>
            {
                differences.push(format!("the variables of {version} have other values"));
            }
            (Some(_), _) => {}
        }
    }
    for record in &plan.retired {
        if !expected.contains_key(&record.version.0) {
            differences.push(format!("the ledger has {}, which has no file", record.version));
        }
    }
    for version in expected.keys() {
        let mut runs = plan.entries.iter().filter(|e| !matches!(e.standing, Standing::Left(_)));
        let is_retired = plan.retired.iter().any(|record| record.version.0 == *version);
        if !is_retired && !runs.any(|entry| entry.migration.version.0 == *version) {
            differences.push(format!("migration {version} has no file any more"));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(run::out_of_date(&differences))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Identity, LedgerSchema, Naming, Target};

    fn basis(process: &str, sql: &str) -> Basis {
        let place = Place {
            target: Target {
                endpoint: "a".into(),
                naming: Naming::Endpoint,
                port: 5432,
                user: "admin".into(),
                region: None,
                identity: Identity::default(),
                token: None,
                ca_file: None,
            },
            ledger: LedgerSchema::new("dsql_migrations"),
        };
        let migrations = formats::read_files([("1_a.sql", sql)]).expect("a migration");
        Basis::new(process, "migrations", &place, &migrations, &[])
    }

    fn request(private: Vec<u8>, first_plan: Vec<u8>) -> PlanRequest {
        let (config, prior, proposed) = (Value::Null, Value::Null, Value::Null);
        PlanRequest { config, prior, proposed, private, first_plan }
    }

    fn changed(request: &PlanRequest, now: &Basis) -> Result<Option<Diagnostic>, Diagnostic> {
        changed_since(request, now, now)
    }

    #[test]
    fn a_repeated_plan_fails_if_terraform_brings_the_first_one_along_and_files_differ() {
        let first = basis("planning", "SELECT 1").encode();
        let request = request(Vec::new(), first);
        assert_eq!(changed(&request, &basis("applying", "SELECT 1")), Ok(None));
        let error = changed(&request, &basis("applying", "SELECT 2")).expect_err("changed");
        assert_eq!(error.summary, "Plan is out of date");
        assert!(error.detail.contains("1_a.sql was changed"), "{}", error.detail);
    }

    #[test]
    fn a_refresh_of_another_process_gives_a_warning_and_one_of_the_same_nothing() {
        let request = request(basis("planning", "SELECT 1").encode(), Vec::new());
        assert_eq!(changed(&request, &basis("planning", "SELECT 2")), Ok(None));
        let warning = changed(&request, &basis("applying", "SELECT 2"));
        let warning = warning.expect("no error").expect("a warning");
        assert!(!warning.is_error());
        assert!(warning.detail.contains("1_a.sql was changed"), "{}", warning.detail);
    }
}
