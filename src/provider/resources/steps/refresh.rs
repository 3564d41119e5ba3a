//! The steps of a refresh.

use super::super::basis::Basis;
use super::super::location::locate;
use super::super::observe::observe;
use super::{ResourceContext, ResourceKind, state_ledger};
use crate::database::{ObserveQuery, Watched};
use crate::diagnostic::Diagnostic;
use crate::provider::contract::{ReadRequest, ReadResponse};
use crate::provider::diagnostics;
use crate::provider::time_limit::TimeLimit;
use crate::value::{Input, Object, Value};

/// A refreshed state and what accompanies it.
struct Refreshed {
    state: Value,
    /// What the following plan will find next to the state.
    private: Vec<u8>,
    warnings: Vec<Diagnostic>,
}

/// Refreshes the state. Where the cluster cannot be read, the state stays as it was, with a
/// warning.
pub(crate) async fn read<K: ResourceKind>(
    context: &ResourceContext,
    request: ReadRequest,
) -> ReadResponse {
    let refreshed = match Object::new(&request.current_state) {
        None => Ok(None),
        Some(current) => {
            let refreshed = refreshed::<K>(context, &request, &current).await;
            refreshed.map_err(|error| {
                diagnostics::not_refreshed(&error, &context.subject_of::<K>(&current))
            })
        }
    };
    let response = match refreshed {
        Ok(Some(Refreshed { state: new_state, private, warnings })) => {
            ReadResponse { new_state, private, diagnostics: warnings }
        }
        Ok(None) => kept(request, Vec::new()),
        Err(warning) => kept(request, vec![warning]),
    };
    context.note_refresh(&response.private);
    response
}

/// The state and the private bytes as they were, because Terraform reports every difference.
fn kept(request: ReadRequest, diagnostics: Vec<Diagnostic>) -> ReadResponse {
    let ReadRequest { current_state: new_state, private } = request;
    ReadResponse { new_state, private, diagnostics }
}

/// `None` if the state does not name anything to read.
async fn refreshed<K: ResourceKind>(
    context: &ResourceContext,
    request: &ReadRequest,
    current: &Object<'_>,
) -> Result<Option<Refreshed>, Diagnostic> {
    let Some(query) = K::refresh_query(current)? else { return Ok(None) };
    let Input::Known(location) = locate(&context.clusters, current)? else { return Ok(None) };

    let schemas = query.watch.as_ref().map(|watch| watch.schemas.clone());
    let watched = Watched::Schemas(schemas.unwrap_or_default());
    let limit = TimeLimit::new(&context.clusters, query.limit, "timeouts.read");
    let observe_query = ObserveQuery::new(&location.ledger, query.set, &watched);
    let observation = observe(&context.clusters, &location, observe_query, &limit).await?;
    let (mut warnings, mut changed) = (Vec::new(), Vec::new());
    if let Some(ledger) = state_ledger::<K>(current, &request.private) {
        let compared = ledger.compare(&context.clusters, &location, &observation);
        warnings.extend(compared.warning(&K::subject(current)));
        if compared.relation.keeps_state() {
            let (state, private) = (request.current_state.clone(), request.private.clone());
            return Ok(Some(Refreshed { state, private, warnings }));
        }
        // The plan warns about these rows until an apply has adopted what the ledger has.
        changed = ledger.changed_rows(&observation.migrations);
    }
    let basis = context.basis_of_state::<K>(current, &location, &observation, &limit).await;
    // The directory may be on another machine.
    let basis = basis.or_else(|| {
        let before = Basis::decode(&request.private)?;
        Some(before.with_ledger(&location, &observation, K::IS_SHARED))
    });
    Ok(Some(Refreshed {
        state: K::refreshed(&request.current_state, &query, &location, &observation, &changed),
        private: basis.map_or_else(|| request.private.clone(), |basis| basis.encode()),
        warnings,
    }))
}
