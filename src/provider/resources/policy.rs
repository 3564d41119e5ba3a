//! Which migrations run, in what order and how far, and the warnings about those that do not run.

use std::collections::BTreeMap;

use super::drift::accepted_checksums;
use super::operation::KnownModel;
use super::steps::ObservedPlan;
use crate::database::MigrationRecord;
use crate::diagnostic::Diagnostic;
use crate::engine::adoption::is_untouched;
use crate::engine::renames::Renames;
use crate::engine::{ExecOrder, Plan, Policy, Reason};
use crate::migration::{Migration, Version};
use crate::provider::arguments::{invalid, texts, word};
use crate::provider::diagnostics::{self, RENAMED, Subject};
use crate::schema::Attribute;
use crate::value::{Input, Object, Type};

/// Describes `repeatable`, for the resource and the data source.
pub(crate) const REPEATABLE: &str = "Files that run again whenever their text or the values of \
                                     their variables change, after all other migrations. Each \
                                     entry is a path relative to `dir`, or a name in `files`. An \
                                     asterisk matches any part of one name, but not `/`.";

/// The schema of the arguments.
pub(super) fn arguments() -> Vec<Attribute> {
    vec![
        Attribute::string("exec_order").optional().description(
            "How to treat out-of-order migrations, that is, pending migrations that precede an \
             applied one. `linear` (default) fails the plan, `linear-skip` never runs them and \
             warns in each plan, and `non-linear` runs them.",
        ),
        Attribute::string("target_version").optional().description(
            "Last version to run. Later migrations and repeatable migrations wait, and each plan \
             warns about them. Later migrations that are already applied remain applied.",
        ),
        Attribute::set_of("removed_versions", Type::String).optional().description(
            "Applied versions whose files were removed on purpose. Their rows remain in the \
             ledger. A cluster that lacks these versions never gets them.",
        ),
        Attribute::map_of("renamed_versions", Type::String).optional().description(
            "Applied versions whose files have new versions, as a map from the former version to \
             the new one. The plan prints it. The apply records the new versions, and does not run \
             them.",
        ),
    ]
}

/// Reads `renamed_versions`: former version to new version.
pub(crate) fn renamed_versions(
    config: &Object<'_>,
) -> Result<Input<BTreeMap<Version, Version>>, Diagnostic> {
    let entries = match config.map(RENAMED) {
        Input::Null => return Ok(Input::Known(BTreeMap::new())),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(entries) => entries,
    };
    let mut renamed = BTreeMap::new();
    for (former, version) in entries {
        match version.string() {
            Input::Known(version) if !version.is_empty() => {
                renamed.insert(Version(former.clone()), Version(version.to_owned()));
            }
            Input::Unknown => return Ok(Input::Unknown),
            Input::Known(_) | Input::Null => {
                let words = format!("The entry {former:?} must be the new version.");
                return Err(invalid(RENAMED.into(), &words));
            }
        }
    }
    let is_circle = |former: &&Version| {
        let later = std::iter::successors(renamed.get(*former), |version| renamed.get(*version));
        later.take(renamed.len()).any(|version| version == *former)
    };
    if let Some(version) = renamed.keys().find(is_circle) {
        let words = format!(
            "The entries lead from version {version} back to {version}. Each entry must name the \
             version in the ledger, and the version of the file."
        );
        return Err(invalid(RENAMED.into(), &words));
    }
    Ok(Input::Known(renamed))
}

/// Reads the arguments and `accept_checksums`; unknown if one of them is unknown.
pub(crate) fn decode(config: &Object<'_>) -> Result<Input<Policy>, Vec<Diagnostic>> {
    let words = [
        ("linear", ExecOrder::Linear),
        ("linear-skip", ExecOrder::LinearSkip),
        ("non-linear", ExecOrder::NonLinear),
    ];
    let order = word(config, "exec_order", &words);
    let accepted = accepted_checksums(config);
    let renamed = renamed_versions(config);
    let (order, accepted, renamed) = match (order, accepted, renamed) {
        (Ok(order), Ok(accepted), Ok(renamed)) => (order, accepted, renamed),
        (order, accepted, renamed) => {
            let wrong = [order.err(), accepted.err(), renamed.err()];
            return Err(wrong.into_iter().flatten().collect());
        }
    };
    let target = config.string("target_version").map(|version| Version(version.to_owned()));
    let removed = texts(config, "removed_versions");
    let removed = removed.map(|versions| versions.into_iter().map(Version).collect());
    Ok(order.zip(accepted).zip(target.optional().zip(removed.zip(renamed))).map(
        |((order, accepted), (target, (removed, renamed)))| Policy {
            accepted,
            order,
            target,
            removed,
            renamed,
        },
    ))
}

/// The warnings about migrations that do not run, and about entries of `renamed_versions`.
pub(super) fn warnings(
    plan: &Plan<'_>,
    records: &[MigrationRecord],
    migrations: &[Migration],
    policy: &Policy,
    subject: &Subject,
) -> Vec<Diagnostic> {
    let out_of_order: Vec<_> = plan.excluded(Reason::OutOfOrder).collect();
    let held_back: Vec<_> = plan.excluded(Reason::BeyondTarget).collect();
    let skipped = (!out_of_order.is_empty()).then(|| diagnostics::skipped(&out_of_order, subject));
    let held_back = policy
        .target
        .as_ref()
        .filter(|_| !held_back.is_empty() || plan.beyond_target.is_some())
        .map(|target| diagnostics::held_back(target, plan.beyond_target, &held_back, subject));
    // On a new cluster, no version has a former one.
    let has_history = records.iter().any(MigrationRecord::has_begun);
    let renames = has_history.then(|| Renames::find(migrations, records, policy));
    let unused = renames.and_then(|found| diagnostics::unused_renames(&found.unused, subject));
    skipped.into_iter().chain(held_back).chain(unused).collect()
}

/// The warnings about arguments that name migrations and change nothing. Only a plan that runs
/// something warns: a scheduled plan would repeat them forever.
pub(super) fn without_effect(observed: &ObservedPlan<'_>) -> Vec<Diagnostic> {
    let ObservedPlan { operation, observation, plan, .. } = observed;
    let KnownModel { policy, adoption, .. } = operation.model.known;
    let pending: Vec<&Migration> = plan.pending().map(|entry| entry.migration).collect();
    if pending.is_empty() || observation.migrations.is_empty() {
        return Vec::new();
    }
    let subject = operation.subject();
    let baseline = adoption.and_then(|config| config.baseline.as_ref());
    let baseline =
        baseline.filter(|_| !is_untouched(&observation.migrations)).and_then(|version| {
            let last = operation.migrations().iter().position(|it| it.version == *version)?;
            let covered = &operation.migrations()[..=last];
            let files: Vec<&Migration> = pending
                .into_iter()
                .filter(|it| covered.iter().any(|m| m.version == it.version))
                .collect();
            (!files.is_empty()).then(|| diagnostics::late_baseline(version, &files, &subject))
        });
    let is_unknown =
        |version: &&Version| !observation.migrations.iter().any(|it| it.version == **version);
    let removed: Vec<&Version> = policy.removed.iter().filter(is_unknown).collect();
    let removed = (!removed.is_empty()).then(|| diagnostics::never_applied(&removed, &subject));
    baseline.into_iter().chain(removed).collect()
}
