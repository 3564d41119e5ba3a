//! Where a resource or a data source finds its cluster and its ledger.

use crate::diagnostic::Diagnostic;
use crate::provider::arguments::not_empty;
use crate::provider::clusters::Clusters;
use crate::provider::contract::PlanRequest;
use crate::provider::diagnostics;
use crate::provider::settings::{LedgerLocation, Settings};
use crate::schema::Attribute;
use crate::value::{Input, Object};

/// The argument that lets a state belong to another cluster.
pub(super) fn accept_cluster_attribute() -> Attribute {
    Attribute::string(ACCEPT_CLUSTER).optional().description(
        "Cluster to which the state belongs from now on, although it has another ledger. Set its \
         identifier, the host name in `endpoint`, or the identifier of the ledger, as the error \
         shows. Remove it after the apply: a host name accepts every later cluster. A cluster \
         without a ledger needs no acceptance.",
    )
}

/// Reads the argument of [`accept_cluster_attribute`].
pub(super) fn accepted_cluster(config: &Object<'_>) -> Result<Input<Option<String>>, Diagnostic> {
    Ok(not_empty(config, ACCEPT_CLUSTER)?.optional())
}

const ACCEPT_CLUSTER: &str = "accept_cluster";

/// Resolves the `cluster` argument together with the `provider` block and the environment.
pub(crate) fn locate(
    clusters: &Clusters,
    resource: &Object<'_>,
) -> Result<Input<LedgerLocation>, Diagnostic> {
    let settings = match resource.object("cluster") {
        Input::Null => Settings::default(),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(cluster) => Settings::decode_cluster(&cluster)?,
    };
    clusters.locate(settings)
}

/// Resolves it at apply, where Terraform promises that everything is known.
pub(super) fn locate_known(
    clusters: &Clusters,
    resource: &Object<'_>,
) -> Result<LedgerLocation, Vec<Diagnostic>> {
    match locate(clusters, resource) {
        Ok(Input::Known(location)) => Ok(location),
        Ok(_) => Err(vec![diagnostics::still_unknown()]),
        Err(diagnostic) => Err(vec![diagnostic]),
    }
}

/// Checks the `cluster` argument of a configuration that is only validated.
pub(crate) fn check_cluster(resource: &Object<'_>) -> Result<(), Diagnostic> {
    resource.object("cluster").map(|c| Settings::decode_cluster(&c)).transpose().map(drop)
}

/// The prior state of a plan, if it belongs to the ledger that the plan has read.
pub(super) fn prior_at<'a>(
    clusters: &Clusters,
    request: &'a PlanRequest,
    location: &LedgerLocation,
) -> Option<Object<'a>> {
    let prior = Object::new(&request.prior_state)?;
    let prior_location = locate(clusters, &prior).ok()?.known()?;
    (prior_location == *location).then_some(prior)
}
