//! Messages about a cluster that does not have the ledger of the state.

use super::Subject;
use crate::diagnostic::{Diagnostic, Title};
use crate::provider::settings::LedgerLocation;
use crate::value::Value;

/// The ledger that a state describes, and what was found instead.
#[derive(Clone, Copy)]
pub(in crate::provider) struct LedgerPair<'a> {
    /// The attribute `ledger` in the state.
    pub(in crate::provider) state: &'a str,
    pub(in crate::provider) found: &'a LedgerLocation,
    /// Whether there is a ledger at this location.
    pub(in crate::provider) exists: bool,
    /// The value of `accept_cluster` that permits a run.
    pub(in crate::provider) accept: &'a str,
    /// The name of the set.
    pub(in crate::provider) set: &'a str,
    /// The migrations in the state, by version.
    pub(in crate::provider) rows: &'a Value,
}

/// The end of a warning in a plan that an apply repeats, which may be that of a saved plan.
pub(in crate::provider) const PLANNED_ELSEWHERE: &str = "\n\nIf Terraform reports an inconsistent final plan, the saved plan was made for the former \
     cluster, and nothing of this resource was run. Plan again.";

/// Returns the warning about another ledger, for a refresh or a plan.
pub(in crate::provider) fn other_cluster(pair: LedgerPair<'_>, subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::OtherCluster.fill(&[&subject])).detail(format!(
        "{} The state stays as it is. Unless accept_cluster names the other cluster, the plan does \
         not show what is pending there, and an apply fails before anything runs.\n\n{}",
        differs(pair),
        advice(pair)
    ))
}

/// Returns the error of an apply that finds another ledger.
pub(in crate::provider) fn refused_cluster(pair: LedgerPair<'_>, subject: &Subject) -> Diagnostic {
    Diagnostic::error(Title::OtherCluster.fill(&[&subject])).detail(format!(
        "{} Nothing was run.\n\n{}",
        differs(pair),
        advice(pair)
    ))
}

fn differs(LedgerPair { state, found, .. }: LedgerPair<'_>) -> String {
    format!(
        "The state describes the ledger at {state}. The ledger at {} is a different one.",
        found.ledger_name()
    )
}

/// What to check, and what would run.
fn advice(LedgerPair { accept, .. }: LedgerPair<'_>) -> String {
    format!(
        "Check the workspace, the provider block, cluster, and DSQL_ENDPOINT. If the state belongs \
         to this cluster from now on, set\n\n  accept_cluster = {accept:?}\n\nThe pending migrations \
         of this configuration then run there, with the values of its variables. Remove the \
         argument after the apply."
    )
}

/// Returns the warning about a cluster without a ledger.
pub(in crate::provider) fn new_cluster(
    LedgerPair { state, found, .. }: LedgerPair<'_>,
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::NewCluster.fill(&[&subject])).detail(format!(
        "The state describes applied migrations in the ledger at {state}. The cluster counts as new, \
         because it had no ledger at {} before this command, or before an apply with another state \
         of the former cluster: everything is pending, and the apply runs it, with the values of the \
         variables of this configuration.\n\nIf the cluster is not new, check that it is the right \
         one. If its ledger was lost, restore the ledger before the next apply.",
        found.ledger_name()
    ))
}

/// Returns the warning about the ledger of the state on a cluster with another identifier.
pub(in crate::provider) fn same_ledger_elsewhere(
    LedgerPair { state, found, .. }: LedgerPair<'_>,
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::SameLedgerElsewhere.fill(&[&subject])).detail(format!(
        "The state describes the ledger at {state}. The cluster {} has the same ledger, at {}, and \
         another identifier: it is a peer, a restored backup, or a copy of the first cluster. An \
         apply runs pending migrations there.",
        found.cluster_name(),
        found.ledger_name()
    ))
}
