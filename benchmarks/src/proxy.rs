//! A TCP proxy on loopback that delays every byte and counts round trips.
//!
//! A round trip: the client sends something and receives the response. TLS passes through
//! unchanged. The proxy uses threads and blocking sockets, because a timer of tokio rounds up to
//! the next millisecond.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What has passed through the proxy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Connections that were opened.
    pub(crate) connections: u64,
    /// Round trips up to the end of the login: TLS, and PostgreSQL's own.
    pub(crate) login_round_trips: u64,
    /// Round trips after the login.
    pub(crate) round_trips: u64,
    /// Bytes from the client.
    pub(crate) sent: u64,
    /// Bytes to the client.
    pub(crate) received: u64,
    /// Whether the client was the last to send, and had logged in.
    asked: Option<LoggedIn>,
}

type LoggedIn = bool;

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    /// In each direction.
    delay: Duration,
    logged_in: Box<dyn Fn() -> bool + Send + Sync>,
    traffic: Mutex<Traffic>,
    ended: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Proxy {
    /// Listens on a free port. `logged_in` says whether the server has let the client in.
    pub(crate) fn start(
        server: u16,
        delay: Duration,
        logged_in: impl Fn() -> bool + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            server,
            delay,
            logged_in: Box::new(logged_in),
            traffic: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Ok(Self { port, shared })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn traffic(&self) -> Traffic {
        *self.shared.traffic()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            if let Err(error) = self.join(client) {
                eprintln!("the proxy has lost a connection: {error}");
            }
        }
    }

    fn join(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.traffic().connections += 1;
        for (from, input, output) in [
            (Side::Client, client.try_clone()?, server.try_clone()?),
            (Side::Server, server, client),
        ] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.relay(from, input, output));
        }
        Ok(())
    }

    /// Ends when either side closes; bytes in flight are dropped.
    fn relay(&self, from: Side, mut input: TcpStream, output: TcpStream) {
        let (late, queue) = mpsc::channel::<(Instant, Vec<u8>)>();
        let writer = thread::spawn(move || write(&queue, output));
        let mut buffer = vec![0; 256 << 10];
        while let Ok(length @ 1..) = input.read(&mut buffer) {
            let now = Instant::now();
            self.count(from, length as u64);
            if late.send((now + self.delay, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
        drop(late);
        writer.join().ok();
    }

    fn count(&self, from: Side, length: u64) {
        let mut traffic = self.traffic();
        match from {
            Side::Client => {
                traffic.sent += length;
                if traffic.asked.is_none() {
                    traffic.asked = Some((self.logged_in)());
                }
            }
            Side::Server => {
                traffic.received += length;
                match traffic.asked.take() {
                    Some(true) => traffic.round_trips += 1,
                    Some(false) => traffic.login_round_trips += 1,
                    None => {}
                }
            }
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes each piece when it is due.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, which has nothing else to do")]
fn write(queue: &mpsc::Receiver<(Instant, Vec<u8>)>, mut output: TcpStream) {
    for (due, bytes) in queue {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if output.write_all(&bytes).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    output.shutdown(Shutdown::Write).ok();
}
