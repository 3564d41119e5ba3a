//! `dsql_migration_status`: what the ledger says of a set, beside the files if they are named.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::clusters::Clusters;
use super::super::contract::DataSource;
use super::super::diagnostics;
use super::super::resources::migration_set::{DEFAULT_NAME, latest};
use super::super::resources::source::{self, Source};
use super::super::resources::{policy, run};
use super::super::settings::cluster_attribute;
use super::super::timeouts;
use crate::database::{Holder, ListedJob, MigrationRecord, MigrationState, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::{self, ExecOrder, PlanError, Policy};
use crate::formats::Placeholders;
use crate::migration::{Migration, Version};
use crate::schema::{Attribute, Nesting, Schema};
use crate::value::{Input, Object, Type, Value};

/// The data source type.
pub(in super::super) struct MigrationStatus {
    clusters: Arc<Clusters>,
}

impl MigrationStatus {
    pub(in super::super) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters }
    }
}

#[async_trait]
impl DataSource for MigrationStatus {
    fn type_name(&self) -> &'static str {
        "dsql_migration_status"
    }

    fn schema(&self) -> Schema {
        let versions = |name: &str, text: &str| {
            Attribute::list_of(name, Type::String).computed().description(text)
        };
        let with_files = "Null without `dir` and `files`.";
        let job = vec![
            Attribute::string("id").computed().description("Name of the job."),
            Attribute::string("type")
                .computed()
                .description("`INDEX_BUILD` or `VALIDATE_CONSTRAINT`."),
            Attribute::string("status")
                .computed()
                .description("`submitted`, `processing`, `completed` or `failed`."),
            Attribute::string("object")
                .computed()
                .description("The index or table that it works on; null once that is gone."),
            Attribute::string("details").computed().description("DSQL's words about a failure."),
        ];
        let lease = vec![
            Attribute::string("holder").computed().description("Its database role and process."),
            Attribute::string("until")
                .computed()
                .description("When its lease ends unless the run renews it: RFC 3339, UTC."),
        ];
        Schema::new(vec![
            Attribute::string("name")
                .optional()
                .description("Name of the set in the ledger. Default: `default`."),
            Attribute::string("dir")
                .optional()
                .description("Directory with the migrations, to compare the ledger with."),
            Attribute::map_of("files", Type::String)
                .optional()
                .description("Migrations as a map from name to SQL, instead of `dir`."),
            Attribute::set_of("repeatable", Type::String)
                .optional()
                .description(policy::REPEATABLE),
            Attribute::string("format")
                .optional()
                .description("Format of `dir`, as for `dsql_migration_set`."),
            cluster_attribute(),
            versions("applied", "Versions that are applied, in the order of the set."),
            Attribute::map_of("failed", Type::String)
                .computed()
                .description("Versions whose last run failed: version to error."),
            versions("running", "Versions that a run works on, or at which one was cut off."),
            Attribute::string("latest_version").computed().description(
                "Version of the migration that was begun last, of those that are applied and not \
                 repeatable.",
            ),
            versions(
                "pending",
                &format!(
                    "Versions that have a file and are not applied, and repeatable ones whose \
                     text has changed. {with_files}"
                ),
            ),
            versions(
                "changed",
                &format!("Versions whose file is not the one that was applied. {with_files}"),
            ),
            versions("missing", &format!("Applied versions that have no file. {with_files}")),
            Attribute::bool("up_to_date").computed().description(
                "Whether all files are applied as they are, and nothing else. Null without `dir` \
                 and `files`.",
            ),
            Attribute::nested("lease", Nesting::Single, lease).computed().description(
                "The run that works on the set now; null if none does. A run that was killed shows \
                 here until its lease ends.",
            ),
            Attribute::nested("jobs", Nesting::List, job).computed().description(
                "Index builds and validations of the cluster, of all sets. Finished ones disappear \
                 after about 30 minutes.",
            ),
        ])
        .description(
            "Reads what the ledger of an Aurora DSQL cluster says of a set of migrations, for \
             checks, tests and outputs. It writes nothing.",
        )
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let source = has_source(&config).then(|| source(&config).err()).flatten();
        source.into_iter().chain(run::check_cluster(&config).err()).collect()
    }

    async fn read(&self, config: &Value) -> Result<Value, Vec<Diagnostic>> {
        let Some(object) = Object::new(config) else { return Ok(Value::Null) };
        let files = if has_source(&object) {
            match source(&object).map_err(|error| vec![error])? {
                Input::Known(source) => Some(source.read()?.0),
                Input::Null | Input::Unknown => None,
            }
        } else {
            None
        };
        let name = object.string("name").known().unwrap_or(DEFAULT_NAME);
        let place = super::place(&self.clusters, &object).map_err(|error| vec![error])?;
        let nothing = Watched::Schemas(Vec::new());
        let limit = timeouts::DEFAULT_READ;
        let seen = run::look(&self.clusters, &place, name, &nothing, limit)
            .await
            .map_err(|error| vec![error])?;
        let jobs = async { self.clusters.session(&place.target).await?.list_jobs().await };
        let jobs = jobs.await.map_err(|error| {
            vec![diagnostics::database_error(
                &format!("reading the jobs of {}", place.target),
                &error,
            )]
        })?;

        let mut state = config.clone();
        for (name, value) in of_ledger(&seen.migrations) {
            state.set(name, value);
        }
        for (name, value) in of_files(files.as_deref(), &seen.migrations) {
            state.set(name, value);
        }
        state.set("lease", seen.holder.as_ref().map_or(Value::Null, lease));
        state.set("jobs", Value::list(jobs.iter().map(job)));
        Ok(state)
    }
}

