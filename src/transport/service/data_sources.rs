//! Data sources: checked, and read.

use std::sync::Arc;

use super::{DataSourceType, Service, failed, from_proto, to_proto, wire};
use crate::diagnostic::Diagnostic;
use crate::provider::contract::{DataSource, Provider};
use crate::value::Type;

/// A data source type that a request names.
struct Found {
    provider: Arc<dyn Provider>,
    kind: DataSourceType,
}

impl Found {
    fn data_source(&self) -> &dyn DataSource {
        &*self.provider.data_sources()[self.kind.position]
    }

    fn ty(&self) -> &Type {
        &self.kind.ty
    }
}

fn find(service: &Service, type_name: &str) -> Result<Found, Diagnostic> {
    match service.data_sources.get(type_name) {
        Some(kind) => Ok(Found { provider: Arc::clone(&service.provider), kind: kind.clone() }),
        None => Err(Diagnostic::error("Unknown data source type").detail(format!(
            "This version of the provider has no data source type {type_name:?}."
        ))),
    }
}

pub(super) async fn validate(
    service: &Service,
    request: wire::validate_data_resource_config::Request,
) -> wire::validate_data_resource_config::Response {
    let found = find(service, &request.type_name);
    let config = request.config;
    let diagnostics =
        service.run("ValidateDataResourceConfig", Some(&request.type_name), async move {
            let found = found?;
            let config = from_proto::value(config.as_ref(), found.ty())?;
            Ok(to_proto::diagnostics(found.data_source().validate(&config)))
        });
    let diagnostics = diagnostics.await.unwrap_or_else(failed);
    wire::validate_data_resource_config::Response { diagnostics }
}

pub(super) async fn read(
    service: &Service,
    request: wire::read_data_source::Request,
) -> wire::read_data_source::Response {
    use wire::read_data_source::Response as Read;
    let found = find(service, &request.type_name);
    let config = request.config;
    let read = service.run("ReadDataSource", Some(&request.type_name), async move {
        let found = found?;
        let config = from_proto::value(config.as_ref(), found.ty())?;
        Ok(match found.data_source().read(&config).await {
            Ok(state) => {
                Read { state: Some(to_proto::value(&state, found.ty())?), ..Default::default() }
            }
            Err(diagnostics) => {
                Read { diagnostics: to_proto::diagnostics(diagnostics), ..Default::default() }
            }
        })
    });
    read.await
        .unwrap_or_else(|diagnostic| Read { diagnostics: failed(diagnostic), ..Default::default() })
}
