//! TLS to the cluster. It is mandatory, and the certificate is always fully verified against the
//! roots of `roots.rs`.
//!
//! A client may start TLS directly, which saves a round trip, or request it in PostgreSQL's way.
//! DSQL accepts both; a proxy in between may know only the second.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::roots;
use crate::database::error::{CertificateProblem, ConnectError};

/// The ALPN protocol ID of PostgreSQL.
const ALPN: &[u8] = b"postgresql";

/// PostgreSQL's `SSLRequest` message: its length, and the request code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How TLS starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Negotiation {
    /// The client sends the TLS handshake at once.
    Direct,
    /// The client requests TLS with a PostgreSQL message first.
    Requested,
}

/// A failed TLS handshake.
#[derive(Debug)]
pub(crate) struct TlsFailure {
    reason: String,
    /// The problem of the certificate, if that was the cause.
    pub(crate) certificate: Option<CertificateProblem>,
}

impl TlsFailure {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), certificate: None }
    }

    fn of(error: &io::Error) -> Self {
        let certificate = match find_rustls(error) {
            Some(rustls::Error::InvalidCertificate(problem)) => Some(match problem {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    CertificateProblem::Untrusted
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => CertificateProblem::OtherName,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => CertificateProblem::Time,
                _ => CertificateProblem::Other,
            }),
            _ => None,
        };
        Self { reason: innermost(error), certificate }
    }
}

impl From<TlsFailure> for ConnectError {
    fn from(TlsFailure { reason, certificate }: TlsFailure) -> Self {
        Self::Tls { reason, certificate }
    }
}

/// Performs the handshake over a TCP connection. `name` is the host name that the certificate must
/// be valid for.
pub(crate) async fn secure(
    mut tcp: TcpStream,
    name: &str,
    config: Arc<ClientConfig>,
    negotiation: Negotiation,
) -> Result<TlsStream<TcpStream>, TlsFailure> {
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| TlsFailure::new(format!("{name:?} cannot be the name in a certificate")))?;
    if negotiation == Negotiation::Requested {
        let mut answer = [0];
        let requested = async {
            tcp.write_all(&SSL_REQUEST).await?;
            tcp.read_exact(&mut answer).await
        };
        requested.await.map_err(|error| TlsFailure::of(&error))?;
        if answer != *b"S" {
            return Err(TlsFailure::new("the server does not offer TLS"));
        }
    }
    let stream = TlsConnector::from(config).connect(name, tcp).await;
    let stream = stream.map_err(|error| TlsFailure::of(&error))?;
    // Without ALPN, the server may not be a PostgreSQL server.
    if negotiation == Negotiation::Direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(TlsFailure::new("the server does not name its protocol"));
    }
    Ok(stream)
}

/// The TLS client configuration: trusted roots and ALPN.
pub(crate) fn config(ca_file: Option<&str>) -> Result<Arc<ClientConfig>, ConnectError> {
    let roots = match ca_file {
        Some(path) => roots::of_file(path)?.store,
        None => roots::default_store(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| ConnectError::TlsSetup { reason: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config.into())
}

/// The cause of an error. `io::Error::source` skips the error that it wraps, so both ways are
/// tried.
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

/// The text of the innermost cause of an error. rustls ends some of its texts with the address of
/// its documentation for developers, which is left out.
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |error| inner(*error)).last();
    let text = innermost.map(ToString::to_string).unwrap_or_default();
    text.split_once(": https://").map_or_else(|| text.clone(), |(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_cause_has_no_address_of_documentation() {
        let text = "peer closed connection: https://docs.rs/rustls/latest/rustls/manual";
        let wrapped = io::Error::other(io::Error::other(text));
        assert_eq!(innermost(&wrapped), "peer closed connection");
    }
}
