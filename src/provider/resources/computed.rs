//! The computed attributes of migrations: of those in the ledger, and of those that will run.

use crate::database::{MigrationRecord, MigrationState, StatementRecord, StatementState};
use crate::engine::{Plan, PlannedMigration, Status, WaitForJobs};
use crate::migration::{Checksum, Class, Migration, MigrationKind, Statement};
use crate::schema::Attribute;
use crate::sql;
use crate::value::{Type, Value};

/// The attributes that describe one migration, all computed.
pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("checksum").computed().description(
            "SHA-256 checksum of the text, with LF line endings and without a byte order \
                 mark.",
        ),
        Attribute::string("statements").computed().description(
            "Statements of the migration, one line each: the class (`ddl`, `async-index`, \
             `validate`, `dml`, `batch`, or `grant`) and the beginning. `skipped` is one that \
             `rewrite` does not send. Unknown in a plan if a visible variable is.",
        ),
        Attribute::string("status").computed().description(
            "Status: `applied`, `adopted` (not run by the provider), `building`, `failed`, or \
             `running` (an apply is in progress or did not finish). A migration is `building` \
             until an apply records the end of the jobs for which none has waited.",
        ),
        Attribute::string("applied_at").computed().description(
            "Time at which the migration was applied or adopted, or failed last. By the clock of \
             the cluster, in RFC 3339 format and UTC.",
        ),
        Attribute::string("applied_by")
            .computed()
            .description("Database role that applied or adopted the migration."),
        Attribute::number("duration_ms")
            .computed()
            .description("Duration of the last run, in milliseconds."),
        Attribute::list_of("skipped", Type::String).computed().description(
            "Statements of a repeatable migration that its last run did not send, because their \
             whole effect already existed. Null for all other migrations.",
        ),
    ]
}

/// Sets attributes of a planned or new state.
pub(super) fn set_all<N: Into<String>>(object: &mut Value, attributes: Vec<(N, Value)>) {
    for (name, value) in attributes {
        object.set(name, value);
    }
}

/// Sets an attribute that the plan left unknown.
pub(super) fn set_if_unknown(object: &mut Value, name: &str, value: Value) {
    if object.get(name).is_some_and(Value::is_unknown) {
        object.set(name, value);
    }
}

/// The longest list of versions in `last_run`. Terraform prints all of it again when the next apply
/// replaces it.
const LONGEST_RUN: usize = 20;

/// The versions that an apply of this plan sets out to run, or the first of them and how many
/// follow; unknown while values are unknown that decide it.
pub(super) fn versions_to_run(plan: &Plan<'_>) -> Value {
    if !plan.pending().all(|entry| entry.migration.values.are_known()) {
        return Value::Unknown;
    }
    let versions = plan.pending().map(|entry| entry.migration.version.0.clone());
    let more = plan.pending().count().saturating_sub(LONGEST_RUN);
    let rest = (more > 0).then(|| format!("and {more} more"));
    Value::list(versions.take(LONGEST_RUN).chain(rest))
}

/// The name of the attribute that lists statements.
pub(super) const STATEMENTS: &str = "statements";

/// The attribute `statements` with these lines. It ends with a line break, because Terraform prints
/// a string that contains one without escapes.
pub(super) fn joined(lines: impl IntoIterator<Item = String>) -> Value {
    lines.into_iter().map(|line| line + "\n").collect::<String>().into()
}

/// The status of a migration that no run of the provider has applied.
pub(super) const ADOPTED: &str = "adopted";

/// The attribute `status` of a recorded migration.
pub(super) fn status(record: &MigrationRecord) -> &'static str {
    if record.adopted_from.is_some() { ADOPTED } else { record.state.as_str() }
}

/// Whether nothing is left to run of a migration with this status.
pub(super) fn is_applied(status: &str) -> bool {
    let states = [MigrationState::Applied, MigrationState::Building];
    status == ADOPTED || states.iter().any(|state| state.as_str() == status)
}

/// Whether a row of a state records its migration as applied.
pub(super) fn is_recorded_as_applied(row: &Value) -> bool {
    row.get("status").and_then(|status| status.string().known()).is_some_and(is_applied)
}

/// Whether a state records this migration as applied, with the same values of its variables. An
/// `accepted` checksum counts as the applied one.
pub(super) fn says_applied(
    row: &Value,
    migration: &Migration,
    same_values: bool,
    accepted: Option<&Checksum>,
) -> bool {
    let text = |name| row.get(name)?.string().known();
    text("status").is_some_and(is_applied)
        && (same_values || !migration.is_repeatable())
        && (text("checksum") == Some(migration.checksum.0.as_str())
            || accepted == Some(&migration.checksum))
}

/// Whether a migration has the text that a state records for it. An `accepted` checksum counts, and
/// the text may change before the migration is applied, or if it is repeatable.
pub(super) fn holds(row: &Value, migration: &Migration, accepted: Option<&Checksum>) -> bool {
    migration.is_repeatable()
        || !is_recorded_as_applied(row)
        || row.get("checksum") == Some(&migration.checksum.0.as_str().into())
        || accepted == Some(&migration.checksum)
}

