//! Protocol 6: each RPC is decode, call, encode.
//!
//! Every call runs in a task of its own. A panic in it becomes a diagnostic, and a call whose host
//! has gone away runs on to its end. RPCs that are not here answer UNIMPLEMENTED.

mod ephemeral;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::lifetime::Lifetime;
use super::wire::tfplugin6::{self as wire, provider_server};
use super::{from_proto, to_proto};
use crate::diagnostic::{Diagnostic, chain};
use crate::provider::contract::{
    ApplyRequest, DataSource, FunctionError, PlanRequest, Provider, ReadRequest, Resource,
};
use crate::value::{Type, Value};

/// Serves a provider.
pub(super) struct Service {
    provider: Arc<dyn Provider>,
    config_type: Arc<Type>,
    resources: HashMap<&'static str, ResourceType>,
    data_sources: HashMap<&'static str, DataSourceType>,
    lifetime: Lifetime,
    calls: AtomicU64,
}

/// What the schema of a resource says, worked out once.
#[derive(Clone)]
struct ResourceType {
    position: usize,
    version: i64,
    ty: Arc<Type>,
}

/// What the schema of a data source says, worked out once.
#[derive(Clone)]
struct DataSourceType {
    position: usize,
    ty: Arc<Type>,
}

/// A data source type that a request names.
struct FoundDataSource {
    provider: Arc<dyn Provider>,
    kind: DataSourceType,
}

impl FoundDataSource {
    fn data_source(&self) -> &dyn DataSource {
        &*self.provider.data_sources()[self.kind.position]
    }

    fn ty(&self) -> &Type {
        &self.kind.ty
    }
}

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

impl Service {
    /// Asks for all schemas, because the host may not: it has them from another process.
    pub(super) fn new(provider: Arc<dyn Provider>, lifetime: Lifetime) -> Self {
        let config_type = Arc::new(provider.schema().implied_type());
        let resources = provider.resources().iter().enumerate().map(|(position, resource)| {
            let schema = resource.schema();
            let ty = Arc::new(schema.implied_type());
            (resource.type_name(), ResourceType { position, version: schema.version, ty })
        });
        let resources = resources.collect();
        let data_sources = provider.data_sources().iter().enumerate().map(|(position, source)| {
            let ty = Arc::new(source.schema().implied_type());
            (source.type_name(), DataSourceType { position, ty })
        });
        let data_sources = data_sources.collect();
        let calls = AtomicU64::new(0);
        Self { provider, config_type, resources, data_sources, lifetime, calls }
    }

    fn find_data_source(&self, type_name: &str) -> Result<FoundDataSource, Diagnostic> {
        match self.data_sources.get(type_name) {
            Some(kind) => {
                Ok(FoundDataSource { provider: Arc::clone(&self.provider), kind: kind.clone() })
            }
            None => Err(Diagnostic::error("Unknown data source type").detail(format!(
                "This version of the provider has no data source type {type_name:?}."
            ))),
        }
    }

    fn find(&self, type_name: &str) -> Result<Found, Diagnostic> {
        match self.resources.get(type_name) {
            Some(kind) => Ok(Found { provider: Arc::clone(&self.provider), kind: kind.clone() }),
            None => Err(Diagnostic::error("Unknown resource type").detail(format!(
                "This version of the provider has no resource type {type_name:?}."
            ))),
        }
    }

    /// Runs a call. Nothing that goes wrong in it is a gRPC error.
    async fn run<T: Send + 'static>(
        &self,
        rpc: &'static str,
        type_name: Option<&str>,
        work: impl Future<Output = Result<T, Diagnostic>> + Send + 'static,
    ) -> Result<T, Diagnostic> {
        let running = self.lifetime.call();
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let span =
            tracing::error_span!("rpc", tf_rpc = rpc, tf_req_id = id, tf_resource_type = type_name);
        let work = async move {
            tracing::trace!("received request");
            let result = work.await;
            tracing::trace!("served request");
            drop(running);
            result
        };
        tokio::spawn(work.instrument(span)).await.unwrap_or_else(|failure| {
            let message = match failure.try_into_panic() {
                Ok(payload) => super::log::panic_message(&*payload).to_owned(),
                Err(failure) => failure.to_string(),
            };
            Err(Diagnostic::error("The provider crashed").detail(format!(
                "{rpc} ended with a panic: {message}.\n\nThis is a bug in the provider; please \
                 report it with the stack trace that Terraform shows."
            )))
        })
    }
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

