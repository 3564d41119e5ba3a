//! TLS with the cluster: always, and always with the whole certificate verified. What is trusted for
//! it is in `authorities.rs`.
//!
//! A client may begin with TLS at once, which saves a wait, or ask for it in PostgreSQL's way.
//! DSQL takes both; a proxy in between may know only the second.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ConnectError;
use crate::database::authorities;
use crate::database::target::Target;

/// The protocol name of PostgreSQL, by which both sides know that TLS was meant for it.
const ALPN: &[u8] = b"postgresql";

/// PostgreSQL's `SSLRequest`: its length, and the number that stands for it.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How TLS is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negotiation {
    /// By TLS itself.
    Direct,
    /// By a request to the server.
    Asked,
}

/// Why there is no TLS.
#[derive(Debug)]
pub(super) struct TlsFailure {
    /// In the words of who found it.
    reason: String,
    pub(super) certificate: Option<CertificateProblem>,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateProblem {
    /// Nobody whom we trust has signed it.
    Untrusted,
    /// It is for another name.
    OtherName,
    /// It is not valid at this time.
    Time,
    /// Something else.
    Other,
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

    pub(super) fn into_error(self, target: &Target) -> ConnectError {
        ConnectError::Tls {
            endpoint: target.endpoint.clone(),
            port: target.port,
            reason: self.reason,
            certificate: self.certificate,
        }
    }
}

/// Makes a connection secure. `name` is whose certificate is expected.
pub(super) async fn secure(
    mut tcp: TcpStream,
    name: &str,
    config: Arc<ClientConfig>,
    negotiation: Negotiation,
) -> Result<TlsStream<TcpStream>, TlsFailure> {
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| TlsFailure::new(format!("{name:?} cannot be the name in a certificate")))?;
    if negotiation == Negotiation::Asked {
        let mut answer = [0];
        let asked = async {
            tcp.write_all(&SSL_REQUEST).await?;
            tcp.read_exact(&mut answer).await
        };
        asked.await.map_err(|error| TlsFailure::of(&error))?;
        if answer != *b"S" {
            return Err(TlsFailure::new("the server does not offer TLS"));
        }
    }
    let stream = TlsConnector::from(config).connect(name, tcp).await;
    let stream = stream.map_err(|error| TlsFailure::of(&error))?;
    // Without it, what answers may be a server for something else.
    if negotiation == Negotiation::Direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(TlsFailure::new("the server does not name its protocol"));
    }
    Ok(stream)
}

/// What to trust and to offer.
pub(super) fn config(ca_file: Option<&str>) -> Result<Arc<ClientConfig>, ConnectError> {
    let roots = match ca_file {
        Some(path) => authorities::in_file(path)?.roots,
        None => authorities::amazons_and_the_systems(),
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

/// The last cause of an error.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    std::iter::successors(Some(error), |error| inner(*error))
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
