//! How long the process lives: who is connected, what runs, and who wants it to end.
//!
//! Counts, and waits for counts; what to do at the end is decided in `serve.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Time for the host to connect after the handshake. It gives up on us after a minute, too.
const FIRST_CONNECTION: Duration = Duration::from_secs(60);

/// Time for a host that lost its connection to come back.
const RECONNECTION: Duration = Duration::from_secs(2);

/// Shared by everything that serves the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Lifetime {
    shutdown: Flag,
    ending: Flag,
    connections: Counter,
    calls: Counter,
}

impl Lifetime {
    /// The host wants the process to end.
    pub(super) fn request_shutdown(&self) {
        self.shutdown.raise();
    }

    /// Waits until the host wants the process to end.
    pub(super) async fn shutdown_requested(&self) {
        self.shutdown.raised().await;
    }

    /// The process ends: nothing new begins, and streams without an end of their own end.
    pub(super) fn end(&self) {
        self.ending.raise();
    }

    /// Waits for [`Lifetime::end`].
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let ending = self.ending.clone();
        async move { ending.raised().await }
    }

    /// Counts a connection until the answer is dropped.
    pub(super) fn connection(&self) -> Running {
        self.connections.increment()
    }

    /// Counts a call until the answer is dropped.
    pub(super) fn call(&self) -> Running {
        self.calls.increment()
    }

    /// Does any call run?
    pub(super) fn is_calling(&self) -> bool {
        *self.calls.0.borrow() > 0
    }

    /// Waits until no call runs.
    pub(super) async fn no_calls(&self) {
        self.calls.until(|count| count == 0).await;
    }

    /// Waits until nobody is connected.
    pub(super) async fn no_connections(&self) {
        self.connections.until(|count| count == 0).await;
    }

    /// Waits until the host is gone: it never came, or it lost its connection and does not return.
    /// A host that is killed asks for no shutdown.
    pub(super) async fn abandoned(&self) {
        let connected = || self.connections.until(|count| count > 0);
        if timeout(FIRST_CONNECTION, connected()).await.is_err() {
            return;
        }
        loop {
            self.no_connections().await;
            if timeout(RECONNECTION, connected()).await.is_err() {
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
        // The sender is in `self`, so the wait cannot fail.
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

/// Something that is counted while it runs.
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
    async fn a_host_that_never_connects_is_gone_after_a_minute() {
        let started = Instant::now();
        Lifetime::default().abandoned().await;
        assert_eq!(started.elapsed(), FIRST_CONNECTION);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_loses_its_connection_may_come_back() {
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
        abandoned.await.expect("ends");
        assert_eq!(dropped.elapsed(), RECONNECTION);
    }

    #[tokio::test]
    async fn the_end_waits_for_running_calls() {
        let lifetime = Lifetime::default();
        lifetime.no_calls().await;
        let call = lifetime.call();
        assert!(lifetime.is_calling());
        drop(call);
        lifetime.no_calls().await;
        assert!(!lifetime.is_calling());
    }
}