fn failed(diagnostic: Diagnostic) -> Vec<wire::Diagnostic> {
    vec![to_proto::diagnostic(diagnostic)]
}

fn functions(provider: &dyn Provider) -> HashMap<String, wire::Function> {
    let functions = provider.functions().iter();
    functions
        .map(|function| (function.name().to_owned(), to_proto::function(&function.signature())))
        .collect()
}

/// Calls a function with as many arguments as it has parameters.
fn call(
    provider: &dyn Provider,
    request: &wire::call_function::Request,
) -> Result<wire::DynamicValue, FunctionError> {
    let mut all = provider.functions().iter();
    let function = all.find(|function| function.name() == request.name).ok_or_else(|| {
        FunctionError::new(format!(
            "This version of the provider has no function {:?}.",
            request.name
        ))
    })?;
    let signature = function.signature();
    let (sent, wanted) = (request.arguments.len(), signature.parameters.len());
    if sent != wanted {
        return Err(FunctionError::new(format!("{wanted} arguments are required, found {sent}.")));
    }
    let mut arguments = Vec::new();
    for (position, (sent, parameter)) in
        request.arguments.iter().zip(&signature.parameters).enumerate()
    {
        let argument = from_proto::value(Some(sent), &parameter.ty);
        arguments.push(argument.map_err(|error| function_error(&error).of_argument(position))?);
    }
    let answer = function.call(&arguments)?;
    to_proto::value(&answer, &signature.returns).map_err(|error| function_error(&error))
}

fn function_error(diagnostic: &Diagnostic) -> FunctionError {
    FunctionError::new(format!("{}: {}", diagnostic.summary, diagnostic.detail))
}

fn capabilities() -> wire::ServerCapabilities {
    wire::ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: false,
        generate_resource_config: false,
    }
}

#[tonic::async_trait]
impl provider_server::Provider for Service {
    async fn get_metadata(
        &self,
        _: Request<wire::get_metadata::Request>,
    ) -> Result<Response<wire::get_metadata::Response>, Status> {
        use wire::get_metadata::{
            DataSourceMetadata, EphemeralMetadata, FunctionMetadata, ResourceMetadata,
            Response as Metadata,
        };
        let data_sources = self.provider.data_sources().iter();
        let data_sources = data_sources
            .map(|source| DataSourceMetadata { type_name: source.type_name().to_owned() })
            .collect();
        let resources = self.provider.resources().iter();
        let resources = resources
            .map(|resource| ResourceMetadata { type_name: resource.type_name().to_owned() })
            .collect();
        let ephemeral = self.provider.ephemeral_resources().iter();
        let ephemeral_resources = ephemeral
            .map(|resource| EphemeralMetadata { type_name: resource.type_name().to_owned() })
            .collect();
        let functions = self.provider.functions().iter();
        let functions =
            functions.map(|function| FunctionMetadata { name: function.name().to_owned() });
        Ok(Response::new(Metadata {
            server_capabilities: Some(capabilities()),
            resources,
            data_sources,
            functions: functions.collect(),
            ephemeral_resources,
            ..Default::default()
        }))
    }

