//! The steps of an apply.

use super::super::apply::{BeforeRun, prepare};
use super::super::basis::{self, Basis, LedgerIdentity, Sources};
use super::super::computed;
use super::super::existing;
use super::super::location::locate_known;
use super::super::operation::{Model as _, SetOperation, records_of};
use super::{FinishedRun, ResourceContext, ResourceKind, state_ledger};
use crate::database::Observation;
use crate::diagnostic::Diagnostic;
use crate::provider::contract::{ApplyRequest, ApplyResponse};
use crate::provider::diagnostics;
use crate::provider::time_limit::TimeLimit;
use crate::value::{Object, Value};

/// Applies a planned create, update or destroy.
pub(crate) async fn apply<K: ResourceKind>(
    context: &ResourceContext,
    mut request: ApplyRequest,
) -> ApplyResponse {
    let applied = match std::mem::replace(&mut request.planned_state, Value::Null) {
        Value::Null => return destroy(request),
        planned => Box::pin(create_or_update::<K>(context, &request, planned)).await,
    };
    applied.unwrap_or_else(|diagnostics| {
        // The state stays as it was, and a failed create stores nothing: the ledger is the truth.
        let private = basis::kept(request.planned_private);
        ApplyResponse { new_state: request.prior_state, private, diagnostics }
    })
}

/// Does nothing to the database; Terraform forgets the object.
fn destroy(request: ApplyRequest) -> ApplyResponse {
    ApplyResponse {
        new_state: Value::Null,
        private: request.planned_private,
        diagnostics: Vec::new(),
    }
}

async fn create_or_update<K: ResourceKind>(
    context: &ResourceContext,
    request: &ApplyRequest,
    mut planned: Value,
) -> Result<ApplyResponse, Vec<Diagnostic>> {
    let still_unknown = || vec![diagnostics::still_unknown()];
    let config = &Object::new(&request.config).ok_or_else(still_unknown)?;
    let model = K::Model::decode(config)?;
    let limits = model.timeouts();
    let (limit, argument) = limits.write(&request.prior_state);
    let limit = TimeLimit::new(&context.clusters, limit, argument);
    let model = model.known().ok_or_else(still_unknown)?.load(&limit).await?;
    let location = locate_known(&context.clusters, config)?;
    let prior = Object::new(&request.prior_state);
    let recorded = prior.as_ref().map(|prior| K::recorded(prior));
    let objects = existing::to_look_up(recorded.as_deref(), &model);
    let is_create = request.prior_state.is_null();
    let operation = SetOperation { location, model, limit, is_create, objects };

    let rules = operation.model.known.rules;
    let hidden = |diagnostics| rules.hide_all(diagnostics);
    let prepared = prepare(&context.clusters, &operation).await.map_err(hidden)?;
    let (mut run, BeforeRun { mut observation, records }) = prepared;
    check_cluster::<K>(context, request, &operation, &observation).map_err(|error| vec![error])?;
    let plan = operation.plan(&records).map_err(hidden)?;
    let (last_run, hazards) = (computed::versions_to_run(&plan), operation.hazards(&plan));
    K::as_planned(&mut planned, &plan).map_err(|changed| hidden(vec![changed]))?;
    operation.check_still_right(&plan, &observation).map_err(hidden)?;
    run.check_existing(&operation, &plan, &mut observation).await.map_err(hidden)?;
    operation.check_drift(&plan, &observation).map_err(hidden)?;
    let mut result = run.apply(&operation, &plan, &observation).await;
    result.diagnostics = hidden(result.diagnostics);
    let private = match &result.observation {
        Some(observation) => {
            basis_after::<K>(context, &planned, &operation, observation).await.encode()
        }
        None => basis::kept(request.planned_private.clone()),
    };

    let kept = private.clone();
    let finished = K::finish(FinishedRun {
        context,
        config,
        prior: &request.prior_state,
        planned,
        operation: &operation,
        read_limit: limits.read,
        last_run,
        hazards,
        private,
        result,
    });
    Ok(finished.await.unwrap_or_else(|diagnostics| {
        // The next refresh compares the state with the ledger in which this run has written.
        ApplyResponse { new_state: request.prior_state.clone(), private: kept, diagnostics }
    }))
}

/// Refuses to run anything on a cluster that does not have the ledger of the prior state.
fn check_cluster<K: ResourceKind>(
    context: &ResourceContext,
    request: &ApplyRequest,
    operation: &SetOperation<'_>,
    observation: &Observation,
) -> Result<(), Diagnostic> {
    let Some(prior) = Object::new(&request.prior_state) else { return Ok(()) };
    let private = basis::kept(request.planned_private.clone());
    let Some(mut ledger) = state_ledger::<K>(&prior, &private) else { return Ok(()) };
    // A plan that has read the cluster leaves the ledger that it has found there.
    if !basis::is_unread(&request.planned_private) {
        ledger = ledger.planned();
    }
    let compared = ledger.compare(&context.clusters, &operation.location, observation);
    match compared.is_refused(operation.model.known.accepted_cluster) {
        true => Err(compared.refusal(&K::subject(&prior))),
        false => Ok(()),
    }
}

/// The basis that a refresh of the new state would have.
async fn basis_after<K: ResourceKind>(
    context: &ResourceContext,
    planned: &Value,
    operation: &SetOperation<'_>,
    observation: &Observation,
) -> Basis {
    let named = planned.get(K::PATH).and_then(|path| path.string().known());
    let sources = Sources { named, read: operation.model.known.source.path() };
    let SetOperation { location, limit, .. } = operation;
    // The refresh reads the directory of the state, which may have other pending files.
    if let Some(state) = Object::new(planned).filter(|_| sources.named != sources.read)
        && let Some(basis) = context.basis_of_state::<K>(&state, location, observation, limit).await
    {
        return basis;
    }
    let migrations = operation.migrations();
    let records = records_of(observation, K::IS_SHARED.then_some(migrations));
    let identity = LedgerIdentity::of(location, observation);
    Basis::new(sources, location, identity, migrations, records)
}