fn lease(holder: &Holder) -> Value {
    Value::object([
        ("holder", Value::from(holder.who.as_str())),
        ("until", Value::from(holder.until.as_str())),
    ])
}

/// Nothing runs from here, so placeholders of other tools are read as they stand.
fn source(config: &Object<'_>) -> Result<Input<Source>, Diagnostic> {
    source::decode(config, Placeholders::Variables)
}

fn has_source(config: &Object<'_>) -> bool {
    !config.value("dir").is_null() || !config.value("files").is_null()
}

fn of_ledger(records: &[MigrationRecord]) -> [(&'static str, Value); 4] {
    let with = |state| records.iter().filter(move |record| record.state == state);
    let version = |record: &MigrationRecord| record.version.0.clone();
    let failed = with(MigrationState::Failed)
        .map(|record| (version(record), record.error.clone().unwrap_or_default()));
    [
        ("applied", Value::list(with(MigrationState::Applied).map(version))),
        ("failed", Value::map(failed)),
        ("running", Value::list(with(MigrationState::Running).map(version))),
        ("latest_version", latest(records).into()),
    ]
}

/// Compares files with the ledger; all is null without files.
fn of_files(
    files: Option<&[Migration]>,
    records: &[MigrationRecord],
) -> [(&'static str, Value); 4] {
    let names = ["pending", "changed", "missing", "up_to_date"];
    let Some(files) = files else { return names.map(|name| (name, Value::Null)) };
    let of = |version: &Version| records.iter().find(|record| record.version == *version);
    let is_changed = |file: &&Migration| {
        let is_applied = |record: &&MigrationRecord| record.state == MigrationState::Applied;
        of(&file.version).filter(is_applied).is_some_and(|r| r.checksum != file.checksum)
    };
    let repeats = |file: &Migration| file.is_repeatable();
    let changed: Vec<String> = files
        .iter()
        .filter(|file| is_changed(file) && !repeats(file))
        .map(|file| file.version.0.clone())
        .collect();

    // What is not asked here counts as allowed, so that all that is pending is named.
    let accepted = files.iter().map(|file| (file.version.clone(), file.checksum.clone()));
    let mut policy =
        Policy { accepted: accepted.collect(), order: ExecOrder::NonLinear, ..Policy::default() };
    let errors = engine::plan(files, records, &policy).err().unwrap_or_default();
    let missing: Vec<Version> = errors
        .into_iter()
        .filter_map(|error| match error {
            PlanError::FileMissing { version, whole: true, .. } => Some(version),
            _ => None,
        })
        .collect();
    policy.removed = missing.iter().cloned().collect();
    let missing: Vec<String> = missing.into_iter().map(|version| version.0).collect();
    let plan = engine::plan(files, records, &policy);
    // The values of variables are not known here: of a repeatable one only the text is compared.
    let is_pending = |file: &&Migration| match (of(&file.version), &plan) {
        (Some(record), _) if repeats(file) => {
            record.state != MigrationState::Applied || is_changed(file)
        }
        (_, Ok(plan)) => plan.pending().any(|entry| entry.migration == *file),
        (record, Err(_)) => record.is_none_or(|r| r.state != MigrationState::Applied),
    };
    let pending: Vec<String> =
        files.iter().filter(is_pending).map(|file| file.version.0.clone()).collect();
    // A migration that failed or runs is pending, or has no file and is of no account.
    let up_to_date = pending.is_empty() && changed.is_empty() && missing.is_empty();
    let values = [pending.into(), changed.into(), missing.into(), up_to_date.into()];
    let mut values = values.into_iter();
    names.map(|name| (name, values.next().unwrap_or(Value::Null)))
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
