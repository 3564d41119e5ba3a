//! `dsql_migration_status`: the ledger of a set, compared with the files if they are named.

mod building;
mod compare;
mod drift;

use std::sync::Arc;

use async_trait::async_trait;

use self::compare::{ComparedFiles, of_files};
use super::super::clusters::Clusters;
use super::super::contract::DataSource;
use super::super::diagnostics::{self, Access};
use super::super::resources::counted::{self, NamedSet, ReadSet};
use super::super::resources::drift::{Watch, accepted_checksums};
use super::super::resources::migration_set::{DEFAULT_NAME, latest};
use super::super::resources::rules::{self, StatementRules};
use super::super::resources::source::{self, Source};
use super::super::resources::{location, policy};
use super::super::settings::{LedgerLocation, cluster_attribute};
use super::super::time_limit::TimeLimit;
use crate::database::{
    Batches, Error, Holder, LedgerState, ListedJob, MigrationRecord, MigrationState, Session,
    StatementState, TableSearch,
};
use crate::diagnostic::Diagnostic;
use crate::formats::Placeholders;
use crate::formats::adopt::{Recognized, recognize, searched_columns, searched_names};
use crate::migration::Version;
use crate::migration::fact::QualifiedName;
use crate::provider::arguments::texts;
use crate::schema::{Attribute, Nesting, Schema};
use crate::value::{Input, Object, Type, Value};

/// The data source type.
pub(crate) struct MigrationStatus {
    clusters: Arc<Clusters>,
}

impl MigrationStatus {
    pub(crate) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters }
    }
}

#[async_trait]
impl DataSource for MigrationStatus {
    fn type_name(&self) -> &'static str {
        "dsql_migration_status"
    }

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::string("name")
                .optional()
                .description("Name of the migration set in the ledger. Default: `default`."),
        ];
        attributes.extend(files_arguments());
        attributes.extend(drift::arguments());
        attributes.extend([
            cluster_attribute(),
            versions(
                "applied",
                "Applied versions, in the order in which they began. A version for whose jobs no \
                 apply waits is applied once their objects are valid.",
            ),
            Attribute::map_of("failed", Type::String).computed().description(
                "Error messages of failed migrations, as a map from version to message.",
            ),
            versions(
                "running",
                "Versions that an apply is running, or that an apply did not \
                                 finish.",
            ),
            Attribute::string("latest_version").computed().description(
                "Version of the applied migration that began last, which is not always the \
                 highest version. Repeatable migrations do not count.",
            ),
        ]);
        attributes.extend(comparison_attributes());
        attributes.extend(rules::attributes_of_pending());
        attributes.extend(drift::attributes());
        attributes.extend([
            Attribute::objects("building", Nesting::List, building::attributes()).description(
                "Indexes that are being built and constraints that are being validated, for \
                     which no apply of the migration set waits. An object leaves the list when it \
                     is valid, when it is dropped, or when its job fails.",
            ),
            Attribute::objects("unfinished", Nesting::Map, unfinished_attributes()).description(
                "Migrations that were begun but are not applied, by version, with their \
                     progress.",
            ),
            Attribute::map_of("other_ledgers", Type::String).computed().description(
                "History tables of other tools in the cluster, as a map from table name to the \
                 value for `adopt`. If the tool is not supported, the value is `none`, and \
                 `baseline_version` can record its migrations. The tables remain after an \
                 adoption.",
            ),
            Attribute::objects("ledger", Nesting::Single, ledger_attributes())
                .description("The ledger of the cluster. Null if there is none."),
            Attribute::map_of("provider_versions", Type::String).computed().description(
                "Versions of the provider that last ran or adopted the migrations, as a map from \
                 migration version to provider version.",
            ),
            Attribute::objects("lease", Nesting::Single, lease_attributes()).description(
                "Apply of the migration set that is in progress. Null if there is none. An apply \
                 that was killed appears until its lease expires.",
            ),
            Attribute::objects("jobs", Nesting::List, job_attributes()).description(
                "Index builds and constraint validations of the cluster, for all migration sets. \
                 Completed jobs disappear after about 30 minutes.",
            ),
        ]);
        Schema::new(attributes).description(
            "Reads the status of a migration set from the ledger of an Aurora DSQL cluster, for \
             checks, tests, and outputs. It writes nothing.",
        )
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let source = has_source(&config).then(|| source(&config).err()).flatten();
        let text = StatementRules::of_text(&config).err();
        let policy = policy::decode(&config).err();
        let watch = Watch::decode_without_plan(&config).err();
        source
            .into_iter()
            .chain(text.into_iter().flatten())
            .chain(policy.into_iter().flatten())
            .chain(watch)
            .chain(counted::check(&config))
            .chain(location::check_cluster(&config).err())
            .collect()
    }

    async fn read(&self, config: &Value) -> Result<Value, Vec<Diagnostic>> {
        let Some(object) = Object::new(config) else { return Ok(Value::Null) };
        let limit = TimeLimit::fixed(&self.clusters);
        let files = files(&object, &limit).await?;
        let name = object.string("name").known().unwrap_or(DEFAULT_NAME);
        let location = super::locate(&self.clusters, &object).map_err(|error| vec![error])?;
        let watch = Watch::decode_without_plan(&object).map_err(|error| vec![error])?.known();
        let (clusters, watch) = (&self.clusters, watch.as_ref());
        let set = NamedSet { clusters, config: &object, location: &location, name, watch };
        // On the heap: a plan of the set is large.
        let read = Box::pin(set.read(&limit)).await.map_err(|error| vec![error])?;
        let ReadSet { observation, pending } = read;
        let rest = async {
            let mut session = self.clusters.session(&location.target).await?;
            Ok((session.list_jobs().await?, history_tables(&mut session, &location).await?))
        };
        let rest = limit.of_cluster(&location.target, rest).await.map_err(|error| vec![error])?;
        let (jobs, tables) = rest.map_err(|error| {
            let what = format!("Cannot read the jobs and tables of {}.", location.target);
            vec![diagnostics::database_error(&what, &error, Access::Other, &location)]
        })?;

        let mut state = config.clone();
        for (name, value) in of_ledger(&observation.migrations) {
            state.set(name, value);
        }
        state.set("building", building::running(&observation));
        for (name, value) in of_files(files.as_ref(), &observation.migrations) {
            state.set(name, value);
        }
        let (hazards, sql) = pending.map_or((Value::Null, Value::Null), |it| (it.hazards, it.sql));
        state.set("hazards", hazards);
        state.set("pending_sql", sql);
        for (name, value) in watch.into_iter().flat_map(|watch| watch.find(&observation).shown()) {
            state.set(name, value);
        }
        state.set("ledger", ledger(&observation.ledger));
        state.set("lease", observation.holder.as_ref().map_or(Value::Null, lease));
        state.set("jobs", Value::list(jobs.iter().map(job)));
        state.set("other_ledgers", tables);
        Ok(state)
    }
}

