//! Counts connections and running calls, and records requests to stop.
//!
//! `serve.rs` decides what happens when the process stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Time for the host to connect after the handshake. The host gives up after a minute as well.
const FIRST_CONNECTION: Duration = Duration::from_secs(60);

/// Time for a host that lost its connection to reconnect, if it was given a port: the file of a
/// Unix socket is removed after the first connection.
const RECONNECTION: Duration = Duration::from_secs(2);

/// State that all connections and calls share.
#[derive(Debug, Clone, Default)]
pub(super) struct Lifetime {
    shutdown: Flag,
    ending: Flag,
    connections: Counter,
    calls: Counter,
}

impl Lifetime {
    /// Records that the host requested a shutdown.
    pub(super) fn request_shutdown(&self) {
        self.shutdown.raise();
    }

    /// Waits until the host requests a shutdown.
    pub(super) async fn shutdown_requested(&self) {
        self.shutdown.raised().await;
    }

    /// Stops the server: it accepts no new requests, and open streams end.
    pub(super) fn end(&self) {
        self.ending.raise();
    }

    /// Waits for [`Lifetime::end`].
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let ending = self.ending.clone();
        async move { ending.raised().await }
    }

    /// Counts a connection until the returned guard is dropped.
    pub(super) fn connection(&self) -> Running {
        self.connections.increment()
    }

    /// Counts a call until the returned guard is dropped.
    pub(super) fn call(&self) -> Running {
        self.calls.increment()
    }

    /// Reports whether a call is running.
    pub(super) fn is_calling(&self) -> bool {
        *self.calls.0.borrow() > 0
    }

    /// Waits until no call is running.
    pub(super) async fn no_calls(&self) {
        self.calls.until(|count| count == 0).await;
    }

    /// Waits until a connection is open.
    pub(super) async fn connected(&self) {
        self.connections.until(|count| count > 0).await;
    }

    /// Waits until no connection is open.
    pub(super) async fn no_connections(&self) {
        self.connections.until(|count| count == 0).await;
    }

    /// Waits until the host is gone: it never connected, or it lost its connection and did not
    /// reconnect. A host that is killed does not request a shutdown.
    pub(super) async fn abandoned(&self) {
        if timeout(FIRST_CONNECTION, self.connected()).await.is_err() {
            return;
        }
        loop {
            self.no_connections().await;
            if timeout(RECONNECTION, self.connected()).await.is_err() {
                return;
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Flag(Arc<watch::Sender<bool>>);

impl Flag {
    fn raise(&self) {
        self.0.send_replace(true);
    }

    async fn raised(&self) {
        // `self` holds the sender, so waiting cannot fail.
        let mut seen = self.0.subscribe();
        let _raised = seen.wait_for(|raised| *raised).await.map(|raised| *raised);
    }
}

#[derive(Debug, Clone, Default)]
struct Counter(Arc<watch::Sender<usize>>);

impl Counter {
    fn increment(&self) -> Running {
        self.0.send_modify(|count| *count += 1);
        Running(self.clone())
    }

    async fn until(&self, reached: impl Fn(usize) -> bool + Send) {
        let mut seen = self.0.subscribe();
        let _reached = seen.wait_for(|count| reached(*count)).await.map(|count| *count);
    }
}

/// A guard that counts a connection or a call until it is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Running(Counter);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_that_never_connects_is_considered_gone_after_a_minute() {
        let started = Instant::now();
        Lifetime::default().abandoned().await;
        assert_eq!(started.elapsed(), FIRST_CONNECTION);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_loses_its_connection_may_reconnect() {
        let lifetime = Lifetime::default();
        let first = lifetime.connection();
        let abandoned = tokio::spawn({
            let lifetime = lifetime.clone();
            async move { lifetime.abandoned().await }
        });
        tokio::task::yield_now().await;
        drop(first);
        advance(RECONNECTION / 2).await;
        let second = lifetime.connection();
        advance(RECONNECTION * 2).await;
        assert!(!abandoned.is_finished());

        drop(second);
        let dropped = Instant::now();
        abandoned.await.expect("no panic");
        assert_eq!(dropped.elapsed(), RECONNECTION);
    }

    #[tokio::test]
    async fn running_calls_are_waited_for() {
        let lifetime = Lifetime::default();
        lifetime.no_calls().await;
        let call = lifetime.call();
        assert!(lifetime.is_calling());
        drop(call);
        lifetime.no_calls().await;
        assert!(!lifetime.is_calling());
    }
}
