//! Decodes, calls and encodes the RPCs of data sources.

use super::{Service, failed, from_proto, to_proto, wire};

pub(super) async fn validate(
    service: &Service,
    request: wire::validate_data_resource_config::Request,
) -> wire::validate_data_resource_config::Response {
    let named = service.data_sources.find(&request.type_name);
    let config = request.config;
    let diagnostics =
        service.run("ValidateDataResourceConfig", Some(&request.type_name), async move {
            let named = named?;
            let config = from_proto::value(config.as_ref(), named.ty())?;
            Ok(to_proto::diagnostics(named.get().validate(&config)))
        });
    let diagnostics = diagnostics.await.unwrap_or_else(failed);
    wire::validate_data_resource_config::Response { diagnostics }
}

pub(super) async fn read(
    service: &Service,
    request: wire::read_data_source::Request,
) -> wire::read_data_source::Response {
    use wire::read_data_source::Response as Read;
    let named = service.data_sources.find(&request.type_name);
    let config = request.config;
    let read = service.run("ReadDataSource", Some(&request.type_name), async move {
        let named = named?;
        let config = from_proto::value(config.as_ref(), named.ty())?;
        Ok(match named.get().read(&config).await {
            Ok(state) => {
                Read { state: Some(to_proto::value(&state, named.ty())?), ..Default::default() }
            }
            Err(diagnostics) => {
                Read { diagnostics: to_proto::diagnostics(diagnostics), ..Default::default() }
            }
        })
    });
    read.await
        .unwrap_or_else(|diagnostic| Read { diagnostics: failed(diagnostic), ..Default::default() })
}