/// The arguments for the files that are compared.
fn files_arguments() -> Vec<Attribute> {
    vec![
        Attribute::string("dir")
            .optional()
            .description("Directory with the migrations, to compare with the ledger."),
        Attribute::map_of("files", Type::String)
            .optional()
            .description("Migrations as a map from file name to SQL, instead of `dir`."),
        Attribute::set_of("repeatable", Type::String).optional().description(policy::REPEATABLE),
        Attribute::string("format").optional().description(
            "Format of `dir`, with the same values as in the migration set. Default: \
                 `auto`.",
        ),
        Attribute::map_of("variables", Type::String).optional().description(
            "Values of variables, as in the migration set. Without them, a repeatable \
             migration that has variables counts as pending only if its text has changed.",
        ),
        Attribute::set_of("visible_variables", Type::String).optional().description(
            "Names of variables whose values may be shown in `hazards` and `pending_sql`, as in \
             the migration set.",
        ),
        Attribute::string("rewrite").optional().description(
            "Whether `hazards` and `pending_sql` have the rewritten statements, as in the \
             migration set.",
        ),
        Attribute::string("wait_for_jobs").optional().description(
            "As in the migration set. It determines the hazards of statements that start jobs.",
        ),
        Attribute::string("exec_order").optional().description(
            "As in the migration set. It determines which migrations are in `hazards` and \
             `pending_sql`.",
        ),
        Attribute::string("target_version")
            .optional()
            .description("Last version in `hazards` and `pending_sql`, as in the migration set."),
        Attribute::map_of("accept_checksums", Type::String).optional().description(
            "Edited files to accept, as in the migration set. They do not count as changed.",
        ),
        Attribute::set_of("removed_versions", Type::String).optional().description(
            "Versions whose files were removed on purpose, as in the migration set. They do \
             not count as missing.",
        ),
        Attribute::map_of("renamed_versions", Type::String).optional().description(
            "New versions of applied migrations, as in the migration set. The former versions \
             do not count as missing, and the new ones not as pending.",
        ),
    ]
}

