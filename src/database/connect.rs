//! Opens a session in six steps, each with an error of its own: cluster, credentials, name
//! resolution, TCP, TLS and login.

mod login;
mod tcp;

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_rustls::client::TlsStream;

use super::aws::control_plane;
use super::aws::token::token_for;
use super::error::{ConnectError, LoginRefusal, ServerError, TokenFacts};
use super::retry::{Attempts, LOGIN};
use super::target::{Naming, Target};
use super::tls::{self, Negotiation};

/// Limit for one connection attempt, from name resolution to the login.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Limit for one address. A network without IPv6 may drop packets silently, and the next address
/// has to be tried before the attempt times out.
const ADDRESS_LIMIT: Duration = Duration::from_secs(8);

/// How long to wait for a server to respond to direct TLS before TLS is requested in PostgreSQL's
/// way.
const DIRECT_LIMIT: Duration = Duration::from_secs(5);

/// Opens a session. It ends when the returned client is dropped.
pub(super) async fn connect(target: &Target) -> Result<tokio_postgres::Client, ConnectError> {
    let target = located(target).await?;
    let mut attempts = Attempts::new(&LOGIN);
    loop {
        match connect_once(&target).await {
            Err(error) if attempts.should_retry(&error).await => {}
            result => return result,
        }
    }
}

async fn connect_once(target: &Target) -> Result<tokio_postgres::Client, ConnectError> {
    let attempt = tokio::time::timeout(CONNECT_LIMIT, Box::pin(connect_unbounded(target)));
    attempt
        .await
        .unwrap_or_else(|_| Err(ConnectError::TimedOut { port: target.port, limit: CONNECT_LIMIT }))
}

/// Replaces the endpoint by the one that AWS reports, if the cluster is named by its identifier.
async fn located(target: &Target) -> Result<Target, ConnectError> {
    let Naming::Identifier(identifier) = &target.naming else { return Ok(target.clone()) };
    let no_region = || ConnectError::NoRegion { endpoint: target.endpoint.clone() };
    let region = target.signing_region().ok_or_else(no_region)?;
    let endpoint = control_plane::endpoint_when_active(target, identifier, region).await?;
    let mut found = target.clone();
    if let Some(endpoint) = endpoint {
        found.endpoint = endpoint;
    }
    found.region = Some(region.to_owned());
    Ok(found)
}

async fn connect_unbounded(target: &Target) -> Result<tokio_postgres::Client, ConnectError> {
    let no_region = || ConnectError::NoRegion { endpoint: target.endpoint.clone() };
    let host = target.host().ok_or_else(no_region)?;
    let tls = tls::config(target.ca_file.as_deref())?;
    let token = token_for(target, &host).await?;
    let stream = open(target, &host, tls).await?;

    let mut config = tokio_postgres::Config::new();
    config
        .user(&target.user)
        .password(token.reveal())
        .dbname("postgres")
        .application_name(concat!("terraform-provider-dsql/", env!("CARGO_PKG_VERSION")))
        // The stream is TLS already, so tokio-postgres must not request it again.
        .ssl_mode(SslMode::Disable);
    if let Naming::Behind(identifier) = &target.naming {
        config.options(format!("-c amzn-cluster-id={identifier}"));
    }
    let (client, connection) =
        config.connect_raw(stream, NoTls).await.map_err(|error| match error.as_db_error() {
            Some(server) => {
                let error = Box::new(ServerError::from(server));
                ConnectError::Login {
                    endpoint: target.endpoint.clone(),
                    user: target.user.clone(),
                    refusal: LoginRefusal::of(&error),
                    token: TokenFacts::of(&token).map(Box::new),
                    error,
                }
            }
            None => ConnectError::BrokenOff { reason: tls::innermost(&error) },
        })?;

    // The task ends when the client is dropped or the server closes the connection. Requests in
    // flight receive the error themselves, so no one has to join the task.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    Ok(client)
}

/// Opens a TLS connection. If the server does not support direct TLS, requests TLS in
/// PostgreSQL's way.
async fn open(
    target: &Target,
    host: &str,
    config: std::sync::Arc<rustls::ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let tcp = open_tcp(target).await?;
    let direct = tls::secure(tcp, host, config.clone(), Negotiation::Direct);
    match tokio::time::timeout(DIRECT_LIMIT, direct).await {
        Ok(Ok(stream)) => return Ok(stream),
        // A certificate that was rejected once would be rejected again.
        Ok(Err(failure)) if failure.certificate.is_some() => return Err(failure.into()),
        Ok(Err(failure)) => tracing::debug!(?failure, "direct TLS failed, requesting TLS"),
        Err(_) => tracing::debug!("no response to direct TLS, requesting TLS"),
    }
    let tcp = open_tcp(target).await?;
    let asked = tls::secure(tcp, host, config, Negotiation::Requested).await;
    asked.map_err(ConnectError::from)
}

async fn open_tcp(target: &Target) -> Result<TcpStream, ConnectError> {
    let addresses: Vec<_> =
        match tokio::net::lookup_host((target.endpoint.as_str(), target.port)).await {
            Ok(addresses) => addresses.collect(),
            Err(source) => return Err(ConnectError::Resolve { source }),
        };

    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let connecting = tokio::time::timeout(ADDRESS_LIMIT, TcpStream::connect(address));
        match connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                tcp::prepare(&stream);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(ConnectError::Tcp { port: target.port, source: last })
}
