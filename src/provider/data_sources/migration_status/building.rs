//! What is being built, without an apply that waits for it.

use crate::database::{BuildState, LedgerStatement, MigrationRecord, Observation};
use crate::schema::Attribute;
use crate::value::Value;

/// The attributes of an index or a constraint.
pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("version").computed().description("Version of the migration."),
        Attribute::number("statement")
            .computed()
            .description("Number of the statement that started the job, from 1."),
        Attribute::string("object")
            .computed()
            .description("Index or constraint, for example `index public.users_email`."),
        Attribute::string("job_id").computed().description("ID of the job."),
        Attribute::string("job_status")
            .computed()
            .description("Status of the job: `submitted` or `processing`."),
        Attribute::string("started_at")
            .computed()
            .description("Time at which the job was started, in RFC 3339 format and UTC."),
    ]
}

/// The objects whose jobs are running.
pub(super) fn running(observation: &Observation) -> Value {
    let own = observation.statements.iter().filter(|statement| statement.is_own);
    Value::list(own.filter_map(row))
}

fn row(statement: &LedgerStatement) -> Option<Value> {
    // Without its object, an apply waits for the job, or will.
    let build = statement.build.as_ref().filter(|_| statement.object.is_some())?;
    let number = statement.number.get() as u64;
    (build.state == BuildState::Running).then(|| {
        Value::object([
            ("version", Value::from(statement.version.0.as_str())),
            ("statement", Value::from(number)),
            ("object", build.object.as_ref().map(ToString::to_string).into()),
            ("job_id", statement.job.as_ref().map(|job| job.0.clone()).into()),
            ("job_status", build.status.clone().into()),
            ("started_at", build.started_at.clone().into()),
        ])
    })
}

/// The version and the error of a migration whose job has failed after the apply.
pub(super) fn failure(record: &MigrationRecord) -> Option<(String, String)> {
    let row = record.failed_job()?;
    let build = row.build.as_ref();
    let object = build.and_then(|build| build.object.as_ref());
    let object = object.map_or_else(|| row.summary.clone(), ToString::to_string);
    let details = build.and_then(|build| build.details.as_ref());
    let details = details.map(|text| format!(": {text}")).unwrap_or_default();
    let error = format!("the job of statement {} for {object} has failed{details}", row.number);
    Some((record.version.0.clone(), error))
}
