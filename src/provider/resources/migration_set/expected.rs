//! What a plan expects of its apply, and a state of the next plan.

use super::super::computed;
use crate::diagnostic::Diagnostic;
use crate::engine::{Plan, Policy, Status};
use crate::migration::Migration;
use crate::provider::diagnostics;
use crate::value::{Input, Object, Value};

/// Whether the state says that exactly these migrations are applied.
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
    recorded.len() == migrations.len()
        && migrations.iter().all(|migration| {
            let accepted = policy.accepted.get(&migration.version);
            recorded
                .get(&migration.version.0)
                .is_some_and(|row| computed::says_applied(row, migration, same_values, accepted))
        })
}

/// Refuses to run anything else than what was planned: a saved plan may be old.
pub(super) fn as_planned(expected: &Value, plan: &Plan<'_>) -> Result<(), Diagnostic> {
    let Input::Known(expected) = expected.entries() else { return Ok(()) };
    let mut differences = Vec::new();
    for entry in &plan.entries {
        let version = &entry.migration.version;
        let planned = expected.get(&version.0);
        let text = |name| planned.and_then(|planned| planned.get(name)?.string().known());
        let is_repeatable = entry.migration.is_repeatable();
        match (planned, &entry.status) {
            (_, Status::Excluded(_)) => {}
            (None, _) => differences.push(format!("migration {version} was added")),
            (Some(_), Status::Pending { .. } | Status::Rerun { .. })
                if text("checksum") != Some(entry.migration.checksum.0.as_str()) =>
            {
                differences.push(format!("{} was changed", entry.migration.file));
            }
            (Some(_), Status::Applied(record))
                if text("status").is_some_and(|status| computed::status(record) != status) =>
            {
                let from = record.adopted_from.as_deref().unwrap_or("another run");
                differences.push(format!("migration {version} is applied according to {from}"));
            }
            (Some(_), Status::Applied(record)) if record.is_to_adopt() => {}
            (Some(_), Status::Pending { .. }) if text("status") == Some(computed::ADOPTED) => {
                differences.push(format!("migration {version} does not count as applied any more"));
            }
            // A repeatable one may turn out to have the values of its last run.
            (Some(planned), Status::Applied(_))
                if !is_repeatable
                    && planned.get("applied_at").is_some_and(Value::is_unknown)
                    && planned.get("description").is_some_and(|d| !d.is_unknown()) =>
            {
                differences.push(format!("migration {version} was applied by another run"));
            }
            (Some(planned), Status::Pending { .. })
                if planned.get("applied_at").is_some_and(|at| !at.is_unknown()) =>
            {
                differences.push(format!("migration {version} is not in the ledger any more"));
            }
            (Some(planned), Status::Rerun { .. })
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
        let mut runs = plan.entries.iter().filter(|e| !matches!(e.status, Status::Excluded(_)));
        let is_retired = plan.retired.iter().any(|record| record.version.0 == *version);
        if !is_retired && !runs.any(|entry| entry.migration.version.0 == *version) {
            differences.push(format!("migration {version} has no file any more"));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(diagnostics::out_of_date(&differences))
}
