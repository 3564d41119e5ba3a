//! Decodes, calls and encodes the RPCs of resources. A failed call returns the state that is known
//! for certain.

use super::{Service, failed, from_proto, to_proto, wire};
use crate::chain::chain;
use crate::diagnostic::{Diagnostic, Title};
use crate::provider::contract::{ApplyRequest, PlanRequest, ReadRequest};
use crate::value::{Type, Value};

pub(super) async fn validate(
    service: &Service,
    request: wire::validate_resource_config::Request,
) -> wire::validate_resource_config::Response {
    let named = service.resources.find(&request.type_name);
    let config = request.config;
    let diagnostics = service.run("ValidateResourceConfig", Some(&request.type_name), async move {
        let named = named?;
        let config = from_proto::value(config.as_ref(), named.ty())?;
        Ok(to_proto::diagnostics(named.get().validate(&config)))
    });
    let diagnostics = diagnostics.await.unwrap_or_else(failed);
    wire::validate_resource_config::Response { diagnostics }
}

pub(super) async fn upgrade(
    service: &Service,
    request: wire::upgrade_resource_state::Request,
) -> wire::upgrade_resource_state::Response {
    use wire::upgrade_resource_state::Response as Upgraded;
    let named = service.resources.find(&request.type_name);
    let type_name = request.type_name.clone();
    let upgraded = service.run("UpgradeResourceState", Some(&type_name), async move {
        let named = named?;
        let earlier = named.get().earlier_schema(request.version);
        let ty = earlier.as_ref().map_or(named.ty(), |earlier| &earlier.ty);
        let state = from_proto::stored_state(request.raw_state.as_ref(), ty);
        let state = state.map_err(|error| {
            Diagnostic::error(Title::StateVersionMismatch).detail(format!(
                "The state of a {} was stored with schema version {}. This version of the \
                 provider has schema version {} and cannot read it: {}.\n\nUse the version of \
                 the provider that wrote the state, or a newer one.",
                request.type_name,
                request.version,
                named.version,
                chain(&error)
            ))
        })?;
        let state = match earlier {
            Some(earlier) => (earlier.upgrade)(state),
            None => state,
        };
        let upgraded_state = Some(to_proto::value(&state, named.ty())?);
        Ok(Upgraded { upgraded_state, diagnostics: Vec::new() })
    });
    upgraded.await.unwrap_or_else(|diagnostic| Upgraded {
        upgraded_state: None,
        diagnostics: failed(diagnostic),
    })
}

pub(super) async fn read(
    service: &Service,
    request: wire::read_resource::Request,
) -> wire::read_resource::Response {
    use wire::read_resource::Response as Read;
    let unchanged = Read {
        new_state: request.current_state.clone(),
        private: request.private.clone(),
        ..Default::default()
    };
    let named = service.resources.find(&request.type_name);
    let type_name = request.type_name.clone();
    let read = service.run("ReadResource", Some(&type_name), async move {
        let named = named?;
        let current_state = from_proto::value(request.current_state.as_ref(), named.ty())?;
        let request_state = request.current_state;
        let request = ReadRequest { current_state, private: request.private };
        let mut read = named.get().read(request).await;
        let new_state =
            encode_or(request_state, &read.new_state, named.ty(), &mut read.diagnostics);
        Ok(Read {
            new_state,
            private: read.private,
            diagnostics: to_proto::diagnostics(read.diagnostics),
            ..Default::default()
        })
    });
    read.await.unwrap_or_else(|diagnostic| Read { diagnostics: failed(diagnostic), ..unchanged })
}

