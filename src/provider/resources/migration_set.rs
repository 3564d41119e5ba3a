//! `dsql_migration_set`: a directory of migrations, kept applied on a cluster.

use std::collections::BTreeMap;
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
use super::run::{self, Run, set_all};
use super::{SINGLE_MIGRATIONS, computed};
use crate::database::{MigrationState, Observation, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::{Plan, Standing, drift};
use crate::formats::{self, Format};
use crate::migration::Migration;
use crate::schema::{Attribute, Nesting, Schema};
use crate::value::{AttributePath, Input, Object, Type, Value};

const DEFAULT_NAME: &str = "default";

/// The schemas whose objects are compared with what migrations left.
fn watched_schemas() -> Vec<String> {
    vec!["public".to_owned()]
}

/// The resource type.
pub(in super::super) struct MigrationSetResource {
    clusters: Arc<Clusters>,
}

/// What a configuration says, as far as it is known.
struct Model {
    source: Input<Source>,
    name: Input<String>,
    timeouts: Timeouts,
}

/// Where the SQL is.
enum Source {
    Dir { path: String, format: Option<Format> },
    Files(BTreeMap<String, String>),
}

impl Source {
    fn path(&self) -> AttributePath {
        match self {
            Self::Dir { .. } => "dir".into(),
            Self::Files(_) => "files".into(),
        }
    }

    /// Reads and checks every file.
    fn read(&self) -> Result<Vec<Migration>, Vec<Diagnostic>> {
        let migrations = match self {
            Self::Dir { path, format } => {
                formats::read_dir(path, *format).map(|directory| directory.migrations)
            }
            Self::Files(files) => {
                formats::read_files(files.iter().map(|(name, sql)| (name.as_str(), sql.as_str())))
            }
        };
        migrations.map_err(|errors| {
            errors.iter().map(|e| diagnostics::format_error(e, self.path())).collect()
        })
    }
}

impl Model {
    fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let source = decode_source(config).unwrap_or_else(|diagnostic| {
            diagnostics.push(diagnostic);
            Input::Unknown
        });
        let name = decode_name(config).unwrap_or_else(|diagnostic| {
            diagnostics.push(diagnostic);
            Input::Unknown
        });
        match Timeouts::decode(config) {
            Ok(timeouts) if diagnostics.is_empty() => Ok(Self { source, name, timeouts }),
            Ok(_) => Err(diagnostics),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                Err(diagnostics)
            }
        }
    }
}

