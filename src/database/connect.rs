//! Opens a session: cluster, credentials, name, TCP, TLS, login, each with its own error.

mod login;
mod tcp;
mod tls;

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_rustls::client::TlsStream;

pub use self::login::Refused;
pub use self::tls::CertificateProblem;

use self::tls::Negotiation;
use super::control_plane;
use super::error::ServerError;
use super::target::{Naming, Target};
use super::token::{TokenFacts, token_for};

/// How long one connect may take, from the name to the login.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// How long one address may take, so that the next one has a chance: a network without IPv6 may
/// drop its packets silently.
const ADDRESS_LIMIT: Duration = Duration::from_secs(8);

/// How long a server may keep silent after TLS was begun at once, before it is asked.
const DIRECT_LIMIT: Duration = Duration::from_secs(5);

/// Why no session could be opened. Nothing was sent to the database beyond the login.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// AWS does not tell of the cluster.
    #[error("AWS does not tell of the cluster {identifier} in {region}: {reason}")]
    ControlPlane {
        /// The cluster's identifier.
        identifier: String,
        /// Where it was looked for.
        region: String,
        /// AWS's code; `None` if there was no answer.
        code: Option<String>,
        /// AWS's words.
        reason: String,
    },
    /// The cluster takes no connections.
    #[error("the cluster {identifier} is {status}")]
    NotActive {
        /// The cluster's identifier.
        identifier: String,
        /// AWS's word.
        status: String,
        /// How long it was waited for, if that could help.
        waited: Option<Duration>,
    },
    /// The name has no address.
    #[error("the name {endpoint} could not be resolved")]
    Resolve {
        /// Host name.
        endpoint: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// No address accepted a TCP connection.
    #[error("no TCP connection to {endpoint}:{port}")]
    Tcp {
        /// Host name.
        endpoint: String,
        /// Port.
        port: u16,
        /// The last address's error.
        source: io::Error,
    },
    /// Nothing was heard in time.
    #[error("no session with {endpoint}:{port} within {} seconds", limit.as_secs())]
    TimedOut {
        /// Host name.
        endpoint: String,
        /// Port.
        port: u16,
        /// The limit.
        limit: Duration,
    },
    /// The file with certificate authorities is of no use.
    #[error("the CA file {path} cannot be used ({reason})")]
    CaFile {
        /// As configured.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS could not be set up on our side.
    #[error("TLS cannot be set up ({reason})")]
    TlsSetup {
        /// The TLS library's words.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("TLS with {endpoint}:{port} failed ({reason})")]
    Tls {
        /// Host name.
        endpoint: String,
        /// Port.
        port: u16,
        /// The TLS library's words.
        reason: String,
        /// What is wrong with the certificate, if that is it.
        certificate: Option<CertificateProblem>,
    },
    /// The server refused the login.
    #[error("{user} cannot log in to {endpoint}: {error}")]
    Login {
        /// Host name.
        endpoint: String,
        /// Role.
        user: String,
        /// What the answer means.
        refused: Refused,
        /// What the token was for, if it is one.
        token: Option<Box<TokenFacts>>,
        /// The server's answer.
        error: Box<ServerError>,
    },
    /// The connection ended during the login.
    #[error("the login to {endpoint} broke off ({reason})")]
    BrokenOff {
        /// Host name.
        endpoint: String,
        /// The client library's words.
        reason: String,
    },
    /// No AWS Region to sign the token for.
    #[error("the Region of {endpoint} is not known")]
    NoRegion {
        /// Host name.
        endpoint: String,
    },
    /// No AWS credentials, or they could not make a token.
    #[error("no token could be made from AWS credentials")]
    Credentials {
        /// Profile asked for.
        profile: Option<String>,
        /// The SDK's error.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A role could not be assumed.
    #[error("the role {role_arn} could not be assumed: {reason}")]
    AssumeRole {
        /// The role.
        role_arn: String,
        /// The permission that it takes.
        action: &'static str,
        /// STS's code; `None` if there was no answer.
        code: Option<String>,
        /// STS's words.
        reason: String,
    },
    /// The file with the token of an OIDC issuer cannot be read.
    #[error("the web identity token in {path} cannot be read ({reason})")]
    WebIdentityFile {
        /// As configured.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Opens a session. The returned client ends the session when it is dropped.
pub(super) async fn connect(target: &Target) -> Result<tokio_postgres::Client, ConnectError> {
    let target = located(target).await?;
    login::patiently(|| connect_once(&target)).await
}

async fn connect_once(target: &Target) -> Result<tokio_postgres::Client, ConnectError> {
    let attempt = tokio::time::timeout(CONNECT_LIMIT, Box::pin(connect_unbounded(target)));
    attempt.await.unwrap_or_else(|_| {
        Err(ConnectError::TimedOut {
            endpoint: target.endpoint.clone(),
            port: target.port,
            limit: CONNECT_LIMIT,
        })
    })
}

/// The target with the endpoint that AWS tells, if the cluster is named by its identifier.
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
        // The stream is TLS already; tokio-postgres shall not ask for it once more inside.
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
                    refused: Refused::of(&error),
                    token: TokenFacts::of(&token).map(Box::new),
                    error,
                }
            }
            None => ConnectError::BrokenOff {
                endpoint: target.endpoint.clone(),
                reason: tls::innermost(&error),
            },
        })?;

    // The task ends when the client is dropped or the server closes; requests in flight see the
    // error themselves, so there is nobody to join.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    Ok(client)
}

/// A connection on which TLS stands. A server that does not know TLS at once is asked for it.
async fn open(
    target: &Target,
    host: &str,
    config: std::sync::Arc<rustls::ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let tcp = open_tcp(target).await?;
    let direct = tls::secure(tcp, host, config.clone(), Negotiation::Direct);
    match tokio::time::timeout(DIRECT_LIMIT, direct).await {
        Ok(Ok(stream)) => return Ok(stream),
        // A certificate that is refused once is refused again.
        Ok(Err(failure)) if failure.certificate.is_some() => return Err(failure.into_error(target)),
        Ok(Err(failure)) => tracing::debug!(?failure, "no direct TLS, asking for it"),
        Err(_) => tracing::debug!("no answer to direct TLS, asking for it"),
    }
    let tcp = open_tcp(target).await?;
    let asked = tls::secure(tcp, host, config, Negotiation::Asked).await;
    asked.map_err(|failure| failure.into_error(target))
}

async fn open_tcp(target: &Target) -> Result<TcpStream, ConnectError> {
    let addresses: Vec<_> =
        match tokio::net::lookup_host((target.endpoint.as_str(), target.port)).await {
            Ok(addresses) => addresses.collect(),
            Err(source) => {
                return Err(ConnectError::Resolve { endpoint: target.endpoint.clone(), source });
            }
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
    Err(ConnectError::Tcp { endpoint: target.endpoint.clone(), port: target.port, source: last })
}
