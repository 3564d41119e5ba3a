//! Trusted certificate authorities: Amazon's, the system's, and those of a file.

use std::sync::LazyLock;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::database::error::ConnectError;

/// Amazon's root certificates (PEM), which sign the certificates of DSQL and of other AWS services.
/// With them, a container without system certificates can connect.
pub(crate) const AMAZON: &[u8] = include_bytes!("amazon.pem");

/// Loaded once, because there are more than a hundred.
static SYSTEM: LazyLock<Vec<CertificateDer<'static>>> = LazyLock::new(|| {
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        tracing::debug!(%error, "a system certificate store could not be read");
    }
    system.certs
});

/// Whether the system has root certificates.
pub(crate) fn system_has_any() -> bool {
    !SYSTEM.is_empty()
}

/// The roots that are trusted without `ca_file`.
pub(super) fn default_store() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZON).flatten());
    roots.add_parsable_certificates(SYSTEM.iter().cloned());
    roots
}

/// The certificate authorities of a file.
pub(crate) struct FileRoots {
    /// The content of the file; `store` has every certificate in it.
    pub(crate) pem: Vec<u8>,
    pub(crate) store: RootCertStore,
}

/// Reads a PEM file, and fails if any of its certificates cannot be used as a root.
pub(crate) fn of_file(path: &str) -> Result<FileRoots, ConnectError> {
    let unusable = |reason: String| ConnectError::CaFile { path: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    if !metadata.is_file() {
        // Opening a named pipe would wait for another program.
        return Err(unusable("it is not a file".into()));
    }
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        store.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(unusable("it holds no certificate".into()));
    }
    Ok(FileRoots { pem, store })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_root_of_amazon_can_be_used() {
        let roots: Vec<_> =
            CertificateDer::pem_slice_iter(AMAZON).collect::<Result<_, _>>().expect("a PEM file");
        let mut store = RootCertStore::empty();
        assert_eq!(store.add_parsable_certificates(roots), (5, 0));
    }
}
