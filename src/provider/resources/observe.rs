//! Reads a set from its cluster without writing anything.

use crate::database::{Observation, ObserveQuery};
use crate::diagnostic::Diagnostic;
use crate::engine;
use crate::provider::clusters::Clusters;
use crate::provider::diagnostics::{self, Subject};
use crate::provider::settings::LedgerLocation;
use crate::provider::time_limit::TimeLimit;
use crate::value::Value;

/// Reads the ledger and the schemas. An interrupt ends it at once, also while the cluster is being
/// created.
pub(crate) async fn observe(
    clusters: &Clusters,
    location: &LedgerLocation,
    query: ObserveQuery<'_>,
    limit: &TimeLimit,
) -> Result<Observation, Diagnostic> {
    let observe = async {
        let mut session = clusters.session(&location.target).await?;
        engine::observe(&mut session, query).await
    };
    let observed = limit.of_cluster(&location.target, observe).await?;
    let access = diagnostics::Access::ReadLedger;
    let observation =
        observed.map_err(|error| diagnostics::unreadable_ledger(location, &error, access))?;
    clusters.note_ledger(location, observation.ledger.exists());
    Ok(observation)
}

/// What a plan learned from the cluster.
pub(super) enum ClusterRead {
    Observed(Box<Observation>),
    /// The cluster did not answer, and the plan continues with this warning.
    Unreachable(Diagnostic),
}

impl ClusterRead {
    /// Decides whether a plan can continue without an observation. Terraform makes an ordinary plan
    /// before it plans a destroy, and does not report which of the two it makes: as long as nothing
    /// is pending, a cluster that is gone must not stop it. See ADR 0007.
    pub(super) fn of(
        observed: Result<Observation, Diagnostic>,
        prior: &Value,
        nothing_new: bool,
        subject: &Subject,
    ) -> Result<Self, Diagnostic> {
        match observed {
            Ok(observation) => Ok(Self::Observed(Box::new(observation))),
            Err(error) if nothing_new => {
                Ok(Self::Unreachable(diagnostics::planned_without_cluster(&error, subject)))
            }
            Err(error) if prior.is_null() => Err(error),
            Err(error) => Err(diagnostics::needs_the_cluster(error)),
        }
    }
}
