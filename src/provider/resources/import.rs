//! Imports what the ledger of the provider's own cluster holds.

use crate::database::{Error, Observation, ObserveQuery, Watched};
use crate::diagnostic::{Diagnostic, Title};
use crate::provider::clusters::Clusters;
use crate::provider::contract::ImportResponse;
use crate::provider::diagnostics::{self, Access};
use crate::provider::settings::{LedgerLocation, Settings};
use crate::provider::time_limit::TimeLimit;
use crate::schema::Schema;
use crate::value::{Input, Value};

use super::SINGLE_MIGRATIONS;
use super::observe::observe;

/// Reads the set that has the object `id`; `state_of` makes the state, or `None` if the ledger does
/// not hold the object.
pub(super) async fn import(
    clusters: &Clusters,
    set: &str,
    id: &str,
    state_of: impl FnOnce(&LedgerLocation, &Observation) -> Option<Value>,
) -> ImportResponse {
    let imported = async {
        let Input::Known(location) = clusters.locate(Settings::default())? else {
            return Err(Diagnostic::error(Title::UnknownClusterEndpoint)
                .detail("An import requires a provider block whose values are all known."));
        };
        let limit = TimeLimit::fixed(clusters);
        let query = ObserveQuery::new(&location.ledger, set, &Watched::All);
        let observation = observe(clusters, &location, query, &limit).await?;
        if let Some(state) = state_of(&location, &observation) {
            return Ok(state);
        }
        let versions = observation.migrations.iter().map(|record| record.version.0.clone());
        let known: Vec<String> = match set {
            _ if !observation.ledger.exists() => Vec::new(),
            SINGLE_MIGRATIONS => versions.collect(),
            _ => set_names(clusters, &location).await.map_err(|error| {
                diagnostics::unreadable_ledger(&location, &error, Access::ReadLedger)
            })?,
        };
        Err(diagnostics::nothing_to_import(id, &known, &location.target))
    };
    match imported.await {
        Ok(state) => ImportResponse { state, private: Vec::new(), diagnostics: Vec::new() },
        Err(error) => {
            ImportResponse { state: Value::Null, private: Vec::new(), diagnostics: vec![error] }
        }
    }
}

/// The names of the migration sets in the ledger. That of single migrations cannot be imported.
async fn set_names(clusters: &Clusters, location: &LedgerLocation) -> Result<Vec<String>, Error> {
    let mut session = clusters.session(&location.target).await?;
    let names = session.set_names(&location.ledger).await?;
    Ok(names.into_iter().filter(|name| name != SINGLE_MIGRATIONS).collect())
}

/// An object of a schema with every attribute null.
pub(super) fn empty(schema: &Schema) -> Value {
    let attributes = schema.block.attributes.iter();
    Value::object(attributes.map(|attribute| (attribute.name.as_str(), Value::Null)))
}