/// The attributes of a migration in the ledger, or of one that will be adopted.
pub(super) fn recorded(record: &MigrationRecord) -> Vec<(&'static str, Value)> {
    let new = record.is_to_adopt();
    let shown = |statement: &StatementRecord| line(statement.class.as_str(), &statement.summary);
    let lines = record.statements.iter().map(|row| recorded_line(row, record.kind));
    let skipped = record.statements.iter().filter(|row| row.state == StatementState::Skipped);
    let skipped = match record.kind {
        MigrationKind::Repeatable => Value::list(skipped.map(shown)),
        MigrationKind::Versioned | MigrationKind::Baseline => Value::Null,
    };
    vec![
        ("checksum", record.checksum.0.as_str().into()),
        (STATEMENTS, joined(lines)),
        ("status", status(record).into()),
        ("applied_at", if new { Value::Unknown } else { record.finished_at.clone().into() }),
        ("applied_by", if new { Value::Unknown } else { record.applied_by.as_str().into() }),
        ("duration_ms", record.duration_ms.into()),
        ("skipped", skipped),
    ]
}

/// The attributes that an apply will leave, as far as they are known before. A statement that an
/// earlier run has begun stays as recorded, even if `rewrite` has changed since.
pub(super) fn pending(
    migration: &Migration,
    begun: Option<&MigrationRecord>,
    wait: WaitForJobs,
) -> Vec<(&'static str, Value)> {
    let lines = migration.numbered().map(|(number, statement)| {
        let records = begun.map(|begun| begun.statements.as_slice()).unwrap_or_default();
        match records.iter().find(|record| record.number == number) {
            Some(record) if record.is_binding() => Some(recorded_line(record, migration.kind)),
            // The text of the ledger will have the value.
            _ if statement.lacks_shown_value() => None,
            _ => Some(planned_line(statement, migration.kind)),
        }
    });
    let lines: Option<Vec<String>> = lines.collect();
    vec![
        ("checksum", migration.checksum.0.as_str().into()),
        (STATEMENTS, lines.map_or(Value::Unknown, joined)),
        ("status", status_after(migration, wait)),
        ("applied_at", Value::Unknown),
        ("applied_by", Value::Unknown),
        ("duration_ms", Value::Unknown),
        ("skipped", if migration.is_repeatable() { Value::Unknown } else { Value::Null }),
    ]
}

/// The status after a run. A job for which the run does not wait may end before the run does.
fn status_after(migration: &Migration, wait: WaitForJobs) -> Value {
    let is_async = |it: &Statement| matches!(it.class, Class::AsyncIndex | Class::Validate);
    if wait == WaitForJobs::Needed && migration.statements.iter().any(is_async) {
        return Value::Unknown;
    }
    MigrationState::Applied.as_str().into()
}

/// The attributes of a recorded migration after a run of other migrations, which records the jobs
/// of this one that have ended.
pub(super) fn recorded_after(record: &MigrationRecord) -> Vec<(&'static str, Value)> {
    let mut recorded = recorded(record);
    if record.state == MigrationState::Building {
        let status = recorded.iter_mut().filter(|(name, _)| *name == "status");
        status.for_each(|(_, value)| *value = Value::Unknown);
    }
    recorded
}

/// The attributes of a recorded migration without a file after a run that drops what its failed
/// jobs have left.
pub(super) fn abandoned(record: &MigrationRecord) -> Vec<(&'static str, Value)> {
    if record.failed_rows().next().is_none() {
        return recorded_after(record);
    }
    let mut kept = record.clone();
    kept.statements.retain(|row| !row.has_failed());
    kept.state = MigrationState::Failed;
    let mut attributes = recorded(&kept);
    for (name, value) in &mut attributes {
        if matches!(*name, "applied_at" | "duration_ms") {
            *value = Value::Unknown;
        }
    }
    attributes
}

/// The attributes of a repeatable migration that runs again, or that may run again, depending on
/// values of variables that are not known yet.
pub(super) fn again(
    migration: &Migration,
    last: &MigrationRecord,
    wait: WaitForJobs,
) -> Vec<(&'static str, Value)> {
    let mut planned = pending(migration, None, wait);
    let recorded = recorded(last);
    if !migration.values.are_known() && last.checksum == migration.checksum {
        // The statements differ from those of the last run, for example by `rewrite`.
        for (planned, recorded) in planned.iter_mut().zip(recorded) {
            if planned.0 == STATEMENTS && planned.1 != recorded.1 {
                planned.1 = Value::Unknown;
            }
        }
    }
    planned
}

/// The attributes of one migration of a plan; `None` if it is excluded.
pub(super) fn planned(
    entry: &PlannedMigration<'_>,
    wait: WaitForJobs,
) -> Option<Vec<(&'static str, Value)>> {
    Some(match &entry.status {
        Status::Applied(record) => recorded(record),
        Status::Pending { begun } => pending(entry.migration, *begun, wait),
        Status::Rerun { last } => again(entry.migration, last, wait),
        Status::Excluded(_) => return None,
    })
}

/// Stands in place of the class of a statement that is not sent.
const OMITTED: &str = "skipped";

fn planned_line(statement: &Statement, of: MigrationKind) -> String {
    let is_omitted = statement.is_omitted() && of != MigrationKind::Repeatable;
    let class = if is_omitted { OMITTED } else { statement.class.as_str() };
    line(class, &sql::summary(statement.shown()))
}

/// As [`planned_line`]. Which statements of a repeatable migration are skipped depends on the
/// catalog too, so no plan knows it.
fn recorded_line(statement: &StatementRecord, of: MigrationKind) -> String {
    let is_omitted = statement.state == StatementState::Skipped && of != MigrationKind::Repeatable;
    line(if is_omitted { OMITTED } else { statement.class.as_str() }, &statement.summary)
}

fn line(class: &str, summary: &str) -> String {
    format!("{class}: {summary}")
}
