//! The life of one client connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpStream;

use super::login::log_in;
use super::relay;
use crate::state::shared::Shared;

pub(crate) async fn serve(tcp: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let Some(session) = log_in(tcp, &shared).await? else {
        return Ok(());
    };
    let number = shared.sessions.fetch_add(1, Ordering::SeqCst) + 1;
    relay::run(session, number, &shared).await
}
