//! Names in pending SQL that neither the database has nor an earlier statement creates, and
//! variables whose new values do not reach the database.

use std::collections::{BTreeMap, BTreeSet};

use super::existing::may_run;
use super::operation::{LoadedModel, SetOperation};
use crate::database::Observation;
use crate::diagnostic::Diagnostic;
use crate::engine::{self, Plan, PlannedMigration, Status};
use crate::migration::{Migration, Statement};
use crate::provider::clusters::Clusters;
use crate::provider::diagnostics;
use crate::sql;
use crate::value::{Object, Value};

/// The relations that an observation reads for [`check`]. `recorded` are the migrations of a state.
pub(super) fn to_look_up(recorded: Option<&Value>, model: &LoadedModel<'_>) -> Vec<String> {
    if !model.known.rules.is_linting() {
        return Vec::new();
    }
    engine::referenced_relations(may_run(recorded, model)).into_iter().collect()
}

/// Warns about names that nothing creates before the statements that need them.
pub(super) fn check(
    clusters: &Clusters,
    operation: &SetOperation<'_>,
    plan: &Plan<'_>,
    observation: &Observation,
) -> Option<Diagnostic> {
    let subject = operation.subject();
    // Another resource of the same command may create what this one needs.
    let created = engine::created_relations(plan);
    let elsewhere = clusters.plan_relations(&operation.location, subject.to_string(), created);
    let relations = observation.relations.as_ref()?;
    let prepared = &operation.model.prepared;
    let is_certain =
        |migration: &Migration, index: usize| prepared.is_whole(&migration.version, index);
    let found = engine::unknown_names(plan, relations, &elsewhere, is_certain);
    let argument = operation.model.known.source.argument();
    (!found.is_empty()).then(|| diagnostics::unknown_names(&found, &subject).at(argument))
}

/// Warns about variables that have another value than in the state and that only applied versioned
/// migrations use.
pub(super) fn check_variables(
    prior: &Value,
    config: &Object<'_>,
    operation: &SetOperation<'_>,
    plan: &Plan<'_>,
) -> Option<Diagnostic> {
    let value = |of: Option<&Value>, name: &str| {
        of.and_then(|it| it.get(name)?.string().known().map(str::to_owned))
    };
    let (before, after) = (prior.get("variables"), config.value("variables"));
    let Value::Map(after_values) = after else { return None };
    let has_changed = |name: &&String| {
        let (before, after) = (value(before, name), value(Some(after), name));
        before.is_some() && after.is_some() && before != after
    };
    let changed: Vec<&String> = after_values.keys().filter(has_changed).collect();
    if changed.is_empty() {
        return None;
    }
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut effective: BTreeSet<String> = BTreeSet::new();
    for entry in &plan.entries {
        let used = variables_of(entry.migration);
        if is_done(entry) {
            for name in changed.iter().filter(|name| used.contains(**name)) {
                files.entry(name.as_str()).or_default().push(&entry.migration.file);
            }
        } else {
            effective.extend(used);
        }
    }
    files.retain(|name, _| !effective.contains(*name));
    (!files.is_empty()).then(|| diagnostics::unused_values(&files, &operation.subject()))
}

/// Whether no statement of a migration runs any more, whatever its variables are.
fn is_done(entry: &PlannedMigration<'_>) -> bool {
    !entry.migration.is_repeatable() && matches!(entry.status, Status::Applied(_))
}

fn variables_of(migration: &Migration) -> BTreeSet<String> {
    let names = |it: &Statement| sql::variables_in(it.written(), migration.variables);
    migration.statements.iter().flat_map(names).collect()
}
