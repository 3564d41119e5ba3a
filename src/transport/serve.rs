//! Serves a provider from the handshake to the end of the process.

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

/// What Go providers allow; tonic's own 4 MiB are too few for private state and large files.
const MAX_MESSAGE: usize = 256 << 20;

/// The host kills the process two seconds after it asked for the end.
const CALLS_AFTER_SHUTDOWN: Duration = Duration::from_millis(1500);

/// Time for the host to close its connection after the last answer.
const CONNECTIONS_AFTER_SHUTDOWN: Duration = Duration::from_millis(50);

/// The same, where the host does not know of the end yet.
const CONNECTIONS_AFTER_SIGNAL: Duration = Duration::from_secs(1);

/// Why the provider cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody is there who speaks our protocol.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// No socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The host cannot be told where we are.
    #[error("cannot announce the provider on standard output")]
    Announce(#[source] io::Error),
    /// Signals cannot be handled.
    #[error("cannot handle signals")]
    Signals(#[source] io::Error),
    /// The server ended on its own.
    #[error("the gRPC server failed")]
    Server(#[source] tonic::transport::Error),
}

/// Serves `provider` to the host that started this process, until the host asks for the end or is
/// gone. Writes one line to standard output, and nothing else.
///
/// # Errors
/// [`ServeError`]; [`HandshakeError::NotStartedByHost`] in it is meant for the person who started
/// the program by hand. The process should end with code 1 for all of them.
pub async fn serve(
    provider: Arc<dyn Provider>,
    environment: HandshakeEnvironment,
) -> Result<(), ServeError> {
    serve_and_announce(provider, environment, print).await
}

/// As [`serve`], with another place for the line.
pub(super) async fn serve_and_announce(
    provider: Arc<dyn Provider>,
    environment: HandshakeEnvironment,
    announce: impl FnOnce(&str) -> io::Result<()>,
) -> Result<(), ServeError> {
    environment.check()?;
    let listener = Listener::bind(&environment).await?;
    let tls = environment.client_certificate.as_deref().map(ServerTls::new).transpose()?;
    let lifetime = Lifetime::default();
    let terminated = signals::terminated().map_err(ServeError::Signals)?;

    let (network, address) = listener.address().map_err(ServeError::Announce)?;
    let certificate = tls.as_ref().map(|tls| tls.certificate.as_ref());
    announce(&environment.line(network, &address, certificate)).map_err(ServeError::Announce)?;

    let end = {
        let lifetime = lifetime.clone();
        async move {
            tokio::select! {
                () = lifetime.shutdown_requested() => End::Shutdown,
                () = lifetime.abandoned() => End::Abandoned,
                () = terminated => End::Terminated,
            }
        }
    };
    run(provider, listener, tls.as_ref(), lifetime, end).await
}

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The host asked for it, and waits two seconds.
    Shutdown,
    /// The host is gone.
    Abandoned,
    /// A signal. The host has perhaps got it as well, and waits for its calls.
    Terminated,
}

/// Serves until `end`, and then until the calls that run have ended, too.
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
    // Dropping the tasks closes the socket and removes it.
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
    tracing::debug!(?end, "the provider ends");
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
            // Nobody else says when the calls have to be done: they end by themselves.
            End::Abandoned | End::Terminated => {
                lifetime.no_calls().await;
                CONNECTIONS_AFTER_SIGNAL
            }
        };
        let _elapsed = timeout(connections, lifetime.no_connections()).await;
    };
    // The server must run on meanwhile, to send the last answers.
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

mod signals {
    //! Ctrl-C reaches every process of the terminal. A provider that died of it would lose what it
    //! is making; the host says by RPC when to stop.

    use std::io;

    use tokio::signal;

    /// From now on an interrupt is ignored; waits for a request to terminate.
    #[cfg(unix)]
    pub(super) fn terminated() -> io::Result<impl Future<Output = ()>> {
        use signal::unix::{SignalKind, signal};
        // Once there is a listener, the default action is gone for good.
        drop(signal(SignalKind::interrupt())?);
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            if terminate.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        })
    }

    #[cfg(not(unix))]
    pub(super) fn terminated() -> io::Result<impl Future<Output = ()>> {
        Ok(async {
            // An interrupt is ignored as long as somebody listens.
            while signal::ctrl_c().await.is_ok() {}
            std::future::pending::<()>().await;
        })
    }
}

#[cfg(test)]
mod tests;
