//! Drift in a plan: the computed attributes, and what to report.

use super::computed::set_all;
use super::drift::{Watch, known_after_apply};
use super::steps::ObservedPlan;
use crate::database::{LedgerState, Observation};
use crate::diagnostic::Diagnostic;
use crate::value::Value;

/// Whether an apply has to record the schema that an earlier one has left.
pub(super) fn records_earlier_run(observation: &Observation) -> bool {
    observation.is_left_unrecorded() && may_write(observation)
}

fn may_write(observation: &Observation) -> bool {
    !matches!(observation.ledger, LedgerState::ReadOnly(_))
}

/// Sets the computed attributes as the apply will leave them, and returns what to report. `runs`
/// states whether the apply runs or records a migration.
pub(super) fn set_planned(
    watch: &Watch,
    planned: &mut Value,
    observed: &ObservedPlan<'_>,
    runs: bool,
) -> Vec<Diagnostic> {
    let (prior, subject) = (&observed.request.prior_state, observed.operation.subject());
    let report = watch.find(observed.observation);
    let shown = report.shown();
    // An apply that runs and records nothing leaves what the refresh has read. An imported
    // migration has not been compared before.
    let is_kept = |(name, value): &(&str, Value)| match prior.get(name) {
        Some(before) => before == value || before.is_null(),
        None => false,
    };
    let stays = shown.iter().all(is_kept);
    set_all(planned, shown);
    // Drift stays visible until it is gone: an apply reads the schemas again and accepts nothing by
    // itself. What no apply has recorded needs another one.
    let observation = observed.observation;
    let records = records_earlier_run(observation) || report.lacks_record && may_write(observation);
    if watch.plans(&report) || records || *planned != *prior && (runs || !stays) {
        set_all(planned, known_after_apply());
    }
    let ledger = &observed.operation.location.ledger;
    let mut found = watch.warnings(&report, ledger, &subject);
    found.extend(watch.not_valid(&report, observed.plan, observed.operation.set(), &subject));
    found.extend(Watch::missing_schemas(&report, observed.plan, &subject));
    found
}