fn decode_source(config: &Object<'_>) -> Result<Input<Source>, Diagnostic> {
    let format = match config.string("format") {
        Input::Null => Input::Known(None),
        Input::Unknown => Input::Unknown,
        Input::Known(name) => Input::Known(Format::parse(name).map_err(|error| {
            Diagnostic::error("Unknown format").detail(format!("{error}.")).at("format")
        })?),
    };
    match (config.string("dir"), config.map("files")) {
        (Input::Null, Input::Null) => Err(Diagnostic::error("No source of migrations")
            .detail("Set dir to a directory with migrations, or files to a map from name to SQL.")),
        (dir, Input::Null) => {
            Ok(dir
                .and_then(|dir| format.map(|format| Source::Dir { path: dir.to_owned(), format })))
        }
        (Input::Null, files) => Ok(files.and_then(|files| {
            let files = files.iter().map(|(name, sql)| Some((name.clone(), known(sql)?)));
            // One unknown text makes the whole set unknown: its statements cannot be planned.
            files
                .collect::<Option<_>>()
                .map_or(Input::Unknown, |files| Input::Known(Source::Files(files)))
        })),
        (_, _) => Err(Diagnostic::error("Two sources of migrations")
            .detail("Set either dir or files, not both.")
            .at("files")),
    }
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
        Self { clusters }
    }

    async fn refreshed(&self, request: &ReadRequest) -> Result<Value, Diagnostic> {
        let mut state = request.state.clone();
        let Some(object) = Object::new(&request.state) else { return Ok(state) };
        let name = object.string("name").known().unwrap_or(DEFAULT_NAME);
        let limit = Timeouts::decode(&object)?.read;
        let Input::Known(place) = run::place(&self.clusters, &object)? else { return Ok(state) };

        let watched = Watched::Schemas(watched_schemas());
        let seen = run::look(&self.clusters, &place, name, &watched, limit).await?;
        set_all(&mut state, shown(&seen));
        Ok(state)
    }

    async fn planned(
        &self,
        request: &PlanRequest,
        config: &Object<'_>,
    ) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
        let model = Model::decode(config)?;
        let mut planned = request.proposed.clone();
        planned.set("name", Value::from(model.name.clone()));
        planned.set("id", Value::from(model.name.clone()));

        let (Input::Known(source), Input::Known(name)) = (&model.source, &model.name) else {
            set_all(&mut planned, unknown());
            return Ok((planned, Vec::new()));
        };
        let migrations = source.read()?;
        let place = run::place(&self.clusters, config).map_err(|error| vec![error])?;
        let Input::Known(place) = place else {
            set_all(&mut planned, from_files(&migrations));
            return Ok((planned, vec![run::planned_from_files()]));
        };

        let limit = model.timeouts.read;
        let watched = Watched::Schemas(watched_schemas());
        let seen = run::look(&self.clusters, &place, name, &watched, limit)
            .await
            .map_err(|error| vec![error])?;
        let run = Run {
            place: &place,
            set: name,
            migrations: &migrations,
            among_others: false,
            limit,
            source: source.path(),
        };
        let records = run.records(&seen);
        let plan = run.plan(&records)?;

        let found = computed::drift(&seen);
        set_all(&mut planned, shown(&seen));
        if plan.pending().next().is_some() {
            set_all(&mut planned, after(&plan));
        }
        // Drift stays visible until it is gone: an apply looks again, it never accepts.
        if planned != request.prior || !found.is_empty() {
            set_all(&mut planned, after_a_look());
        }
        Ok((planned, Vec::new()))
    }

    async fn applied(&self, request: &ApplyRequest, config: &Object<'_>) -> ApplyResponse {
        let create = request.prior.is_null();
        // A failed create stores nothing (the ledger is the truth, and a stored object would be
        // tainted and replaced); a failed update that has nothing new to say keeps the old state.
        let refused = |diagnostics| ApplyResponse {
            state: if create { Value::Null } else { request.prior.clone() },
            private: request.private.clone(),
            diagnostics,
        };
        let model = match Model::decode(config) {
            Ok(model) => model,
            Err(diagnostics) => return refused(diagnostics),
        };
        let (Input::Known(source), Input::Known(name)) = (&model.source, &model.name) else {
            return refused(vec![run::still_unknown()]);
        };
        let migrations = match source.read() {
            Ok(migrations) => migrations,
            Err(diagnostics) => return refused(diagnostics),
        };
        let place = match run::place(&self.clusters, config) {
            Ok(Input::Known(place)) => place,
            Ok(_) => return refused(vec![run::still_unknown()]),
            Err(diagnostic) => return refused(vec![diagnostic]),
        };
        let run = Run {
            place: &place,
            set: name,
            migrations: &migrations,
            among_others: false,
            limit: if create { model.timeouts.create } else { model.timeouts.update },
            source: source.path(),
        };
        let expected = request.planned.get("migrations").unwrap_or(&Value::Unknown);
        let ended = run.carry_out(&self.clusters, |plan| as_planned(expected, plan)).await;

        let failed = !ended.diagnostics.is_empty();
        let Some(seen) = ended.observation.filter(|_| !(failed && create)) else {
            return refused(ended.diagnostics);
        };
        let mut state = request.planned.clone();
        set_all(&mut state, shown(&within(&seen, &watched_schemas())));
        ApplyResponse { state, private: request.private.clone(), diagnostics: ended.diagnostics }
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
        ];
        migration.extend(computed::attributes());
        Schema::new(vec![
            Attribute::string("dir").optional().description(
                "Directory with the migrations. The path is kept as written; a relative one begins \
                 where Terraform runs, so write `${path.module}/…` in a module. Exactly one of \
                 `dir` and `files` must be set.",
            ),
            Attribute::map_of("files", Type::String).optional().description(
                "Migrations as a map from name (`0001_create_users.sql`) to SQL, in the order of \
                 their numbers.",
            ),
            Attribute::string("format").optional().description(
                "Format of `dir`: `auto` (default, recognised by what the directory holds), \
                 `plain` (`<digits>_<name>.sql`) or `drizzle` (`meta/_journal.json`).",
            ),
            Attribute::string("name").optional().computed().description(
                "Name of the set in the ledger, so that several sets can share a cluster. \
                 Default: `default`. Another name is another set: it replaces the resource.",
            ),
            cluster_attribute(),
            timeouts::attribute(),
            Attribute::string("id").computed().description("The name of the set."),
            Attribute::nested("migrations", Nesting::Map, migration).computed().description(
                "All migrations of the set by version: those in the ledger, and in a plan those \
                 that the apply will run.",
            ),
            Attribute::string("latest_version").computed().description(
                "Version of the last migration, in the order of the set, that is applied.",
            ),
            Attribute::list_of("drift", Type::String).computed().description(
                "Changes of the schema `public` that no migration made, in words. While there are \
                 any, every plan shows an update, and `terraform plan -detailed-exitcode` ends \
                 with 2.",
            ),
            Attribute::string("schema_fingerprint")
                .computed()
                .description("SHA-256 of the schema `public`. Equal schemas have equal ones."),
        ])
        .description(
            "Applies the forward SQL migrations of a directory to an Aurora DSQL cluster, each \
             exactly once and in order, and shows pending migrations and drift in the plan. \
             Destroying it does not touch the database.",
        )
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let mut diagnostics = Model::decode(&config).err().unwrap_or_default();
        diagnostics.extend(run::check_cluster(&config).err());
        diagnostics
    }

    async fn read(&self, request: ReadRequest) -> ReadResponse {
        let refreshed = self.refreshed(&request).await;
        run::read_response(request, refreshed)
    }

    async fn plan(&self, request: PlanRequest) -> PlanResponse {
        let (planned, diagnostics) = match Object::new(&request.config) {
            None => (Value::Null, vec![run::what_stays("which migrations are applied")]),
            Some(config) => match self.planned(&request, &config).await {
                Ok(planned) => planned,
                Err(diagnostics) => (request.proposed.clone(), diagnostics),
            },
        };
        let requires_replace = vec!["name".into()];
        PlanResponse { planned, requires_replace, private: request.private, diagnostics }
    }

    async fn apply(&self, request: ApplyRequest) -> ApplyResponse {
        match Object::new(&request.config).filter(|_| !request.planned.is_null()) {
            Some(config) => self.applied(&request, &config).await,
            None => run::forgotten(request),
        }
    }

    async fn import(&self, id: &str) -> ImportResponse {
        run::import(&self.clusters, id, |seen| {
            if seen.migrations.is_empty() {
                return None;
            }
            let mut state = run::empty(&self.schema());
            set_all(&mut state, vec![("id", id.into()), ("name", id.into())]);
            set_all(&mut state, shown(&within(seen, &watched_schemas())));
            Some(state)
        })
        .await
    }
}

