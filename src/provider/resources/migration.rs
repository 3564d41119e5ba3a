//! `dsql_migration`: one migration from one file or text.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::clusters::Clusters;
use super::super::contract::{
    ApplyRequest, ApplyResponse, ImportResponse, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse, Resource,
};
use super::super::diagnostics;
use super::super::settings::cluster_attribute;
use super::super::timeouts::{self, Timeouts};
use super::rules::{self, Rules};
use super::run::{self, Run, set_all};
use super::{SINGLE_MIGRATIONS, computed};
use crate::database::{MigrationRecord, MigrationState, Observation, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::{Plan, Policy};
use crate::formats;
use crate::migration::{Migration, MigrationKind};
use crate::schema::{Attribute, Schema};
use crate::value::{AttributePath, Input, Object, Value};

/// The resource type.
pub(in super::super) struct MigrationResource {
    clusters: Arc<Clusters>,
}

/// What a configuration says, as far as it is known.
struct Model {
    source: Input<Source>,
    rules: Input<Rules>,
    timeouts: Timeouts,
}

/// One text and what it is called.
struct Source {
    text: Text,
    version: Option<String>,
    description: Option<String>,
    kind: MigrationKind,
}

enum Text {
    Path(String),
    Sql(String),
}

impl Source {
    fn path(&self) -> AttributePath {
        match &self.text {
            Text::Path(_) => "path".into(),
            Text::Sql(_) => "sql".into(),
        }
    }

    fn read(&self) -> Result<Migration, Vec<Diagnostic>> {
        let name = match (&self.text, self.kind) {
            (Text::Path(path), MigrationKind::Repeatable) => Some(formats::repeatable_name(path)),
            _ => None,
        };
        let version = self.version.as_deref().or(name.as_ref().map(|(name, _)| name.as_str()));
        let words = name.as_ref().map(|(_, description)| description.as_str());
        let description = self.description.as_deref().or(words);
        let migration = match &self.text {
            Text::Path(path) => formats::read_file(path, version, description),
            Text::Sql(sql) => formats::single("sql", sql, version, description),
        };
        let kind = self.kind;
        migration
            .map(|migration| Migration { kind, ..migration })
            .map_err(|error| vec![diagnostics::format_error(&error, self.path())])
    }
}

impl Model {
    fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>> {
        let source = decode_source(config);
        let rules = Rules::decode(config);
        let timeouts = Timeouts::decode(config);
        match (source, rules, timeouts) {
            (Ok(source), Ok(rules), Ok(timeouts)) => Ok(Self { source, rules, timeouts }),
            (source, rules, timeouts) => {
                let mut diagnostics: Vec<Diagnostic> = source.err().into_iter().collect();
                diagnostics.extend(rules.err().unwrap_or_default());
                diagnostics.extend(timeouts.err());
                Err(diagnostics)
            }
        }
    }
}

fn decode_source(config: &Object<'_>) -> Result<Input<Source>, Diagnostic> {
    let version = config.string("version");
    let description = config.string("description");
    let text = match (config.string("path"), config.string("sql")) {
        (Input::Null, Input::Null) => {
            return Err(Diagnostic::error("No SQL for the migration")
                .detail("Set path to a file, or sql to the SQL itself."));
        }
        (path, Input::Null) => path.map(|path| Text::Path(path.to_owned())),
        (Input::Null, sql) => {
            if version.is_null() {
                return Err(Diagnostic::error("No version for the migration").detail(
                    "With sql there is no file name that could tell the version: set version, \
                     for example \"0001\", or \"grants\" for a repeatable one.",
                ));
            }
            sql.map(|sql| Text::Sql(sql.to_owned()))
        }
        (_, _) => {
            return Err(Diagnostic::error("Two sources for the migration")
                .detail("Set either path or sql, not both.")
                .at("sql"));
        }
    };
    if version.known().is_some_and(|version| version.is_empty() || version.len() > 200) {
        return Err(Diagnostic::error("Invalid version")
            .detail("It must have from 1 to 200 bytes.")
            .at("version"));
    }
    let kind = match config.bool("repeatable") {
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(true) => MigrationKind::Repeatable,
        Input::Known(false) | Input::Null => MigrationKind::Versioned,
    };
    if version.is_unknown() || description.is_unknown() {
        return Ok(Input::Unknown);
    }
    Ok(text.map(|text| Source {
        text,
        version: version.known().map(str::to_owned),
        description: description.known().map(str::to_owned),
        kind,
    }))
}

impl MigrationResource {
    pub(in super::super) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters }
    }

    async fn refreshed(&self, request: &ReadRequest) -> Result<run::Refreshed, Diagnostic> {
        let unchanged = || Ok(run::Refreshed::unchanged(request));
        let Some(object) = Object::new(&request.state) else { return unchanged() };
        let Input::Known(version) = object.string("version") else { return unchanged() };
        let limit = Timeouts::decode(&object)?.read;
        let Input::Known(place) = run::place(&self.clusters, &object)? else { return unchanged() };

        let seen = run::look(&self.clusters, &place, SINGLE_MIGRATIONS, &nothing(), limit).await?;
        let before = Value::map([(version, request.state.clone())]);
        let warnings = computed::rewritten(&before, &seen.migrations);
        let warnings = diagnostics::rewritten_ledger(&warnings).into_iter().collect();
        let state = record_of(&seen, version).map_or(Value::Null, |record| {
            let mut state = request.state.clone();
            set_all(&mut state, shown(record));
            state.set("ledger", place.ledger_name());
            state
        });
        Ok(run::Refreshed { state, private: Vec::new(), warnings })
    }

    async fn planned(
        &self,
        request: &PlanRequest,
        config: &Object<'_>,
    ) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let mut planned = request.proposed.clone();
        let (Input::Known(source), Input::Known(rules)) = (&model.source, &model.rules) else {
            set_all(&mut planned, unknown(config));
            return Ok((planned, Vec::new()));
        };
        let prepared = rules.prepare(vec![source.read()?]);
        let [migration] = prepared.migrations.as_slice() else {
            return Err(vec![run::still_unknown()]);
        };
        let what = format!("pending migration {}", migration.version);
        let place = run::place(&self.clusters, config).map_err(|error| vec![error])?;
        let Input::Known(place) = place else {
            set_all(&mut planned, named(migration));
            set_all(&mut planned, computed::pending(migration, None));
            planned.set("ledger", Value::Unknown);
            let mut diagnostics = vec![run::planned_from_files()];
            diagnostics.extend(rules.judge_unknown(&prepared, &what, &source.path()));
            return Ok((planned, diagnostics));
        };

        let limit = model.timeouts.read;
        let none = nothing();
        let look = run::look(&self.clusters, &place, SINGLE_MIGRATIONS, &none, limit);
        let seen = match look.await {
            Ok(seen) => seen,
            // As for a set: a destroy must not need the cluster.
            Err(error) if nothing_new(&request.prior, config, migration) => {
                planned.set("status", Value::Unknown);
                run::forget_other_ledger(&mut planned, &place);
                return Ok((planned, vec![run::not_looked(&error)]));
            }
            Err(error) if request.prior.is_null() => return Err(vec![error]),
            Err(error) => return Err(vec![run::needs_the_cluster(error)]),
        };
        let policy = Policy::default();
        let run = run_of(&place, &prepared.migrations, &policy, limit, source.path());
        let records = run.records(&seen);
        let plan = run.plan(&records)?;
        let judged = rules.judge(&prepared, &plan, &what, &source.path());
        if judged.iter().any(Diagnostic::is_error) {
            return Err(judged);
        }
        for entry in &plan.entries {
            set_all(&mut planned, named(migration));
            set_all(&mut planned, computed::planned(entry).unwrap_or_default());
        }
        planned.set("ledger", place.ledger_name());
        // The description is only words: the configuration's wins over the ledger's.
        planned.set("description", migration.description.as_str());
        Ok((planned, judged))
    }

    async fn applied(
        &self,
        request: &ApplyRequest,
        config: &Object<'_>,
    ) -> Result<ApplyResponse, Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let (Input::Known(source), Input::Known(rules)) = (&model.source, &model.rules) else {
            return Err(vec![run::still_unknown()]);
        };
        let prepared = rules.prepare(vec![source.read()?]);
        let [migration] = prepared.migrations.as_slice() else {
            return Err(vec![run::still_unknown()]);
        };
        let place = run::known_place(&self.clusters, config)?;
        let limit = model.timeouts.write(&request.prior);
        let policy = Policy::default();
        let run = run_of(&place, &prepared.migrations, &policy, limit, source.path());
        let mut ended = run
            .carry_out(&self.clusters, rules.hider(), |plan| {
                as_planned(&request.planned, plan).map_err(|changed| vec![changed])?;
                rules.still_right(&prepared, plan, &source.path())
            })
            .await;
        ended.diagnostics = rules.hide_all(ended.diagnostics);

        // A failed update keeps the state of the version before, which is still applied.
        let record =
            ended.observation.as_ref().and_then(|seen| record_of(seen, &migration.version.0));
        match record {
            Some(record) if ended.diagnostics.is_empty() => {
                let mut state = request.planned.clone();
                set_all(&mut state, shown(record));
                state.set("ledger", place.ledger_name());
                state.set("description", migration.description.as_str());
                let private = request.private.clone();
                Ok(ApplyResponse { state, private, diagnostics: Vec::new() })
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
        let (planned, diagnostics) = match Object::new(&request.config) {
            None => (Value::Null, vec![run::what_stays("that the migration is applied")]),
            Some(config) => match self.planned(&request, &config).await {
                Ok(planned) => planned,
                Err(diagnostics) => (request.proposed.clone(), diagnostics),
            },
        };
        PlanResponse {
            planned,
            requires_replace: Vec::new(),
            private: request.private,
            diagnostics,
        }
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
        run::import(&self.clusters, SINGLE_MIGRATIONS, |place, seen| {
            let record = record_of(seen, id)?;
            let mut state = run::empty(&self.schema());
            set_all(&mut state, shown(record));
            state.set("ledger", place.ledger_name());
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
    place: &'a super::super::settings::Place,
    migrations: &'a [Migration],
    policy: &'a Policy,
    limit: std::time::Duration,
    source: AttributePath,
) -> Run<'a> {
    Run {
        place,
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
    let text = |name| state.get(name)?.string().known();
    if migration.is_repeatable() && state.get("variables") != Some(config.value("variables")) {
        return false;
    }
    text("version") == Some(migration.version.0.as_str())
        && text("checksum") == Some(migration.checksum.0.as_str())
        && text("status") == Some(MigrationState::Applied.as_str())
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
    ];
    attributes.extend(computed::attributes().into_iter().map(|a| (a.name, Value::Unknown)));
    attributes
}

/// Refuses to run anything else than what was planned: a saved plan may be old.
fn as_planned(planned: &Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
    let expected = planned.get("checksum").and_then(|checksum| checksum.string().known());
    for entry in &plan.entries {
        if expected.is_some_and(|expected| expected != entry.migration.checksum.0) {
            return Err(run::out_of_date(&[format!("{} was changed", entry.migration.file)]));
        }
    }
    Ok(())
}
