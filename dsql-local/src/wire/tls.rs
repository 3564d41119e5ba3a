//! A certificate authority for each cluster, and the server's side of TLS with a certificate from
//! it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Protocol name of PostgreSQL, which a client must offer if it starts TLS directly.
pub(crate) const ALPN: &[u8] = b"postgresql";

/// Why no certificate could be created.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the certificate of the cluster")]
pub struct TlsError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// What a cluster needs for TLS.
pub(crate) struct Tls {
    /// Certificate of the authority, for clients.
    pub(crate) ca_pem: String,
    pub(crate) server: Arc<ServerConfig>,
}

impl Tls {
    pub(crate) fn generate(hosts: &[&str]) -> Result<Self, TlsError> {
        let ca_key = KeyPair::generate().map_err(TlsError::of)?;
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(DnType::CommonName, "dsql-local certificate authority");
        let ca_pem = ca.self_signed(&ca_key).map_err(TlsError::of)?.pem();

        let key = KeyPair::generate().map_err(TlsError::of)?;
        let names: Vec<_> = hosts.iter().copied().chain(["127.0.0.1"]).map(str::to_owned).collect();
        let mut leaf = CertificateParams::new(names).map_err(TlsError::of)?;
        leaf.distinguished_name.push(DnType::CommonName, "dsql-local");
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).map_err(TlsError::of)?;

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut server = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::of)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .map_err(TlsError::of)?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { ca_pem, server: server.into() })
    }
}

impl TlsError {
    fn of(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }
}
