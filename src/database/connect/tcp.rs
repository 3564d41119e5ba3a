//! What a TCP connection to a cluster is told about delays and about silence.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How long a connection may be idle before it is probed. AWS's NAT gateways and load balancers
/// forget one that is idle for 350 seconds (VPC and NLB user guides), other networks sooner, and a
/// build of an index or a long statement may be waited for longer than that.
const PROBED_AFTER: Duration = Duration::from_secs(60);

/// How long to wait for the answer to a probe before the next one.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// How many probes in a row go unanswered before the peer is dead.
const PROBES: u32 = 6;

/// How long what was sent may go unacknowledged: as long as a silent peer is believed in. Without
/// it the kernel repeats itself for a quarter of an hour.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

/// Sets a new connection up. What the system refuses is left: the connection works without it.
pub(super) fn prepare(stream: &TcpStream) {
    if let Err(error) = set_options(stream) {
        tracing::debug!(%error, "an option of the TCP connection is not set");
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    // Small messages, each of which is waited for: Nagle's delay would add 40 ms to each.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(PROBED_AFTER)
        .with_interval(PROBE_INTERVAL)
        .with_retries(PROBES);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_silent_peer_is_probed_before_a_network_forgets_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        prepare(&stream);

        assert!(stream.nodelay().expect("an option"));
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 6);
        // The same two minutes, whether anything was on its way or not.
        #[cfg(target_os = "linux")]
        assert_eq!(
            socket.tcp_user_timeout().expect("an option"),
            Some(PROBED_AFTER + PROBE_INTERVAL * PROBES)
        );
    }
}