    async fn get_provider_schema(
        &self,
        _: Request<wire::get_provider_schema::Request>,
    ) -> Result<Response<wire::get_provider_schema::Response>, Status> {
        use wire::get_provider_schema::Response as Schemas;
        let provider = Arc::clone(&self.provider);
        let schemas = self.run("GetProviderSchema", None, async move {
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
                functions: functions(&*provider),
                server_capabilities: Some(capabilities()),
                ..Default::default()
            })
        });
        let schemas = schemas.await.unwrap_or_else(|diagnostic| Schemas {
            diagnostics: failed(diagnostic),
            ..Default::default()
        });
        Ok(Response::new(schemas))
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<wire::get_resource_identity_schemas::Request>,
    ) -> Result<Response<wire::get_resource_identity_schemas::Response>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_functions(
        &self,
        _: Request<wire::get_functions::Request>,
    ) -> Result<Response<wire::get_functions::Response>, Status> {
        use wire::get_functions::Response as Functions;
        let provider = Arc::clone(&self.provider);
        let functions = self.run("GetFunctions", None, async move {
            Ok(Functions { functions: functions(&*provider), diagnostics: Vec::new() })
        });
        let functions = functions.await.unwrap_or_else(|diagnostic| Functions {
            diagnostics: failed(diagnostic),
            ..Default::default()
        });
        Ok(Response::new(functions))
    }

    async fn call_function(
        &self,
        request: Request<wire::call_function::Request>,
    ) -> Result<Response<wire::call_function::Response>, Status> {
        use wire::call_function::Response as Called;
        let request = request.into_inner();
        let provider = Arc::clone(&self.provider);
        let called = self.run("CallFunction", None, async move { Ok(call(&*provider, &request)) });
        let called = called.await.unwrap_or_else(|crash| Err(function_error(&crash)));
        let (result, error) = match called {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(to_proto::function_error(error))),
        };
        Ok(Response::new(Called { result, error }))
    }

    async fn validate_provider_config(
        &self,
        request: Request<wire::validate_provider_config::Request>,
    ) -> Result<Response<wire::validate_provider_config::Response>, Status> {
        let request = request.into_inner();
        let (provider, ty) = (Arc::clone(&self.provider), Arc::clone(&self.config_type));
        let diagnostics = self.run("ValidateProviderConfig", None, async move {
            let config = from_proto::value(request.config.as_ref(), &ty)?;
            Ok(to_proto::diagnostics(provider.validate(&config)))
        });
        let diagnostics = diagnostics.await.unwrap_or_else(failed);
        Ok(Response::new(wire::validate_provider_config::Response { diagnostics }))
    }

    async fn configure_provider(
        &self,
        request: Request<wire::configure_provider::Request>,
    ) -> Result<Response<wire::configure_provider::Response>, Status> {
        let request = request.into_inner();
        let (provider, ty) = (Arc::clone(&self.provider), Arc::clone(&self.config_type));
        let diagnostics = self.run("ConfigureProvider", None, async move {
            let config = from_proto::value(request.config.as_ref(), &ty)?;
            let diagnostics = provider.configure(&request.terraform_version, config).await;
            Ok(to_proto::diagnostics(diagnostics))
        });
        let diagnostics = diagnostics.await.unwrap_or_else(failed);
        Ok(Response::new(wire::configure_provider::Response { diagnostics }))
    }

    async fn stop_provider(
        &self,
        _: Request<wire::stop_provider::Request>,
    ) -> Result<Response<wire::stop_provider::Response>, Status> {
        let provider = Arc::clone(&self.provider);
        let stopped = self.run("StopProvider", None, async move {
            provider.stop();
            Ok(())
        });
        let error = stopped.await.err().map(|diagnostic| diagnostic.detail).unwrap_or_default();
        Ok(Response::new(wire::stop_provider::Response { error }))
    }

    async fn validate_resource_config(
        &self,
        request: Request<wire::validate_resource_config::Request>,
    ) -> Result<Response<wire::validate_resource_config::Response>, Status> {
        let request = request.into_inner();
        let found = self.find(&request.type_name);
        let config = request.config;
        let diagnostics =
            self.run("ValidateResourceConfig", Some(&request.type_name), async move {
                let found = found?;
                let config = from_proto::value(config.as_ref(), found.ty())?;
                Ok(to_proto::diagnostics(found.resource().validate(&config)))
            });
        let diagnostics = diagnostics.await.unwrap_or_else(failed);
        Ok(Response::new(wire::validate_resource_config::Response { diagnostics }))
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<wire::validate_data_resource_config::Request>,
    ) -> Result<Response<wire::validate_data_resource_config::Response>, Status> {
        let request = request.into_inner();
        let found = self.find_data_source(&request.type_name);
        let config = request.config;
        let diagnostics =
            self.run("ValidateDataResourceConfig", Some(&request.type_name), async move {
                let found = found?;
                let config = from_proto::value(config.as_ref(), found.ty())?;
                Ok(to_proto::diagnostics(found.data_source().validate(&config)))
            });
        let diagnostics = diagnostics.await.unwrap_or_else(failed);
        Ok(Response::new(wire::validate_data_resource_config::Response { diagnostics }))
    }

    async fn read_data_source(
        &self,
        request: Request<wire::read_data_source::Request>,
    ) -> Result<Response<wire::read_data_source::Response>, Status> {
        use wire::read_data_source::Response as Read;
        let request = request.into_inner();
        let found = self.find_data_source(&request.type_name);
        let config = request.config;
        let read = self.run("ReadDataSource", Some(&request.type_name), async move {
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
        let read = read.await.unwrap_or_else(|diagnostic| Read {
            diagnostics: failed(diagnostic),
            ..Default::default()
        });
        Ok(Response::new(read))
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<wire::validate_ephemeral_resource_config::Request>,
    ) -> Result<Response<wire::validate_ephemeral_resource_config::Response>, Status> {
        Ok(Response::new(ephemeral::validate(self, request.into_inner()).await))
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<wire::open_ephemeral_resource::Request>,
    ) -> Result<Response<wire::open_ephemeral_resource::Response>, Status> {
        Ok(Response::new(ephemeral::open(self, request.into_inner()).await))
    }

    /// What is ephemeral here asks for no renewal, for it cannot change what it has handed out.
    async fn renew_ephemeral_resource(
        &self,
        _: Request<wire::renew_ephemeral_resource::Request>,
    ) -> Result<Response<wire::renew_ephemeral_resource::Response>, Status> {
        Ok(Response::new(Default::default()))
    }

    /// Nothing is held that could be given back.
    async fn close_ephemeral_resource(
        &self,
        _: Request<wire::close_ephemeral_resource::Request>,
    ) -> Result<Response<wire::close_ephemeral_resource::Response>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<wire::upgrade_resource_state::Request>,
    ) -> Result<Response<wire::upgrade_resource_state::Response>, Status> {
        use wire::upgrade_resource_state::Response as Upgraded;
        let request = request.into_inner();
        let found = self.find(&request.type_name);
        let type_name = request.type_name.clone();
        let upgraded = self.run("UpgradeResourceState", Some(&type_name), async move {
            let found = found?;
            let state = from_proto::stored_state(request.raw_state.as_ref(), found.ty());
            let state = state.map_err(|error| {
                Diagnostic::error("The stored state does not fit this version of the provider")
                    .detail(format!(
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
        let upgraded = upgraded.await.unwrap_or_else(|diagnostic| Upgraded {
            upgraded_state: None,
            diagnostics: failed(diagnostic),
        });
        Ok(Response::new(upgraded))
    }

    async fn read_resource(
        &self,
        request: Request<wire::read_resource::Request>,
    ) -> Result<Response<wire::read_resource::Response>, Status> {
        use wire::read_resource::Response as Read;
        let request = request.into_inner();
        let unchanged = Read {
            new_state: request.current_state.clone(),
            private: request.private.clone(),
            ..Default::default()
        };
        let found = self.find(&request.type_name);
        let type_name = request.type_name.clone();
        let read = self.run("ReadResource", Some(&type_name), async move {
            let found = found?;
            let state = from_proto::value(request.current_state.as_ref(), found.ty())?;
            let request_state = request.current_state;
            let request = ReadRequest { state, private: request.private };
            let mut read = found.resource().read(request).await;
            let new_state =
                encode_or(request_state, &read.state, found.ty(), &mut read.diagnostics);
            Ok(Read {
                new_state,
                private: read.private,
                diagnostics: to_proto::diagnostics(read.diagnostics),
                ..Default::default()
            })
        });
        let read = read
            .await
            .unwrap_or_else(|diagnostic| Read { diagnostics: failed(diagnostic), ..unchanged });
        Ok(Response::new(read))
    }

    async fn plan_resource_change(
        &self,
        request: Request<wire::plan_resource_change::Request>,
    ) -> Result<Response<wire::plan_resource_change::Response>, Status> {
        use wire::plan_resource_change::Response as Planned;
        let request = request.into_inner();
        let unplanned =
            Planned { planned_private: request.prior_private.clone(), ..Default::default() };
        let found = self.find(&request.type_name);
        let type_name = request.type_name.clone();
        let planned = self.run("PlanResourceChange", Some(&type_name), async move {
            let found = found?;
            let request = PlanRequest {
                config: from_proto::value(request.config.as_ref(), found.ty())?,
                prior: from_proto::value(request.prior_state.as_ref(), found.ty())?,
                proposed: from_proto::value(request.proposed_new_state.as_ref(), found.ty())?,
                private: request.prior_private,
                first_plan: request.planned_private,
            };
            let mut plan = found.resource().plan(request).await;
            let planned_state = encode_or(None, &plan.planned, found.ty(), &mut plan.diagnostics);
            let replaced = plan.requires_replace.iter();
            Ok(Planned {
                planned_state,
                requires_replace: replaced.map(to_proto::attribute_path).collect(),
                planned_private: plan.private,
                diagnostics: to_proto::diagnostics(plan.diagnostics),
                ..Default::default()
            })
        });
        let planned = planned
            .await
            .unwrap_or_else(|diagnostic| Planned { diagnostics: failed(diagnostic), ..unplanned });
        Ok(Response::new(planned))
    }

    async fn apply_resource_change(
        &self,
        request: Request<wire::apply_resource_change::Request>,
    ) -> Result<Response<wire::apply_resource_change::Response>, Status> {
        use wire::apply_resource_change::Response as Applied;
        let request = request.into_inner();
        // What is known for certain if the call does not come to its end. After a gRPC error the
        // core would keep the state and lose the private bytes.
        let unapplied = Applied {
            new_state: request.prior_state.clone(),
            private: request.planned_private.clone(),
            ..Default::default()
        };
        let found = self.find(&request.type_name);
        let type_name = request.type_name.clone();
        let applied = self.run("ApplyResourceChange", Some(&type_name), async move {
            let found = found?;
            let prior_state = request.prior_state;
            let request = ApplyRequest {
                config: from_proto::value(request.config.as_ref(), found.ty())?,
                prior: from_proto::value(prior_state.as_ref(), found.ty())?,
                planned: from_proto::value(request.planned_state.as_ref(), found.ty())?,
                private: request.planned_private,
            };
            let mut apply = found.resource().apply(request).await;
            let new_state =
                encode_or(prior_state, &apply.state, found.ty(), &mut apply.diagnostics);
            Ok(Applied {
                new_state,
                private: apply.private,
                diagnostics: to_proto::diagnostics(apply.diagnostics),
                ..Default::default()
            })
        });
        let applied = applied
            .await
            .unwrap_or_else(|diagnostic| Applied { diagnostics: failed(diagnostic), ..unapplied });
        Ok(Response::new(applied))
    }

    async fn import_resource_state(
        &self,
        request: Request<wire::import_resource_state::Request>,
    ) -> Result<Response<wire::import_resource_state::Response>, Status> {
        use wire::import_resource_state::{ImportedResource, Response as Imported};
        let request = request.into_inner();
        let found = self.find(&request.type_name);
        let type_name = request.type_name.clone();
        let imported = self.run("ImportResourceState", Some(&type_name), async move {
            let found = found?;
            if request.id.is_empty() {
                return Err(Diagnostic::error("Import needs an id").detail(
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
        let imported = imported.await.unwrap_or_else(|diagnostic| Imported {
            diagnostics: failed(diagnostic),
            ..Default::default()
        });
        Ok(Response::new(imported))
    }
}

#[cfg(test)]
mod tests;
