//! Resources: a state in, a state out. What goes wrong keeps what is known for certain.

use std::sync::Arc;

use super::{ResourceType, Service, failed, from_proto, to_proto, wire};
use crate::diagnostic::{Diagnostic, chain};
use crate::provider::contract::{ApplyRequest, PlanRequest, Provider, ReadRequest, Resource};
use crate::value::{Type, Value};

/// A resource type that a request names.
struct Found {
    provider: Arc<dyn Provider>,
    kind: ResourceType,
}

impl Found {
    fn resource(&self) -> &dyn Resource {
        &*self.provider.resources()[self.kind.position]
    }

    fn ty(&self) -> &Type {
        &self.kind.ty
    }
}

fn find(service: &Service, type_name: &str) -> Result<Found, Diagnostic> {
    match service.resources.get(type_name) {
        Some(kind) => Ok(Found { provider: Arc::clone(&service.provider), kind: kind.clone() }),
        None => Err(Diagnostic::error("Unknown resource type")
            .detail(format!("This version of the provider has no resource type {type_name:?}."))),
    }
}

pub(super) async fn validate(
    service: &Service,
    request: wire::validate_resource_config::Request,
) -> wire::validate_resource_config::Response {
    let found = find(service, &request.type_name);
    let config = request.config;
    let diagnostics = service.run("ValidateResourceConfig", Some(&request.type_name), async move {
        let found = found?;
        let config = from_proto::value(config.as_ref(), found.ty())?;
        Ok(to_proto::diagnostics(found.resource().validate(&config)))
    });
    let diagnostics = diagnostics.await.unwrap_or_else(failed);
    wire::validate_resource_config::Response { diagnostics }
}

pub(super) async fn upgrade(
    service: &Service,
    request: wire::upgrade_resource_state::Request,
) -> wire::upgrade_resource_state::Response {
    use wire::upgrade_resource_state::Response as Upgraded;
    let found = find(service, &request.type_name);
    let type_name = request.type_name.clone();
    let upgraded = service.run("UpgradeResourceState", Some(&type_name), async move {
        let found = found?;
        let state = from_proto::stored_state(request.raw_state.as_ref(), found.ty());
        let state = state.map_err(|error| {
            Diagnostic::error("Stored state does not match the provider version").detail(format!(
                "The state of a {} was stored with version {} of its schema; this version \
                     of the provider has version {}, and cannot read it: {}.\n\nUse the \
                     version of the provider that wrote the state, or a newer one.",
                request.type_name,
                request.version,
                found.kind.version,
                chain(&error)
            ))
        })?;
        let upgraded_state = Some(to_proto::value(&state, found.ty())?);
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
    let found = find(service, &request.type_name);
    let type_name = request.type_name.clone();
    let read = service.run("ReadResource", Some(&type_name), async move {
        let found = found?;
        let current_state = from_proto::value(request.current_state.as_ref(), found.ty())?;
        let request_state = request.current_state;
        let request = ReadRequest { current_state, private: request.private };
        let mut read = found.resource().read(request).await;
        let new_state =
            encode_or(request_state, &read.new_state, found.ty(), &mut read.diagnostics);
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
    let found = find(service, &request.type_name);
    let type_name = request.type_name.clone();
    let planned = service.run("PlanResourceChange", Some(&type_name), async move {
        let found = found?;
        let request = PlanRequest {
            config: from_proto::value(request.config.as_ref(), found.ty())?,
            prior_state: from_proto::value(request.prior_state.as_ref(), found.ty())?,
            proposed_new_state: from_proto::value(request.proposed_new_state.as_ref(), found.ty())?,
            prior_private: request.prior_private,
            planned_private: request.planned_private,
        };
        let mut plan = found.resource().plan(request).await;
        let planned_state = encode_or(None, &plan.planned_state, found.ty(), &mut plan.diagnostics);
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
    // What is known for certain if the call does not come to its end. After a gRPC error the
    // core would keep the state and lose the private bytes.
    let unapplied = Applied {
        new_state: request.prior_state.clone(),
        private: request.planned_private.clone(),
        ..Default::default()
    };
    let found = find(service, &request.type_name);
    let type_name = request.type_name.clone();
    let applied = service.run("ApplyResourceChange", Some(&type_name), async move {
        let found = found?;
        let prior_state = request.prior_state;
        let request = ApplyRequest {
            config: from_proto::value(request.config.as_ref(), found.ty())?,
            prior_state: from_proto::value(prior_state.as_ref(), found.ty())?,
            planned_state: from_proto::value(request.planned_state.as_ref(), found.ty())?,
            planned_private: request.planned_private,
        };
        let mut apply = found.resource().apply(request).await;
        let new_state =
            encode_or(prior_state, &apply.new_state, found.ty(), &mut apply.diagnostics);
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
    let found = find(service, &request.type_name);
    let type_name = request.type_name.clone();
    let imported = service.run("ImportResourceState", Some(&type_name), async move {
        let found = found?;
        if request.id.is_empty() {
            return Err(Diagnostic::error("Import ID is required").detail(
                "Resources of this provider are imported by their id; they have no identity.",
            ));
        }
        let mut import = found.resource().import(&request.id).await;
        let state = encode_or(None, &import.state, found.ty(), &mut import.diagnostics);
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

/// Encodes a state, or says why not and keeps `fallback`.
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
