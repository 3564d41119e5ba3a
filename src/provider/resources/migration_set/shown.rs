//! The computed attributes of a set: as the ledger has them, and as an apply will leave them.

use super::super::operation::{KnownModel, LoadedModel};
use super::super::state_ledger::ChangedRow;
use super::super::{computed, drift};
use crate::database::{MigrationRecord, Observation};
use crate::engine::renames::{current, has_former};
use crate::engine::{ExecOrder, Plan, PlannedMigration, Status, WaitForJobs};
use crate::migration::{MigrationKind, Version};
use crate::provider::settings::LedgerLocation;
use crate::value::Value;

/// The attributes of a migration in the ledger.
fn row(record: &MigrationRecord, computed: Vec<(&'static str, Value)>) -> Value {
    let mut attributes = vec![
        ("description", record.description.as_str().into()),
        ("adopted_from", record.adopted_from.clone().into()),
    ];
    attributes.extend(computed);
    Value::object(attributes)
}

/// The computed attributes as the ledger has them.
pub(super) fn shown(
    location: &LedgerLocation,
    observation: &Observation,
) -> Vec<(&'static str, Value)> {
    let migrations = observation
        .migrations
        .iter()
        .map(|record| (record.version.0.clone(), row(record, computed::recorded(record))));
    vec![
        ("migrations", Value::map(migrations)),
        ("latest_version", latest(&observation.migrations).into()),
        ("ledger", location.ledger_name().into()),
    ]
}

/// Gives the changed rows the values that they had in the state before, and the latest version too,
/// which a deleted row may have been.
pub(super) fn keep_rows(state: &mut Value, before: &Value, changed: &[ChangedRow]) {
    let rows = before.get("migrations");
    let (Some(rows), Some(Value::Map(mut now))) = (rows, state.get("migrations").cloned()) else {
        return;
    };
    if changed.is_empty() {
        return;
    }
    for ChangedRow { version, .. } in changed {
        now.extend(rows.get(&version.0).map(|row| (version.0.clone(), row.clone())));
    }
    state.set("migrations", Value::Map(now));
    state.set("latest_version", before.get("latest_version").cloned().unwrap_or(Value::Null));
}

/// The version that was begun last, of those that are applied and not repeatable.
pub(crate) fn latest(records: &[MigrationRecord]) -> Option<String> {
    last_begun(records, |record| record.is_applied() && record.kind != MigrationKind::Repeatable)
}

/// The last of the records that count. A migration with a new version began under its former one.
fn last_begun(
    records: &[MigrationRecord],
    counts: impl Fn(&MigrationRecord) -> bool,
) -> Option<String> {
    let counts = |record: &&MigrationRecord| counts(record) && !has_former(record, records);
    let last = records.iter().rfind(counts)?;
    Some(current(last, records).version.0.clone())
}

/// The computed attributes as a run will leave them.
pub(super) fn after(
    plan: &Plan<'_>,
    ledger: &[MigrationRecord],
    wait: WaitForJobs,
) -> Vec<(&'static str, Value)> {
    let migrations = plan.entries.iter().filter_map(|entry| {
        let version = &entry.migration.version;
        if let Status::Excluded(_) = entry.status {
            // An earlier run has begun it, and this one leaves it as it is.
            let begun = ledger.iter().find(|it| it.version == *version && !it.is_applied())?;
            return Some((version.0.clone(), row(begun, computed::recorded_after(begun))));
        }
        let mut attributes = match entry.status {
            Status::Applied(record) => computed::recorded_after(record),
            _ => computed::planned(entry, wait)?,
        };
        let (description, from) = match entry.status {
            Status::Applied(record) => (&record.description, record.adopted_from.clone()),
            _ => (&entry.migration.description, None),
        };
        attributes.push(("description", description.as_str().into()));
        attributes.push(("adopted_from", from.into()));
        Some((version.0.clone(), Value::object(attributes)))
    });
    let retired = plan
        .retired
        .iter()
        .map(|record| (record.version.0.clone(), row(record, computed::abandoned(record))));
    vec![
        ("migrations", Value::map(migrations.chain(retired))),
        ("latest_version", latest_after(plan, ledger).into()),
    ]
}

/// The value of [`latest`] after the run, whose migrations begin after all that are begun now.
fn latest_after(plan: &Plan<'_>, ledger: &[MigrationRecord]) -> Option<String> {
    let pending = |version: &Version| {
        plan.pending().find(|entry| entry.migration.version == *version && !is_repeatable(entry))
    };
    let is_new = |entry: &&PlannedMigration<'_>| !is_repeatable(entry) && entry.begun().is_none();
    if let Some(last) = plan.pending().filter(is_new).last() {
        return Some(last.migration.version.0.clone());
    }
    last_begun(ledger, |record| {
        let is_applied = record.is_applied() && record.kind != MigrationKind::Repeatable;
        is_applied || pending(&record.version).is_some()
    })
}

fn is_repeatable(entry: &PlannedMigration<'_>) -> bool {
    entry.migration.is_repeatable()
}

/// The computed attributes while the cluster is unknown: only the texts are certain.
pub(super) fn from_files(model: &LoadedModel<'_>) -> Vec<(&'static str, Value)> {
    let (migrations, KnownModel { policy, rules, .. }) = (model.migrations(), model.known);
    // The history of the cluster may decide which of them run.
    let is_open = migrations.iter().any(|migration| migration.kind == MigrationKind::Baseline)
        || policy.order == ExecOrder::LinearSkip
        || policy.target.is_some()
        || !policy.removed.is_empty()
        || !policy.renamed.is_empty();
    let planned = migrations.iter().map(|migration| {
        let mut attributes = vec![("description", Value::Unknown), ("adopted_from", Value::Null)];
        attributes.extend(computed::pending(migration, None, rules.wait).into_iter().map(
            |(name, value)| {
                // With an accepted checksum the ledger may hold another text.
                let certain = matches!(name, "status" | "skipped")
                    || matches!(name, "checksum" | "statements")
                        && !policy.accepted.contains_key(&migration.version);
                (name, if certain { value } else { Value::Unknown })
            },
        ));
        (migration.version.0.clone(), Value::object(attributes))
    });
    let planned = if is_open { Value::Unknown } else { Value::map(planned) };
    let mut attributes = vec![
        ("migrations", planned),
        ("latest_version", Value::Unknown),
        ("last_run", Value::Unknown),
        ("hazards", Value::Unknown),
        ("ledger", Value::Unknown),
    ];
    attributes.extend(drift::known_after_apply());
    attributes
}

/// The computed attributes while an argument is unknown.
pub(super) fn unknown() -> Vec<(&'static str, Value)> {
    let mut attributes: Vec<_> =
        ["migrations", "latest_version", "detected_format", "last_run", "hazards", "ledger"]
            .map(|name| (name, Value::Unknown))
            .into_iter()
            .collect();
    attributes.extend(drift::known_after_apply());
    attributes
}
