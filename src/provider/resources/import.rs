//! Imports what the ledger of the provider's own cluster holds.

use crate::database::{Observation, Watched};
use crate::diagnostic::{Diagnostic, Title};
use crate::provider::clusters::Clusters;
use crate::provider::contract::ImportResponse;
use crate::provider::settings::{LedgerLocation, Settings};
use crate::provider::time_limit::TimeLimit;
use crate::schema::Schema;
use crate::value::{Input, Value};

use super::observe::observe;

/// Reads a set; `state_of` makes the state, or `None` if the ledger does not hold the object.
pub(super) async fn import(
    clusters: &Clusters,
    set: &str,
    state_of: impl FnOnce(&LedgerLocation, &Observation) -> Option<Value>,
) -> ImportResponse {
    let imported = async {
        let Input::Known(location) = clusters.locate(Settings::default())? else {
            return Err(Diagnostic::error(Title::UnknownClusterEndpoint)
                .detail("An import requires a provider block whose values are all known."));
        };
        let limit = TimeLimit::fixed(clusters);
        let observation = observe(clusters, &location, set, &Watched::All, &limit).await?;
        state_of(&location, &observation).ok_or_else(|| {
            Diagnostic::error(Title::NothingToImport).detail(format!(
                "The ledger of {} does not contain this ID. Check the ID, and check endpoint and \
                 ledger_schema in the provider block: an import does not use the argument cluster \
                 of the resource.",
                location.target
            ))
        })
    };
    match imported.await {
        Ok(state) => ImportResponse { state, private: Vec::new(), diagnostics: Vec::new() },
        Err(error) => {
            ImportResponse { state: Value::Null, private: Vec::new(), diagnostics: vec![error] }
        }
    }
}

/// An object of a schema with every attribute null.
pub(super) fn empty(schema: &Schema) -> Value {
    let attributes = schema.block.attributes.iter();
    Value::object(attributes.map(|attribute| (attribute.name.as_str(), Value::Null)))
}
