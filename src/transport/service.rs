//! Implements the RPCs of provider protocol 6. The files of `service/` decode the request, call the
//! provider, and encode the response.
//!
//! Each call runs in a task of its own. A panic in it becomes a diagnostic, and a call continues
//! even if the host disconnects. RPCs that are missing here return UNIMPLEMENTED.

mod data_sources;
mod ephemeral;
mod functions;
mod named;
mod resources;
mod schemas;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use self::named::TypesByName;
use super::lifetime::Lifetime;
use super::wire::tfplugin6::{self as wire, provider_server};
use super::{from_proto, to_proto};
use crate::diagnostic::{Diagnostic, Title};
use crate::provider::contract::{DataSource, EphemeralResource, Provider, Resource};
use crate::value::Type;

/// The gRPC service of a provider.
pub(super) struct Service {
    provider: Arc<dyn Provider>,
    config_type: Arc<Type>,
    resources: TypesByName<dyn Resource>,
    data_sources: TypesByName<dyn DataSource>,
    ephemeral_resources: TypesByName<dyn EphemeralResource>,
    lifetime: Lifetime,
    calls: AtomicU64,
}

impl Service {
    /// Reads all schemas, because the host may skip `GetProviderSchema` if it knows them already.
    pub(super) fn new(provider: Arc<dyn Provider>, lifetime: Lifetime) -> Self {
        Self {
            config_type: Arc::new(provider.schema().implied_type()),
            resources: TypesByName::resources(&provider),
            data_sources: TypesByName::data_sources(&provider),
            ephemeral_resources: TypesByName::ephemeral_resources(&provider),
            provider,
            lifetime,
            calls: AtomicU64::new(0),
        }
    }

    /// Runs a call. No failure of it becomes a gRPC error.
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
            Err(Diagnostic::error(Title::ProviderCrashed).detail(format!(
                "{rpc} panicked: {message}.\n\nThis is a bug in the provider. Please report it \
                 with the stack trace that Terraform shows."
            )))
        })
    }
}

fn failed(diagnostic: Diagnostic) -> Vec<wire::Diagnostic> {
    vec![to_proto::diagnostic(diagnostic)]
}

#[tonic::async_trait]
impl provider_server::Provider for Service {
    async fn get_metadata(
        &self,
        _: Request<wire::get_metadata::Request>,
    ) -> Result<Response<wire::get_metadata::Response>, Status> {
        Ok(Response::new(schemas::metadata(self)))
    }

    async fn get_provider_schema(
        &self,
        _: Request<wire::get_provider_schema::Request>,
    ) -> Result<Response<wire::get_provider_schema::Response>, Status> {
        Ok(Response::new(schemas::all(self).await))
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
        Ok(Response::new(functions::list(self).await))
    }

    async fn call_function(
        &self,
        request: Request<wire::call_function::Request>,
    ) -> Result<Response<wire::call_function::Response>, Status> {
        Ok(Response::new(functions::call(self, request.into_inner()).await))
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
        Ok(Response::new(resources::validate(self, request.into_inner()).await))
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<wire::validate_data_resource_config::Request>,
    ) -> Result<Response<wire::validate_data_resource_config::Response>, Status> {
        Ok(Response::new(data_sources::validate(self, request.into_inner()).await))
    }

    async fn read_data_source(
        &self,
        request: Request<wire::read_data_source::Request>,
    ) -> Result<Response<wire::read_data_source::Response>, Status> {
        Ok(Response::new(data_sources::read(self, request.into_inner()).await))
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

    /// Returns immediately: an ephemeral resource never requests renewal, because the provider
    /// cannot change a token that is in use.
    async fn renew_ephemeral_resource(
        &self,
        _: Request<wire::renew_ephemeral_resource::Request>,
    ) -> Result<Response<wire::renew_ephemeral_resource::Response>, Status> {
        Ok(Response::new(Default::default()))
    }

    /// Returns immediately: an open ephemeral resource holds nothing that could be released.
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
        Ok(Response::new(resources::upgrade(self, request.into_inner()).await))
    }

    async fn read_resource(
        &self,
        request: Request<wire::read_resource::Request>,
    ) -> Result<Response<wire::read_resource::Response>, Status> {
        Ok(Response::new(resources::read(self, request.into_inner()).await))
    }

    async fn plan_resource_change(
        &self,
        request: Request<wire::plan_resource_change::Request>,
    ) -> Result<Response<wire::plan_resource_change::Response>, Status> {
        Ok(Response::new(resources::plan(self, request.into_inner()).await))
    }

    async fn apply_resource_change(
        &self,
        request: Request<wire::apply_resource_change::Request>,
    ) -> Result<Response<wire::apply_resource_change::Response>, Status> {
        Ok(Response::new(resources::apply(self, request.into_inner()).await))
    }

    async fn import_resource_state(
        &self,
        request: Request<wire::import_resource_state::Request>,
    ) -> Result<Response<wire::import_resource_state::Response>, Status> {
        Ok(Response::new(resources::import(self, request.into_inner()).await))
    }
}

#[cfg(test)]
mod tests;
