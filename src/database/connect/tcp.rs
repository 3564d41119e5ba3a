//! TCP options of a connection to a cluster: no delay, keepalive probes and time-outs.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How long a connection may be idle before it is probed. AWS's NAT gateways and load balancers
/// drop connections that are idle for 350 seconds (VPC and NLB user guides), other networks
/// earlier, and an index build or a long statement may take longer than that.
const PROBED_AFTER: Duration = Duration::from_secs(60);

/// How long to wait for the response to a probe before the next probe.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// After how many unanswered probes the connection is closed.
const PROBES: u32 = 6;

/// How long sent data may remain unacknowledged: as long as all probes of an idle connection take.
/// By default, the kernel retransmits for a quarter of an hour.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

/// Sets the options of a new connection. An option that the system rejects is skipped, because the
/// connection works without it.
pub(super) fn prepare(stream: &TcpStream) {
    if let Err(error) = set_options(stream) {
        tracing::debug!(%error, "a TCP option could not be set");
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    // The client waits for the response to each small message, so Nagle's algorithm would delay
    // each by 40 ms.
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
    async fn an_idle_connection_is_probed_before_a_network_drops_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stream = TcpStream::connect(address).await.expect("a connection");
        prepare(&stream);

        assert!(stream.nodelay().expect("an option"));
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 6);
        // The same two minutes, whether or not data is in flight.
        #[cfg(target_os = "linux")]
        assert_eq!(
            socket.tcp_user_timeout().expect("an option"),
            Some(PROBED_AFTER + PROBE_INTERVAL * PROBES)
        );
    }
}
