//! Serves a provider from the handshake until the process stops.

use std::convert::Infallible;
use std::future::pending;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tonic::transport::Server;

use super::accept::accept;
use super::controller::Controller;
use super::handshake::{HandshakeEnvironment, HandshakeError};
use super::lifetime::Lifetime;
use super::listener::{BindError, Listener};
use super::service::Service;
use super::tls::{ServerTls, TlsError};
use super::wire::go_plugin::grpc_broker_server::GrpcBrokerServer;
use super::wire::go_plugin::grpc_controller_server::GrpcControllerServer;
use super::wire::go_plugin::grpc_stdio_server::GrpcStdioServer;
use super::wire::grpc_health::health_server::HealthServer;
use super::wire::tfplugin6::provider_server::ProviderServer;
use crate::provider::contract::Provider;

/// The limit of Go providers. tonic's default of 4 MiB is too small for large migration sets.
const MAX_MESSAGE: usize = 256 << 20;

/// Time for running calls after a shutdown request. The host kills the process after two seconds.
const CALLS_AFTER_SHUTDOWN: Duration = Duration::from_millis(1500);

/// Time for the host to close its connection after the last response.
const CONNECTIONS_AFTER_SHUTDOWN: Duration = Duration::from_millis(50);

/// The same after a signal, about which the host does not know.
const CONNECTIONS_AFTER_SIGNAL: Duration = Duration::from_secs(1);

/// The error of a provider that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The handshake cannot succeed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The socket cannot be created.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be announced to the host.
    #[error("cannot announce the provider on standard output")]
    Announce(#[source] io::Error),
    /// Signal handlers cannot be installed.
    #[error("cannot handle signals")]
    Signals(#[source] io::Error),
    /// The server failed.
    #[error("the gRPC server failed")]
    Server(#[source] tonic::transport::Error),
}

/// Serves `provider` to the host that started this process, until the host requests a shutdown or
/// disconnects. Writes exactly one line to standard output.
///
/// # Errors
/// [`ServeError`]. [`HandshakeError::NotStartedByHost`] explains how to use the program to a person
/// who started it. In all cases, the process should exit with status 1.
pub async fn serve(
    provider: Arc<dyn Provider>,
    environment: HandshakeEnvironment,
) -> Result<(), ServeError> {
    serve_and_announce(provider, environment, print).await
}

/// Serves as [`serve`] does, but passes the handshake line to `announce`.
pub(super) async fn serve_and_announce(
    provider: Arc<dyn Provider>,
    environment: HandshakeEnvironment,
    announce: impl FnOnce(&str) -> io::Result<()>,
) -> Result<(), ServeError> {
    environment.check()?;
    let (listener, file) = Listener::bind(&environment).await?;
    let tls = environment.client_certificate.as_deref().map(ServerTls::new).transpose()?;
    let lifetime = Lifetime::default();
    let terminated = signals::terminated().map_err(ServeError::Signals)?;

    let (network, address) = listener.address().map_err(ServeError::Announce)?;
    let certificate = tls.as_ref().map(|tls| tls.certificate.as_ref());
    announce(&environment.line(network, &address, certificate)).map_err(ServeError::Announce)?;

    let end = {
        let lifetime = lifetime.clone();
        async move {
            let removed = async {
                lifetime.connected().await;
                // The host connects once, and may kill this process later.
                drop(file);
                pending().await
            };
            tokio::select! {
                () = lifetime.shutdown_requested() => End::Shutdown,
                () = lifetime.abandoned() => End::Abandoned,
                () = terminated => End::Terminated,
                end = removed => end,
            }
        }
    };
    run(provider, listener, tls.as_ref(), lifetime, end).await
}

/// Why the process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The host requested a shutdown, and waits two seconds.
    Shutdown,
    /// The host has disconnected.
    Abandoned,
    /// The process received a signal. The host may have received it too, and waits for its calls.
    Terminated,
}

/// Serves until `end` completes and the running calls have returned.
pub(super) async fn run(
    provider: Arc<dyn Provider>,
    listener: Listener,
    tls: Option<&ServerTls>,
    lifetime: Lifetime,
    end: impl Future<Output = End>,
) -> Result<(), ServeError> {
    let service = Service::new(Arc::clone(&provider), lifetime.clone());
    let service = ProviderServer::new(service)
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let controller = Controller::new(lifetime.clone());
    // Dropping the tasks closes the socket.
    let (incoming, _tasks) = accept(listener, tls, lifetime.clone());
    let server = Server::builder()
        .add_service(service)
        .add_service(GrpcControllerServer::new(controller.clone()))
        .add_service(GrpcStdioServer::new(controller.clone()))
        .add_service(GrpcBrokerServer::new(controller.clone()))
        .add_service(HealthServer::new(controller))
        .serve_with_incoming_shutdown(incoming, lifetime.ended());
    let mut server = Box::pin(server);

    let end = tokio::select! {
        ended = &mut server => return ended.map_err(ServeError::Server),
        end = end => end,
    };
    tracing::debug!(?end, "stopping the provider");
    if lifetime.is_calling() {
        provider.stop();
    }
    lifetime.end();

    let settled = async {
        let connections = match end {
            End::Shutdown => {
                let _elapsed = timeout(CALLS_AFTER_SHUTDOWN, lifetime.no_calls()).await;
                CONNECTIONS_AFTER_SHUTDOWN
            }
            // No deadline applies: the calls stop because the provider was stopped.
            End::Abandoned | End::Terminated => {
                lifetime.no_calls().await;
                CONNECTIONS_AFTER_SIGNAL
            }
        };
        let _elapsed = timeout(connections, lifetime.no_connections()).await;
    };
    // The server must keep running to send the last responses.
    let serving = async {
        let _ended = server.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        () = settled => Ok(()),
        never = serving => match never {},
    }
}

/// Writes a line to standard output.
pub(super) fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

pub(super) mod signals {
    //! Signal handlers. Ctrl-C reaches every process of a terminal, but the provider must finish
    //! its calls, so it ignores the interrupt. The host requests the stop with an RPC.

    use std::io;

    use tokio::signal;

    /// Ignores interrupts from now on, and returns a future that waits for SIGTERM.
    #[cfg(unix)]
    pub(in super::super) fn terminated() -> io::Result<impl Future<Output = ()>> {
        use signal::unix::{SignalKind, signal};
        // The default action is not restored when the listener is dropped.
        drop(signal(SignalKind::interrupt())?);
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            if terminate.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        })
    }

    #[cfg(not(unix))]
    pub(in super::super) fn terminated() -> io::Result<impl Future<Output = ()>> {
        Ok(async {
            // An interrupt is ignored while a listener exists.
            while signal::ctrl_c().await.is_ok() {}
            std::future::pending::<()>().await;
        })
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
