//! Decodes, calls and encodes the RPCs of ephemeral resources, which Terraform opens in each phase
//! that needs them.

use super::{Service, failed, from_proto, to_proto, wire};

pub(super) async fn validate(
    service: &Service,
    request: wire::validate_ephemeral_resource_config::Request,
) -> wire::validate_ephemeral_resource_config::Response {
    let named = service.ephemeral_resources.find(&request.type_name);
    let config = request.config;
    let diagnostics =
        service.run("ValidateEphemeralResourceConfig", Some(&request.type_name), async move {
            let named = named?;
            let config = from_proto::value(config.as_ref(), named.ty())?;
            Ok(to_proto::diagnostics(named.get().validate(&config)))
        });
    let diagnostics = diagnostics.await.unwrap_or_else(failed);
    wire::validate_ephemeral_resource_config::Response { diagnostics }
}

pub(super) async fn open(
    service: &Service,
    request: wire::open_ephemeral_resource::Request,
) -> wire::open_ephemeral_resource::Response {
    use wire::open_ephemeral_resource::Response as Opened;
    let named = service.ephemeral_resources.find(&request.type_name);
    let config = request.config;
    let opened = service.run("OpenEphemeralResource", Some(&request.type_name), async move {
        let named = named?;
        let config = from_proto::value(config.as_ref(), named.ty())?;
        Ok(match named.get().open(&config).await {
            Ok(result) => {
                Opened { result: Some(to_proto::value(&result, named.ty())?), ..Default::default() }
            }
            Err(diagnostics) => {
                Opened { diagnostics: to_proto::diagnostics(diagnostics), ..Default::default() }
            }
        })
    });
    opened.await.unwrap_or_else(|diagnostic| Opened {
        diagnostics: failed(diagnostic),
        ..Default::default()
    })
}
