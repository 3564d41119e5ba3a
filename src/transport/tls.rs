//! Mutual TLS with certificates that exist as long as the process.
//!
//! The host passes its certificate in the environment, and the provider announces its own in the
//! handshake. Each side trusts exactly the certificate of the other.
//!
//! Terraform's certificate is a CA certificate with a P-521 key. Standard verifiers reject a CA
//! certificate of a client, and ring does not support the curve. Therefore this file has its own
//! verifier, and uses aws-lc-rs.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
    verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
};

/// The server name that the host expects.
const SERVER_NAME: &str = "localhost";

/// The error of TLS that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `PLUGIN_CLIENT_CERT` is not a certificate in PEM.
    #[error("the certificate in PLUGIN_CLIENT_CERT is not PEM: {0}")]
    ClientCertificate(String),
    /// The provider's own certificate cannot be created.
    #[error("cannot create a server certificate")]
    ServerCertificate(#[from] rcgen::Error),
    /// The certificate, the key and the TLS library do not match.
    #[error("cannot set up TLS")]
    Configuration(#[from] rustls::Error),
}

/// The provider's side of TLS.
pub(super) struct ServerTls {
    /// Certificate to announce in the handshake.
    pub(super) certificate: CertificateDer<'static>,
    /// Configuration of the acceptor.
    pub(super) config: Arc<ServerConfig>,
}

impl ServerTls {
    /// Creates a certificate, and admits only the client that owns `client_certificate` (PEM).
    pub(super) fn new(client_certificate: &str) -> Result<Self, TlsError> {
        let client = CertificateDer::from_pem_slice(client_certificate.as_bytes())
            .map_err(|error| TlsError::ClientCertificate(error.to_string()))?;

        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new([SERVER_NAME.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, SERVER_NAME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key)?.der().clone();

        let crypto = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(OneClient::new(client, &crypto));
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.clone()], key.into())?;
        // Newer hosts reject a server that does not negotiate HTTP/2.
        config.alpn_protocols = vec![b"h2".to_vec()];
        // The host connects once, so no session is resumed.
        config.send_tls13_tickets = 0;
        Ok(Self { certificate, config: Arc::new(config) })
    }
}

/// A verifier that admits one client: its certificate is the expected one, byte for byte, and it
/// owns the key.
#[derive(Debug)]
struct OneClient {
    expected: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OneClient {
    fn new(expected: CertificateDer<'static>, crypto: &CryptoProvider) -> Self {
        Self { expected, algorithms: crypto.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for OneClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if *end_entity == self.expected {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, PKCS_ECDSA_P521_SHA512};
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    /// A host, with a certificate as Terraform creates it, and its key.
    pub(in crate::transport) struct Host {
        pub(in crate::transport) pem: String,
        der: CertificateDer<'static>,
        key: PrivatePkcs8KeyDer<'static>,
    }

    impl Host {
        pub(in crate::transport) fn new() -> Self {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("a key");
            let mut params = CertificateParams::new([SERVER_NAME.to_owned()]).expect("params");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyEncipherment,
                KeyUsagePurpose::KeyAgreement,
                KeyUsagePurpose::KeyCertSign,
            ];
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
            let certificate = params.self_signed(&key).expect("a certificate");
            Self {
                pem: certificate.pem(),
                der: certificate.der().clone(),
                key: PrivatePkcs8KeyDer::from(key.serialize_der()),
            }
        }

        /// Returns a connector for this host that trusts exactly `server`.
        pub(in crate::transport) fn connector(
            &self,
            server: &CertificateDer<'static>,
        ) -> TlsConnector {
            let key = aws_lc_rs::sign::any_ecdsa_type(&self.key.clone_key().into()).expect("a key");
            // This constructor does not check that certificate and key belong together.
            let identity = CertifiedKey::new(vec![self.der.clone()], key);
            let identity = Arc::new(SingleCertAndKey::from(identity));
            finish(client(server).with_client_cert_resolver(identity))
        }
    }

    fn client(
        server: &CertificateDer<'static>,
    ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(server.clone()).expect("a root");
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
    }

    fn finish(mut config: ClientConfig) -> TlsConnector {
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    /// Connects and exchanges a byte. Returns the ALPN protocol or the server's error.
    async fn connect(tls: &ServerTls, connector: TlsConnector) -> Result<Vec<u8>, String> {
        let (near, far) = tokio::io::duplex(1 << 16);
        let acceptor = TlsAcceptor::from(tls.config.clone());
        let server = async {
            let mut stream = acceptor.accept(far).await.map_err(|error| error.to_string())?;
            stream.write_all(b"!").await.map_err(|error| error.to_string())?;
            stream.flush().await.map_err(|error| error.to_string())?;
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            Ok(alpn.unwrap_or_default())
        };
        let client = async {
            let name = SERVER_NAME.try_into().expect("a name");
            let mut stream = connector.connect(name, near).await?;
            stream.read_u8().await
        };
        let (server, _client) = tokio::join!(server, client);
        server
    }

    #[tokio::test]
    async fn terraforms_certificate_is_admitted() {
        let host = Host::new();
        let tls = ServerTls::new(&host.pem).expect("TLS");
        let alpn = connect(&tls, host.connector(&tls.certificate)).await;
        assert_eq!(alpn.as_deref(), Ok(&b"h2"[..]));
    }

    #[tokio::test]
    async fn another_certificate_is_rejected() {
        let (host, stranger) = (Host::new(), Host::new());
        let tls = ServerTls::new(&host.pem).expect("TLS");
        let error = connect(&tls, stranger.connector(&tls.certificate)).await;
        assert_eq!(error, Err("invalid peer certificate: UnknownIssuer".to_owned()));
    }

    #[tokio::test]
    async fn the_certificate_without_its_key_is_rejected() {
        let (host, stranger) = (Host::new(), Host::new());
        let thief = Host { pem: String::new(), der: host.der.clone(), key: stranger.key };
        let tls = ServerTls::new(&host.pem).expect("TLS");
        let error = connect(&tls, thief.connector(&tls.certificate)).await;
        assert_eq!(error, Err("invalid peer certificate: BadSignature".to_owned()));
    }

    #[tokio::test]
    async fn a_client_without_a_certificate_is_rejected() {
        let tls = ServerTls::new(&Host::new().pem).expect("TLS");
        let connector = finish(client(&tls.certificate).with_no_client_auth());
        let error = connect(&tls, connector).await;
        assert_eq!(error, Err("peer sent no certificates".to_owned()));
    }

    #[test]
    fn an_invalid_client_certificate_is_an_error() {
        let result = ServerTls::new("not PEM");
        assert!(matches!(result, Err(TlsError::ClientCertificate(_))));
    }
}