/// The computed attributes as the database has them.
fn shown(seen: &Observation) -> Vec<(&'static str, Value)> {
    let migrations = seen.migrations.iter().map(|record| {
        let mut attributes = vec![("description", record.description.as_str().into())];
        attributes.extend(computed::recorded(record));
        (record.version.0.clone(), Value::object(attributes))
    });
    let latest = seen.migrations.iter().rfind(|record| record.state == MigrationState::Applied);
    vec![
        ("migrations", Value::map(migrations)),
        ("latest_version", latest.map(|record| record.version.0.clone()).into()),
        ("drift", computed::drift(seen).into()),
        ("schema_fingerprint", drift::fingerprint(&seen.live).into()),
    ]
}

/// The computed attributes as a run will leave them.
fn after(plan: &Plan<'_>) -> Vec<(&'static str, Value)> {
    let migrations = plan.entries.iter().map(|entry| {
        let (description, rest) = match &entry.standing {
            Standing::Applied(record) => (&record.description, computed::recorded(record)),
            Standing::Pending { .. } => {
                (&entry.migration.description, computed::pending(entry.migration))
            }
        };
        let mut attributes = vec![("description", description.as_str().into())];
        attributes.extend(rest);
        (entry.migration.version.0.clone(), Value::object(attributes))
    });
    let latest = plan.entries.last().map(|entry| entry.migration.version.0.clone());
    vec![("migrations", Value::map(migrations)), ("latest_version", latest.into())]
}

