//! The data source types, one file each, and what they share.

pub(super) mod migration_status;
pub(super) mod schema;

use super::clusters::Clusters;
use super::resources::location;
use super::settings::LedgerLocation;
use crate::diagnostic::{Diagnostic, Title};
use crate::value::{Input, Object};

/// Resolves the cluster of a data source. Terraform reads it during the plan if its own arguments
/// are known, even if those of the provider are not.
fn locate(clusters: &Clusters, config: &Object<'_>) -> Result<LedgerLocation, Diagnostic> {
    match location::locate(clusters, config)? {
        Input::Known(location) => Ok(location),
        Input::Null | Input::Unknown => Err(Diagnostic::error(Title::UnknownClusterEndpoint)
            .detail(
                "Terraform reads a data source during the plan, when a cluster that the same apply \
             creates is not known yet. Add depends_on with the resource that creates the cluster, \
             so that Terraform reads the data source after it.",
            )),
    }
}
