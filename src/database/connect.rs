//! Opens a session: name, TCP, TLS, login, each with its own error.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::ServerError;
use super::target::Target;
use super::token::token_for;

/// How long one connect may take, from the name to the login.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Why no session could be opened. Nothing was sent to the database beyond the login.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
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
    /// The TLS handshake failed; most often the certificate is not trusted.
    #[error("TLS with {endpoint}:{port} failed ({reason})")]
    Tls {
        /// Host name.
        endpoint: String,
        /// Port.
        port: u16,
        /// The TLS library's words.
        reason: String,
        /// Whether the certificate's issuer is the reason.
        untrusted: bool,
    },
    /// The server refused the login.
    #[error("{user} cannot log in to {endpoint}: {error}")]
    Login {
        /// Host name.
        endpoint: String,
        /// Role.
        user: String,
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
}

/// Opens a session. The returned client ends the session when it is dropped.
pub(super) async fn connect(target: &Target) -> Result<tokio_postgres::Client, ConnectError> {
    let attempt = tokio::time::timeout(CONNECT_LIMIT, connect_unbounded(target));
    attempt.await.unwrap_or_else(|_| {
        Err(ConnectError::TimedOut {
            endpoint: target.endpoint.clone(),
            port: target.port,
            limit: CONNECT_LIMIT,
        })
    })
}

async fn connect_unbounded(target: &Target) -> Result<tokio_postgres::Client, ConnectError> {
    let mut tls = MakeRustlsConnect::new(tls_config(target)?);
    let token = token_for(target).await?;
    let stream = open_tcp(target).await?;

    let connector = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, &target.endpoint)
        .map_err(|error| tls_error(target, &error))?;
    let mut config = tokio_postgres::Config::new();
    config
        .user(&target.user)
        .password(token.reveal())
        .dbname("postgres")
        .application_name(concat!("terraform-provider-dsql/", env!("CARGO_PKG_VERSION")))
        .ssl_mode(SslMode::Require);
    let (client, connection) =
        config.connect_raw(stream, connector).await.map_err(|error| login_error(target, &error))?;

    // The task ends when the client is dropped or the server closes; requests in flight see the
    // error themselves, so there is nobody to join.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
    });
    Ok(client)
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
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small messages, each of which is waited for: Nagle's delay would add 40 ms to each.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY is not set");
                }
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(ConnectError::Tcp { endpoint: target.endpoint.clone(), port: target.port, source: last })
}

fn tls_config(target: &Target) -> Result<rustls::ClientConfig, ConnectError> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = &target.ca_file {
        let unusable = |reason: String| ConnectError::CaFile { path: path.clone(), reason };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unusable(error.to_string()))?;
        for certificate in certificates {
            roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unusable("it holds no certificate".into()));
        }
    } else {
        let system = rustls_native_certs::load_native_certs();
        for error in system.errors {
            tracing::warn!(%error, "a system certificate store could not be read");
        }
        roots.add_parsable_certificates(system.certs);
    }

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_error(target, &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn login_error(target: &Target, error: &tokio_postgres::Error) -> ConnectError {
    if let Some(server) = error.as_db_error() {
        return ConnectError::Login {
            endpoint: target.endpoint.clone(),
            user: target.user.clone(),
            error: Box::new(server.into()),
        };
    }
    if find_rustls(error).is_some() {
        return tls_error(target, error);
    }
    ConnectError::BrokenOff { endpoint: target.endpoint.clone(), reason: innermost(error) }
}

fn tls_error(target: &Target, error: &(dyn StdError + 'static)) -> ConnectError {
    ConnectError::Tls {
        endpoint: target.endpoint.clone(),
        port: target.port,
        reason: innermost(error),
        untrusted: matches!(
            find_rustls(error),
            Some(rustls::Error::InvalidCertificate(
                rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature
            ))
        ),
    }
}

/// `io::Error::source` skips the error that it wraps, so each link is asked in both ways.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn find_rustls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    std::iter::successors(Some(error), |error| inner(*error))
        .find_map(|error| error.downcast_ref::<rustls::Error>())
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    std::iter::successors(Some(error), |error| inner(*error))
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
