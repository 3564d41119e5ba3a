//! What a resource shows of migrations: of those in the ledger and of those that will run.

use crate::database::{MigrationRecord, MigrationState, Observation};
use crate::engine::drift;
use crate::migration::{Migration, Statement};
use crate::schema::Attribute;
use crate::sql;
use crate::value::{Type, Value};

/// The attributes that describe one migration, all computed.
pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("checksum")
            .computed()
            .description("SHA-256 of the text, with LF line ends and without byte order mark."),
        Attribute::list_of("statements", Type::String).computed().description(
            "One line for each statement: its class (`ddl`, `async-index`, `validate`, `dml`, \
             `grant`) and its beginning.",
        ),
        Attribute::string("status")
            .computed()
            .description("`applied`, `failed` or `running` (a run works on it, or was cut off)."),
        Attribute::string("applied_at")
            .computed()
            .description("When it was finished: RFC 3339, UTC, by the cluster's clock."),
        Attribute::string("applied_by").computed().description("The database role that ran it."),
        Attribute::number("duration_ms").computed().description("From start to end."),
    ]
}

/// A migration as the ledger has it.
pub(super) fn recorded(record: &MigrationRecord) -> Vec<(&'static str, Value)> {
    let statements =
        record.statements.iter().map(|statement| line(&statement.class, &statement.summary));
    vec![
        ("checksum", record.checksum.0.as_str().into()),
        ("statements", Value::list(statements)),
        ("status", record.state.as_str().into()),
        ("applied_at", record.finished_at.clone().into()),
        ("applied_by", record.applied_by.as_str().into()),
        ("duration_ms", record.duration_ms.into()),
    ]
}

/// A migration as an apply will leave it, as far as that is known before. What an earlier run has
/// begun is not run in another way: it stays as its record says, even if `rewrite` has changed.
pub(super) fn pending(
    migration: &Migration,
    begun: Option<&MigrationRecord>,
) -> Vec<(&'static str, Value)> {
    let lines = migration.statements.iter().enumerate().map(|(place, statement)| {
        let records = begun.map(|begun| begun.statements.as_slice()).unwrap_or_default();
        match records.iter().find(|record| record.number == place + 1) {
            Some(record) => line(&record.class, &record.summary),
            None => planned_line(statement),
        }
    });
    vec![
        ("checksum", migration.checksum.0.as_str().into()),
        ("statements", Value::list(lines)),
        ("status", MigrationState::Applied.as_str().into()),
        ("applied_at", Value::Unknown),
        ("applied_by", Value::Unknown),
        ("duration_ms", Value::Unknown),
    ]
}

/// The differences between the recorded and the live schema, in words.
pub(super) fn drift(observation: &Observation) -> Vec<String> {
    drift::changes(&observation.recorded, &observation.live)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn planned_line(statement: &Statement) -> String {
    line(statement.class.as_str(), &sql::summary(statement.shown()))
}

fn line(class: &str, summary: &str) -> String {
    format!("{class}: {summary}")
}
