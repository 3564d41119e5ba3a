//! Which migrations run, in what order and how far, and the warnings about those that do not run.

use super::drift::accepted_checksums;
use crate::diagnostic::Diagnostic;
use crate::engine::{ExecOrder, Plan, Policy, Reason};
use crate::migration::Version;
use crate::provider::arguments::{texts, word};
use crate::provider::diagnostics::{self, Subject};
use crate::schema::Attribute;
use crate::value::{Input, Object, Type};

/// Describes `repeatable`, for the resource and the data source.
pub(crate) const REPEATABLE: &str = "Files that run again whenever their text or the \
    values of their variables have changed, after all others, in the order of their names: paths \
    from `dir` on, or names in `files`, in which `*` stands for a part of one name \
    (`repeatable/*.sql`). The ledger knows `repeatable/roles.sql` as `R__roles`. Flyway's `R__` \
    scripts need no mention.";

/// The schema of the arguments.
pub(super) fn arguments() -> Vec<Attribute> {
    vec![
        Attribute::string("exec_order").optional().description(
            "What becomes of a late migration, one that is not applied and stands before one that \
             is: `linear` (default), an error; `linear-skip`, it never runs, and each plan warns \
             of it; `non-linear`, it runs.",
        ),
        Attribute::string("target_version").optional().description(
            "Last version that runs. Later ones and the repeatable ones wait; a warning names \
             them. What is applied beyond it stays applied.",
        ),
        Attribute::set_of("removed_versions", Type::String).optional().description(
            "Applied versions whose files were removed on purpose. Their rows stay in the ledger. \
             A cluster that does not have them yet will never get them.",
        ),
    ]
}

/// Reads the arguments and `accept_checksums`; unknown if one of them is unknown.
pub(super) fn decode(config: &Object<'_>) -> Result<Input<Policy>, Vec<Diagnostic>> {
    let words = [
        ("linear", ExecOrder::Linear),
        ("linear-skip", ExecOrder::LinearSkip),
        ("non-linear", ExecOrder::NonLinear),
    ];
    let order = word(config, "exec_order", &words);
    let accepted = accepted_checksums(config);
    let (order, accepted) = match (order, accepted) {
        (Ok(order), Ok(accepted)) => (order, accepted),
        (order, accepted) => return Err(order.err().into_iter().chain(accepted.err()).collect()),
    };
    let target = config.string("target_version").map(|version| Version(version.to_owned()));
    let removed = texts(config, "removed_versions");
    let removed = removed.map(|versions| versions.into_iter().map(Version).collect());
    Ok(order
        .zip(accepted)
        .zip(target.optional().zip(removed))
        .map(|((order, accepted), (target, removed))| Policy { accepted, order, target, removed }))
}

/// The warnings about migrations that do not run.
pub(super) fn warnings(plan: &Plan<'_>, policy: &Policy, subject: &Subject) -> Vec<Diagnostic> {
    let late: Vec<_> = plan.excluded(Reason::OutOfOrder).collect();
    let held_back: Vec<_> = plan.excluded(Reason::BeyondTarget).collect();
    let late = (!late.is_empty()).then(|| diagnostics::skipped(&late, subject));
    let held_back = policy
        .target
        .as_ref()
        .filter(|_| !held_back.is_empty() || plan.beyond_target.is_some())
        .map(|target| diagnostics::held_back(target, plan.beyond_target, &held_back, subject));
    late.into_iter().chain(held_back).collect()
}
