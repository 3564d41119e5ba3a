//! Implements go-plugin's own services: shutdown, standard output, broker and health.

use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::codegen::BoxStream;
use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::lifetime::Lifetime;
use super::wire::go_plugin::grpc_broker_server::GrpcBroker;
use super::wire::go_plugin::grpc_controller_server::GrpcController;
use super::wire::go_plugin::grpc_stdio_server::GrpcStdio;
use super::wire::go_plugin::{ConnInfo, Empty, StdioData};
use super::wire::grpc_health::health_check_response::ServingStatus;
use super::wire::grpc_health::health_server::Health;
use super::wire::grpc_health::{HealthCheckRequest, HealthCheckResponse};

/// The service name of go-plugin's health checks.
const HEALTH_NAME: &str = "plugin";

/// Implementation of all four services.
#[derive(Debug, Clone)]
pub(super) struct Controller {
    lifetime: Lifetime,
}

impl Controller {
    pub(super) fn new(lifetime: Lifetime) -> Self {
        Self { lifetime }
    }
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.lifetime.request_shutdown();
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Controller {
    /// Sends nothing and stays open: Terraform logs any output, and the end of the stream, as
    /// unexpected.
    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<BoxStream<StdioData>>, Status> {
        Ok(Response::new(Box::pin(Open::new(None, self.lifetime.ended()))))
    }
}

#[tonic::async_trait]
impl GrpcBroker for Controller {
    /// Reads and ignores all messages.
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<BoxStream<ConnInfo>>, Status> {
        let ended = self.lifetime.ended();
        let mut requests = request.into_inner();
        let drained = async move { while let Ok(Some(_)) = requests.message().await {} };
        let end = async move {
            tokio::select! {
                () = ended => {}
                () = drained => {}
            }
        };
        Ok(Response::new(Box::pin(Open::new(None, end))))
    }
}

#[tonic::async_trait]
impl Health for Controller {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        health(&request.into_inner()).map(Response::new)
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<BoxStream<HealthCheckResponse>>, Status> {
        let health = health(&request.into_inner())?;
        Ok(Response::new(Box::pin(Open::new(Some(health), self.lifetime.ended()))))
    }
}

fn health(request: &HealthCheckRequest) -> Result<HealthCheckResponse, Status> {
    if [HEALTH_NAME, ""].contains(&request.service.as_str()) {
        Ok(HealthCheckResponse { status: ServingStatus::Serving.into() })
    } else {
        Err(Status::not_found("no such service"))
    }
}

/// A stream that sends at most one message and stays open until a future completes.
pub(super) struct Open<T> {
    first: Option<T>,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<T> Open<T> {
    fn new(first: Option<T>, end: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { first, end: Box::pin(end) }
    }
}

impl<T: Unpin> Stream for Open<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.end.as_mut().poll(context).map(|()| None),
        }
    }
}
