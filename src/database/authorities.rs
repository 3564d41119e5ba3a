//! Whose signature under a certificate counts: Amazon's, the system's, and those in a file.

use std::sync::LazyLock;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::connect::ConnectError;

/// So that a machine or a container without certificates can connect: those of DSQL and of AWS's
/// other services come from Amazon.
pub(super) const AMAZONS: &[u8] = include_bytes!("authorities/amazon.pem");

/// Read once: there are more than a hundred.
static SYSTEMS: LazyLock<Vec<CertificateDer<'static>>> = LazyLock::new(|| {
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        tracing::debug!(%error, "a system certificate store could not be read");
    }
    system.certs
});

/// Whether the system has any.
pub(super) fn system_has_some() -> bool {
    !SYSTEMS.is_empty()
}

/// What counts when nothing else is configured.
pub(super) fn amazons_and_the_systems() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZONS).flatten());
    roots.add_parsable_certificates(SYSTEMS.iter().cloned());
    roots
}

/// The authorities in a file.
pub(super) struct InFile {
    /// The file as it is; every certificate in it is among `roots`.
    pub(super) pem: Vec<u8>,
    pub(super) roots: RootCertStore,
}

/// Reads a file with authorities, all of which can be used.
pub(super) fn in_file(path: &str) -> Result<InFile, ConnectError> {
    let unusable = |reason: String| ConnectError::CaFile { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".into()));
    }
    Ok(InFile { pem, roots })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_roots_of_amazon_can_be_used() {
        let roots: Vec<_> =
            CertificateDer::pem_slice_iter(AMAZONS).collect::<Result<_, _>>().expect("a PEM file");
        let mut store = RootCertStore::empty();
        assert_eq!(store.add_parsable_certificates(roots), (5, 0));
    }
}
