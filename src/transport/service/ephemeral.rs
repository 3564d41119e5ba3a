//! Ephemeral resources: opened in each phase that needs them, and stored nowhere.

use std::sync::Arc;

use super::{Service, failed, from_proto, to_proto, wire};
use crate::diagnostic::Diagnostic;
use crate::provider::contract::{EphemeralResource, Provider};
use crate::value::{Type, Value};

/// The type that a request names, with its configuration.
fn find<'a>(
    provider: &'a dyn Provider,
    type_name: &str,
    config: Option<&wire::DynamicValue>,
) -> Result<(&'a dyn EphemeralResource, Type, Value), Diagnostic> {
    let mut all = provider.ephemeral_resources().iter();
    let found = all.find(|resource| resource.type_name() == type_name).ok_or_else(|| {
        Diagnostic::error("Unknown ephemeral resource type").detail(format!(
            "This version of the provider has no ephemeral resource type {type_name:?}."
        ))
    })?;
    let ty = found.schema().implied_type();
    let config = from_proto::value(config, &ty)?;
    Ok((&**found, ty, config))
}

pub(super) async fn validate(
    service: &Service,
    request: wire::validate_ephemeral_resource_config::Request,
) -> wire::validate_ephemeral_resource_config::Response {
    let provider = Arc::clone(&service.provider);
    let type_name = request.type_name.clone();
    let work = async move {
        let (resource, _, config) = find(&*provider, &request.type_name, request.config.as_ref())?;
        Ok(to_proto::diagnostics(resource.validate(&config)))
    };
    let diagnostics = service.run("ValidateEphemeralResourceConfig", Some(&type_name), work).await;
    let diagnostics = diagnostics.unwrap_or_else(failed);
    wire::validate_ephemeral_resource_config::Response { diagnostics }
}

pub(super) async fn open(
    service: &Service,
    request: wire::open_ephemeral_resource::Request,
) -> wire::open_ephemeral_resource::Response {
    use wire::open_ephemeral_resource::Response as Opened;
    let provider = Arc::clone(&service.provider);
    let type_name = request.type_name.clone();
    let work = async move {
        let (resource, ty, config) = find(&*provider, &request.type_name, request.config.as_ref())?;
        Ok(match resource.open(&config).await {
            Ok(result) => {
                Opened { result: Some(to_proto::value(&result, &ty)?), ..Default::default() }
            }
            Err(diagnostics) => {
                Opened { diagnostics: to_proto::diagnostics(diagnostics), ..Default::default() }
            }
        })
    };
    let opened = service.run("OpenEphemeralResource", Some(&type_name), work).await;
    opened.unwrap_or_else(|diagnostic| Opened {
        diagnostics: failed(diagnostic),
        ..Default::default()
    })
}