/// What only a look at the database after the run can tell.
fn after_a_look() -> Vec<(&'static str, Value)> {
    vec![("drift", Value::Unknown), ("schema_fingerprint", Value::Unknown)]
}

/// The computed attributes while the cluster is not known: the texts are certain, all else is not.
fn from_files(migrations: &[Migration]) -> Vec<(&'static str, Value)> {
    let planned = migrations.iter().map(|migration| {
        let mut attributes = vec![("description", Value::Unknown)];
        attributes.extend(computed::pending(migration).into_iter().map(|(name, value)| {
            let certain = matches!(name, "checksum" | "statements" | "status");
            (name, if certain { value } else { Value::Unknown })
        }));
        (migration.version.0.clone(), Value::object(attributes))
    });
    let mut attributes =
        vec![("migrations", Value::map(planned)), ("latest_version", Value::Unknown)];
    attributes.extend(after_a_look());
    attributes
}

fn unknown() -> Vec<(&'static str, Value)> {
    let mut attributes = vec![("migrations", Value::Unknown), ("latest_version", Value::Unknown)];
    attributes.extend(after_a_look());
    attributes
}

fn within(seen: &Observation, schemas: &[String]) -> Observation {
    Observation {
        recorded: seen.recorded.within(schemas),
        live: seen.live.within(schemas),
        ..seen.clone()
    }
}

/// Refuses to run anything else than what was planned: a saved plan may be old.
fn as_planned(expected: &Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
    let Input::Known(expected) = expected.entries() else { return Ok(()) };
    let mut differences = Vec::new();
    for entry in &plan.entries {
        let version = &entry.migration.version;
        let planned = expected.get(&version.0);
        let text = |name| planned.and_then(|planned| planned.get(name)?.string().known());
        match (planned, &entry.standing) {
            (None, _) => differences.push(format!("migration {version} was added")),
            (Some(_), _) if text("checksum") != Some(entry.migration.checksum.0.as_str()) => {
                differences.push(format!("{} was changed", entry.migration.file));
            }
            (Some(planned), Standing::Applied(_))
                if planned.get("applied_at").is_some_and(Value::is_unknown)
                    && planned.get("description").is_some_and(|d| !d.is_unknown()) =>
            {
                differences.push(format!("migration {version} was applied by another run"));
            }
            (Some(planned), Standing::Pending { .. })
                if planned.get("applied_at").is_some_and(|at| !at.is_unknown()) =>
            {
                differences.push(format!("migration {version} is not in the ledger any more"));
            }
            (Some(_), _) => {}
        }
    }
    for version in expected.keys() {
        if !plan.entries.iter().any(|entry| entry.migration.version.0 == *version) {
            differences.push(format!("migration {version} has no file any more"));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(run::out_of_date(&differences))
}
