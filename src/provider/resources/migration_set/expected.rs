//! Compares the migrations with the state before a plan, and with the planned state at apply.

use super::super::computed;
use crate::diagnostic::Diagnostic;
use crate::engine::{Plan, PlannedMigration, Policy, Status};
use crate::migration::{Migration, Version};
use crate::provider::diagnostics;
use crate::value::{Input, Object, Value};

/// Whether the state records exactly these migrations as applied.
pub(super) fn nothing_new(
    state: &Value,
    config: &Object<'_>,
    migrations: &[Migration],
    policy: &Policy,
) -> bool {
    let Some(Input::Known(recorded)) = state.get("migrations").map(Value::entries) else {
        return false;
    };
    let same_values = state.get("variables") == Some(config.value("variables"));
    let has_file = |version: &String| migrations.iter().any(|it| it.version.0 == *version);
    let formers: Vec<_> = recorded.values().filter_map(former).collect();
    let mut without_file = recorded.keys().filter(|version| !has_file(version));
    without_file.all(|version| {
        formers.contains(&version.as_str())
            || policy.removed.iter().any(|removed| removed.0 == *version)
    }) && migrations.iter().all(|migration| {
        let accepted = policy.accepted.get(&migration.version);
        recorded
            .get(&migration.version.0)
            .is_some_and(|row| computed::says_applied(row, migration, same_values, accepted))
    })
}

/// The former version of a renamed migration, which needs no file, or the source of an adopted one.
fn former(row: &Value) -> Option<&str> {
    row.get("adopted_from")?.string().known()
}

/// Whether the migrations have the recorded text of every applied one in the state, under its
/// version or a new one.
pub(super) fn holds_recorded(state: &Value, migrations: &[Migration], policy: &Policy) -> bool {
    let Some(Input::Known(recorded)) = state.get("migrations").map(Value::entries) else {
        return false;
    };
    let formers: Vec<_> = recorded.values().filter_map(former).collect();
    let file =
        |version: &Version| migrations.iter().find(|migration| migration.version == *version);
    recorded.iter().all(|(version, row)| {
        let version = &Version(version.clone());
        let renamed = policy.renamed.get(version);
        match file(version).or_else(|| renamed.and_then(file)) {
            Some(migration) => {
                computed::holds(row, migration, policy.accepted.get(&migration.version))
            }
            None => formers.contains(&version.0.as_str()) || policy.removed.contains(version),
        }
    })
}

/// Refuses to run anything but what was planned: a saved plan may be old.
pub(super) fn as_planned(expected: &Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
    let Input::Known(expected) = expected.entries() else { return Ok(()) };
    let mut differences: Vec<String> = plan
        .entries
        .iter()
        .filter_map(|entry| difference(entry, expected.get(&entry.migration.version.0)))
        .collect();
    for record in &plan.retired {
        if !expected.contains_key(&record.version.0) {
            differences.push(format!("the ledger contains {}, which has no file", record.version));
        }
    }
    for version in expected.keys() {
        let mut entries = plan.entries.iter();
        let is_retired = plan.retired.iter().any(|record| record.version.0 == *version);
        if !is_retired && !entries.any(|entry| entry.migration.version.0 == *version) {
            differences.push(format!("migration {version} no longer has a file"));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(diagnostics::out_of_date(&differences))
}

/// How a migration differs from what was planned for it.
fn difference(entry: &PlannedMigration<'_>, planned: Option<&Value>) -> Option<String> {
    let version = &entry.migration.version;
    if let Status::Excluded(_) = entry.status {
        return None;
    }
    let Some(planned) = planned else { return Some(format!("migration {version} was added")) };
    let text = |name| planned.get(name)?.string().known();
    let is_known = |name| planned.get(name).is_some_and(|value| !value.is_unknown());
    let is_unknown = |name| planned.get(name).is_some_and(Value::is_unknown);
    match &entry.status {
        Status::Pending { .. } | Status::Rerun { .. }
            if text("checksum") != Some(entry.migration.checksum.0.as_str()) =>
        {
            Some(format!("{} was changed", entry.migration.file))
        }
        Status::Applied(record)
            if text("status").is_some_and(|status| computed::status(record) != status) =>
        {
            Some(match &record.adopted_from {
                Some(from) => format!("migration {version} is applied according to {from}"),
                None => format!("another apply ran migration {version}"),
            })
        }
        Status::Applied(record) if record.is_to_adopt() => None,
        Status::Pending { .. } if text("status") == Some(computed::ADOPTED) => {
            Some(format!("migration {version} no longer counts as applied"))
        }
        // A repeatable one may turn out to have the values of its last run.
        Status::Applied(_)
            if !entry.migration.is_repeatable()
                && is_unknown("applied_at")
                && is_known("description") =>
        {
            Some(format!("another apply ran migration {version}"))
        }
        Status::Pending { .. } if is_known("applied_at") => {
            Some(format!("migration {version} is no longer in the ledger"))
        }
        Status::Rerun { .. } if is_known("applied_at") => {
            Some(format!("the values of the variables of {version} have changed"))
        }
        Status::Applied(_)
        | Status::Pending { .. }
        | Status::Rerun { .. }
        | Status::Excluded(_) => None,
    }
}