/// The attributes of the comparison with files.
fn comparison_attributes() -> Vec<Attribute> {
    let with_files = "Null without `dir` and `files`.";
    vec![
        versions(
            "pending",
            &format!(
                "Versions that have a file and are not applied, and repeatable migrations whose \
                 text or values have changed. {with_files}"
            ),
        ),
        versions(
            "changed",
            &format!("Versions whose file differs from the one that was applied. {with_files}"),
        ),
        versions("missing", &format!("Applied versions that have no file. {with_files}")),
        Attribute::bool("up_to_date").computed().description(
            "Whether all files are applied unchanged, nothing else is applied, and nothing is \
             being built. Null without `dir` and `files`.",
        ),
    ]
}

/// A list of versions that the data source fills in.
fn versions(name: &str, text: &str) -> Attribute {
    Attribute::list_of(name, Type::String).computed().description(text)
}

/// The attributes of a migration that was begun and is not applied.
fn unfinished_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("status").computed().description(
            "Status of the migration: `failed`, or `running` if an apply is in progress or \
                 did not finish.",
        ),
        Attribute::string("error").computed().description("Reason why the last run failed."),
        Attribute::number("statements_done")
            .computed()
            .description("Number of statements that are done."),
        Attribute::number("batches").computed().description(
            "Number of committed batches of a statement that runs in batches. Null if no such \
             statement is in progress or did not finish.",
        ),
        Attribute::number("changed_rows")
            .computed()
            .description("Number of rows that these batches have changed."),
    ]
}

/// The attributes of the ledger.
fn ledger_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("id").computed().description(
            "Random identifier of the ledger. Null until the first apply of a provider that \
             writes one.",
        ),
        Attribute::number("layout").computed().description(
            "Number of the layout: which tables and columns the ledger has. Null if its header \
             cannot be read.",
        ),
        Attribute::string("provider_version")
            .computed()
            .description("Version of the provider that created the ledger or upgraded it last."),
    ]
}

/// The attributes of the run that holds the lease.
fn lease_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("holder")
            .computed()
            .description("Database role and process of the apply."),
        Attribute::string("until").computed().description(
            "Time at which the lease expires unless the apply renews it, in RFC 3339 format \
                 and UTC.",
        ),
    ]
}

/// The attributes of a job.
fn job_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("id").computed().description("ID of the job."),
        Attribute::string("type")
            .computed()
            .description("Type of the job, for example `INDEX_BUILD`."),
        Attribute::string("status")
            .computed()
            .description("Status of the job: `submitted`, `processing`, `completed`, or `failed`."),
        Attribute::string("object")
            .computed()
            .description("Index or table of the job. Null if it no longer exists."),
        Attribute::string("details").computed().description("Message of DSQL about a failure."),
    ]
}

fn ledger(ledger: &LedgerState) -> Value {
    if !ledger.exists() {
        return Value::Null;
    }
    let header = ledger.header();
    Value::object([
        ("id", header.and_then(|header| header.id.clone()).into()),
        ("layout", header.map(|header| u64::from(header.layout)).into()),
        ("provider_version", header.and_then(|header| header.provider_version.clone()).into()),
    ])
}

fn lease(holder: &Holder) -> Value {
    Value::object([
        ("holder", Value::from(holder.who.as_str())),
        ("until", Value::from(holder.until.as_str())),
    ])
}

/// Reads the arguments of a set. Placeholders of other tools are kept, because nothing runs.
fn source(config: &Object<'_>) -> Result<Input<Arc<dyn Source>>, Diagnostic> {
    source::decode(config, Placeholders::Variables)
}

fn has_source(config: &Object<'_>) -> bool {
    !config.value("dir").is_null() || !config.value("files").is_null()
}

