//! Compares files with the ledger: what is pending, changed and missing.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::MigrationRecord;
use crate::engine::adoption::with_renamed;
use crate::engine::renames::Renames;
use crate::engine::{self, ExecOrder, PlanError, Policy};
use crate::migration::{Checksum, Migration, Version};
use crate::value::Value;

/// The files that are compared.
pub(super) struct ComparedFiles {
    pub(super) migrations: Vec<Migration>,
    /// Whether the configuration has values of variables.
    pub(super) has_values: bool,
    /// Applied migrations whose files may have changed, each with the accepted checksum.
    pub(super) accepted: BTreeMap<Version, Checksum>,
    /// Applied versions whose files were removed on purpose.
    pub(super) removed: BTreeSet<Version>,
    /// New versions of applied migrations, by the former version.
    pub(super) renamed: BTreeMap<Version, Version>,
}

/// The attributes of the comparison; null without files.
pub(super) fn of_files(
    files: Option<&ComparedFiles>,
    records: &[MigrationRecord],
) -> [(&'static str, Value); 4] {
    let names = ["pending", "changed", "missing", "up_to_date"];
    let Some(ComparedFiles { migrations: files, has_values, accepted, removed, renamed }) = files
    else {
        return names.map(|name| (name, Value::Null));
    };
    let as_configured = Policy {
        accepted: accepted.clone(),
        removed: removed.clone(),
        renamed: renamed.clone(),
        ..Policy::default()
    };
    let renames = Renames::find(files, records, &as_configured);
    let records = &with_renamed(records, renames.declared())[..];
    let of = |version: &Version| records.iter().find(|record| record.version == *version);
    let is_changed = |file: &&Migration| {
        let is_applied = |record: &&MigrationRecord| record.is_applied();
        of(&file.version).filter(is_applied).is_some_and(|r| r.checksum != file.checksum)
    };
    let repeats = |file: &Migration| file.is_repeatable();
    let changed: Vec<String> = files
        .iter()
        .filter(|file| is_changed(file) && !repeats(file))
        .filter(|file| accepted.get(&file.version) != Some(&file.checksum))
        .map(|file| file.version.0.clone())
        .collect();

    // Everything counts as allowed, so that all pending migrations are named.
    let all = files.iter().map(|file| (file.version.clone(), file.checksum.clone()));
    let policy =
        Policy { accepted: all.collect(), order: ExecOrder::NonLinear, ..Policy::default() };
    let (plan, errors) = engine::compare(files, records, &policy);
    let missing = errors.iter().flat_map(PlanError::missing).filter(|it| !removed.contains(it));
    let missing: Vec<String> = missing.map(|version| version.0.clone()).collect();
    // Without the values of its variables, only the text of a repeatable one can be compared.
    let is_open = |file: &Migration| {
        repeats(file) && !has_values && file.statements.iter().any(|it| it.text.contains("${"))
    };
    let is_pending = |file: &&Migration| match of(&file.version) {
        Some(record) if is_open(file) => !record.is_applied() || is_changed(file),
        _ => plan.pending().any(|entry| entry.migration == *file),
    };
    let pending: Vec<String> =
        files.iter().filter(is_pending).map(|file| file.version.0.clone()).collect();
    // A migration that failed or is running is pending, or it has no file and does not count.
    let is_valid = records
        .iter()
        .all(|record| !record.is_applied() || record.is_finished() && !record.lacks_object());
    let up_to_date = pending.is_empty() && changed.is_empty() && missing.is_empty() && is_valid;
    let values = [pending.into(), changed.into(), missing.into(), up_to_date.into()];
    let mut values = values.into_iter();
    names.map(|name| (name, values.next().unwrap_or(Value::Null)))
}
