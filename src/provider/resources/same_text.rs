//! Finds a `dsql_migration` that would run although its text is applied under another version.
//!
//! A migration set compares all of its files with the ledger. A single migration only knows the
//! version in its state, so a new resource with the text of another one may be intended.

use super::operation::SetOperation;
use crate::database::{MigrationRecord, Observation};
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::migration::MigrationKind;
use crate::provider::diagnostics;
use crate::value::Value;

/// The error for a migration whose version has changed since the state, or the warning about the
/// text of another migration.
pub(super) fn applied_as_another_version(
    prior: &Value,
    operation: &SetOperation<'_>,
    observation: &Observation,
    plan: &Plan<'_>,
) -> Option<Diagnostic> {
    let pending = plan.pending().find(|entry| !entry.migration.is_repeatable());
    let entry = pending.filter(|entry| !entry.begun().is_some_and(MigrationRecord::has_begun))?;
    let migration = entry.migration;
    let is_same = |record: &&MigrationRecord| {
        record.version != migration.version
            && record.kind == MigrationKind::Versioned
            && record.is_applied()
            && record.checksum == migration.checksum
    };
    let same = || observation.migrations.iter().filter(is_same);
    let former = prior.get("version").and_then(|version| version.string().known());
    match same().find(|record| former == Some(record.version.0.as_str())) {
        Some(record) => Some(diagnostics::version_changed(migration, &record.version)),
        None => same().next().map(|record| {
            diagnostics::applied_before(migration, &record.version, &operation.subject())
        }),
    }
}