pub(super) async fn plan(
    service: &Service,
    request: wire::plan_resource_change::Request,
) -> wire::plan_resource_change::Response {
    use wire::plan_resource_change::Response as Planned;
    let unplanned =
        Planned { planned_private: request.prior_private.clone(), ..Default::default() };
    let named = service.resources.find(&request.type_name);
    let type_name = request.type_name.clone();
    let planned = service.run("PlanResourceChange", Some(&type_name), async move {
        let named = named?;
        let request = PlanRequest {
            config: from_proto::value(request.config.as_ref(), named.ty())?,
            prior_state: from_proto::value(request.prior_state.as_ref(), named.ty())?,
            proposed_new_state: from_proto::value(request.proposed_new_state.as_ref(), named.ty())?,
            prior_private: request.prior_private,
            planned_private: request.planned_private,
        };
        let mut plan = named.get().plan(request).await;
        let planned_state = encode_or(None, &plan.planned_state, named.ty(), &mut plan.diagnostics);
        let replaced = plan.requires_replace.iter();
        Ok(Planned {
            planned_state,
            requires_replace: replaced.map(to_proto::attribute_path).collect(),
            planned_private: plan.planned_private,
            diagnostics: to_proto::diagnostics(plan.diagnostics),
            ..Default::default()
        })
    });
    planned
        .await
        .unwrap_or_else(|diagnostic| Planned { diagnostics: failed(diagnostic), ..unplanned })
}

pub(super) async fn apply(
    service: &Service,
    request: wire::apply_resource_change::Request,
) -> wire::apply_resource_change::Response {
    use wire::apply_resource_change::Response as Applied;
    // The response if the call fails. After a gRPC error, Terraform would keep the state but lose
    // the private bytes.
    let unapplied = Applied {
        new_state: request.prior_state.clone(),
        private: request.planned_private.clone(),
        ..Default::default()
    };
    let named = service.resources.find(&request.type_name);
    let type_name = request.type_name.clone();
    let applied = service.run("ApplyResourceChange", Some(&type_name), async move {
        let named = named?;
        let prior_state = request.prior_state;
        let request = ApplyRequest {
            config: from_proto::value(request.config.as_ref(), named.ty())?,
            prior_state: from_proto::value(prior_state.as_ref(), named.ty())?,
            planned_state: from_proto::value(request.planned_state.as_ref(), named.ty())?,
            planned_private: request.planned_private,
        };
        let mut apply = named.get().apply(request).await;
        let new_state =
            encode_or(prior_state, &apply.new_state, named.ty(), &mut apply.diagnostics);
        Ok(Applied {
            new_state,
            private: apply.private,
            diagnostics: to_proto::diagnostics(apply.diagnostics),
            ..Default::default()
        })
    });
    applied
        .await
        .unwrap_or_else(|diagnostic| Applied { diagnostics: failed(diagnostic), ..unapplied })
}

pub(super) async fn import(
    service: &Service,
    request: wire::import_resource_state::Request,
) -> wire::import_resource_state::Response {
    use wire::import_resource_state::{ImportedResource, Response as Imported};
    let named = service.resources.find(&request.type_name);
    let type_name = request.type_name.clone();
    let imported = service.run("ImportResourceState", Some(&type_name), async move {
        let named = named?;
        if request.id.is_empty() {
            return Err(Diagnostic::error(Title::ImportIdRequired).detail(
                "Import resources of this provider by ID. They have no resource identity.",
            ));
        }
        let mut import = named.get().import(&request.id).await;
        let state = encode_or(None, &import.state, named.ty(), &mut import.diagnostics);
        let resource = ImportedResource {
            type_name: request.type_name,
            state,
            private: import.private,
            identity: None,
        };
        let is_failed = import.diagnostics.iter().any(Diagnostic::is_error);
        Ok(Imported {
            imported_resources: if is_failed { Vec::new() } else { vec![resource] },
            diagnostics: to_proto::diagnostics(import.diagnostics),
            deferred: None,
        })
    });
    imported.await.unwrap_or_else(|diagnostic| Imported {
        diagnostics: failed(diagnostic),
        ..Default::default()
    })
}

/// Encodes a state. If that fails, adds a diagnostic and returns `fallback`.
fn encode_or(
    fallback: Option<wire::DynamicValue>,
    state: &Value,
    ty: &Type,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<wire::DynamicValue> {
    match to_proto::value(state, ty) {
        Ok(encoded) => Some(encoded),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            fallback
        }
    }
}
