//! Accepts connections and completes their TLS handshakes.

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

/// Time limit for a TLS handshake.
const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Pause after a failed `accept`, such as one without a free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that are ready for requests.
pub(super) type Incoming = ReceiverStream<Result<Connection, Infallible>>;

/// Accepts connections until the returned set is dropped. Each TLS handshake runs in a task of its
/// own, so that an idle client cannot block others.
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
                tracing::warn!(%error, "rejected a connection");
                return;
            }
            Err(_elapsed) => {
                tracing::warn!("rejected a connection: the TLS handshake timed out");
                return;
            }
        },
    };
    // If the receiver is gone, the server has stopped and the connection is closed.
    let _stopped = sender.send(Ok(connection)).await;
}