/// Reads the files as they would run, as far as the values of variables are known.
async fn files(
    config: &Object<'_>,
    limit: &TimeLimit,
) -> Result<Option<ComparedFiles>, Vec<Diagnostic>> {
    if !has_source(config) {
        return Ok(None);
    }
    let source = source(config).map_err(|error| vec![error])?;
    let rules = StatementRules::of_text(config)?;
    let (Input::Known(source), Input::Known(rules)) = (source, rules) else { return Ok(None) };
    let prepared = rules.prepare(source::read(&source, limit).await?.migrations);
    let errors = prepared.errors_of_repeatable();
    if !errors.is_empty() {
        return Err(errors);
    }
    let has_values = !config.value("variables").is_null();
    let accepted = accepted_checksums(config).map_err(|error| vec![error])?;
    let renamed = policy::renamed_versions(config).map_err(|error| vec![error])?;
    let removed = texts(config, "removed_versions");
    let (Input::Known(accepted), Input::Known(removed), Input::Known(renamed)) =
        (accepted, removed, renamed)
    else {
        return Ok(None);
    };
    let removed = removed.into_iter().map(Version).collect();
    let migrations = prepared.migrations;
    Ok(Some(ComparedFiles { migrations, has_values, accepted, removed, renamed }))
}

/// The history tables of other tools, whether anything was adopted from them or not.
async fn history_tables(session: &mut Session, location: &LedgerLocation) -> Result<Value, Error> {
    let names: Vec<QualifiedName> = searched_names()
        .map(|name| QualifiedName { schema: None, name: name.to_owned() })
        .collect();
    let columns: Vec<_> = searched_columns().collect();
    let search = TableSearch { names: &names, columns: &columns };
    let tables = session.find_tables(search, &location.ledger, None).await?.tables;
    let formats = recognize(&tables).filter_map(|(table, recognized)| {
        let adopt = match recognized {
            Recognized::History(history) | Recognized::Renamed(history) => history.format().name(),
            Recognized::Unsupported(_) => "none",
            Recognized::Unreadable(_) => return None,
        };
        Some((table.name.to_string(), adopt))
    });
    Ok(Value::map(formats))
}

fn unfinished(record: &MigrationRecord) -> Value {
    let is_done =
        |state: &StatementState| matches!(state, StatementState::Done | StatementState::Skipped);
    let done = record.statements.iter().filter(|statement| is_done(&statement.state)).count();
    let batches = record.statements.iter().find_map(|statement| match &statement.state {
        StatementState::Batching(batches) => Some(*batches),
        _ => None,
    });
    let number = |of: fn(Batches) -> u64| batches.map(of);
    let (status, error) = match building::failure(record) {
        Some((_, error)) => (MigrationState::Failed.as_str(), Some(error)),
        None => (record.state.as_str(), record.error.clone()),
    };
    Value::object([
        ("status", Value::from(status)),
        ("error", error.into()),
        ("statements_done", Value::from(done as u64)),
        ("batches", number(|batches| batches.count).into()),
        ("changed_rows", number(|batches| batches.rows).into()),
    ])
}

fn of_ledger(records: &[MigrationRecord]) -> [(&'static str, Value); 6] {
    let with = |state| records.iter().filter(move |record| record.state == state);
    let version = |record: &MigrationRecord| record.version.0.clone();
    let failed = with(MigrationState::Failed)
        .map(|record| (version(record), record.error.clone().unwrap_or_default()));
    let failed = failed.chain(records.iter().filter_map(building::failure));
    let applied = records.iter().filter(|record| record.is_finished());
    [
        ("applied", Value::list(applied.map(version))),
        ("failed", Value::map(failed)),
        ("running", Value::list(with(MigrationState::Running).map(version))),
        ("latest_version", latest(records).into()),
        (
            "provider_versions",
            Value::map(
                records
                    .iter()
                    .filter_map(|record| Some((version(record), record.provider_version.clone()?))),
            ),
        ),
        (
            "unfinished",
            Value::map(
                records
                    .iter()
                    .filter(|record| !record.is_applied())
                    .map(|record| (version(record), unfinished(record))),
            ),
        ),
    ]
}

fn job(job: &ListedJob) -> Value {
    Value::object([
        ("id", job.id.0.as_str().into()),
        ("type", job.kind.as_str().into()),
        ("status", job.status.as_str().into()),
        ("object", job.object.clone().into()),
        ("details", job.details.clone().into()),
    ])
}
