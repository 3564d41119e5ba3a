//! Lists the types and functions of the provider, and their schemas.

use std::sync::Arc;

use super::{Service, failed, functions, to_proto, wire};

pub(super) fn metadata(service: &Service) -> wire::get_metadata::Response {
    use wire::get_metadata::{
        DataSourceMetadata, EphemeralMetadata, FunctionMetadata, ResourceMetadata,
        Response as Metadata,
    };
    let data_sources = service.provider.data_sources().iter();
    let data_sources = data_sources
        .map(|source| DataSourceMetadata { type_name: source.type_name().to_owned() })
        .collect();
    let resources = service.provider.resources().iter();
    let resources = resources
        .map(|resource| ResourceMetadata { type_name: resource.type_name().to_owned() })
        .collect();
    let ephemeral = service.provider.ephemeral_resources().iter();
    let ephemeral_resources = ephemeral
        .map(|resource| EphemeralMetadata { type_name: resource.type_name().to_owned() })
        .collect();
    let functions = service.provider.functions().iter();
    let functions = functions.map(|function| FunctionMetadata { name: function.name().to_owned() });
    Metadata {
        server_capabilities: Some(capabilities()),
        resources,
        data_sources,
        functions: functions.collect(),
        ephemeral_resources,
        ..Default::default()
    }
}

pub(super) async fn all(service: &Service) -> wire::get_provider_schema::Response {
    use wire::get_provider_schema::Response as Schemas;
    let provider = Arc::clone(&service.provider);
    let schemas = service.run("GetProviderSchema", None, async move {
        let resources = provider.resources().iter();
        let resource_schemas = resources.map(|resource| {
            (resource.type_name().to_owned(), to_proto::schema(&resource.schema()))
        });
        let data_sources = provider.data_sources().iter();
        let data_source_schemas = data_sources
            .map(|source| (source.type_name().to_owned(), to_proto::schema(&source.schema())));
        let ephemeral = provider.ephemeral_resources().iter();
        let ephemeral_resource_schemas = ephemeral.map(|resource| {
            (resource.type_name().to_owned(), to_proto::schema(&resource.schema()))
        });
        Ok(Schemas {
            ephemeral_resource_schemas: ephemeral_resource_schemas.collect(),
            data_source_schemas: data_source_schemas.collect(),
            provider: Some(to_proto::schema(&provider.schema())),
            resource_schemas: resource_schemas.collect(),
            functions: functions::signatures(&*provider),
            server_capabilities: Some(capabilities()),
            ..Default::default()
        })
    });
    schemas.await.unwrap_or_else(|diagnostic| Schemas {
        diagnostics: failed(diagnostic),
        ..Default::default()
    })
}

pub(super) fn capabilities() -> wire::ServerCapabilities {
    wire::ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: false,
        generate_resource_config: false,
    }
}
