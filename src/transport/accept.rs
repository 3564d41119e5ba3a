//! From the socket to connections that the server can serve.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use super::io::{Connection, Stream};
use super::lifetime::Lifetime;
use super::listener::Listener;
use super::tls::ServerTls;

/// Time for the host to finish its part of the TLS handshake.
const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Pause after a failed `accept`, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections as they are ready.
pub(super) type Incoming = ReceiverStream<Result<Connection, Infallible>>;

/// Accepts until the returned set is dropped. Each TLS handshake is a task of its own, so that a
/// stranger who connects and says nothing holds nobody up.
pub(super) fn accept(
    listener: Listener,
    tls: Option<&ServerTls>,
    lifetime: Lifetime,
) -> (Incoming, JoinSet<()>) {
    let (sender, receiver) = mpsc::channel(8);
    let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::clone(&tls.config)));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut handshakes = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_ended) = handshakes.join_next() => continue,
            };
            match accepted {
                Ok(stream) => {
                    let (acceptor, sender) = (acceptor.clone(), sender.clone());
                    handshakes.spawn(admit(stream, acceptor, lifetime.clone(), sender));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    (ReceiverStream::new(receiver), tasks)
}

async fn admit(
    stream: Box<dyn Stream>,
    acceptor: Option<TlsAcceptor>,
    lifetime: Lifetime,
    sender: mpsc::Sender<Result<Connection, Infallible>>,
) {
    let connection = match acceptor {
        None => Connection::new(stream, lifetime.connection()),
        Some(acceptor) => match timeout(TLS_HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Connection::new(stream, lifetime.connection()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a connection is refused");
                return;
            }
            Err(_elapsed) => {
                tracing::warn!("a connection is refused: no TLS handshake in time");
                return;
            }
        },
    };
    // Without a receiver the server has ended, and the connection with it.
    let _ended = sender.send(Ok(connection)).await;
}
