//! The SDK's way to AWS over HTTPS: its own default, but for whom it trusts.
//!
//! By itself it trusts the system's authorities, and a container need not have any: ADR 0028.

use aws_sdk_sts::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};

use super::authorities;
use super::connect::ConnectError;

/// A client that trusts Amazon's and the system's authorities, and those in `ca_file`.
pub(super) fn client(ca_file: Option<&str>) -> Result<SharedHttpClient, ConnectError> {
    let context = TlsContext::builder().with_trust_store(trusted(ca_file)?).build();
    let context = context.map_err(|error| ConnectError::TlsSetup { reason: error.to_string() })?;
    // As the SDK's own default does it. `Builder::build_https` would leave the proxy out.
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    }))
}

fn trusted(ca_file: Option<&str>) -> Result<TrustStore, ConnectError> {
    // The SDK takes it for a fault if the system's are wanted and there are none.
    let store = TrustStore::empty()
        .with_native_roots(authorities::system_has_some())
        .with_pem_certificate(authorities::AMAZONS);
    Ok(match ca_file {
        // Looked through first: the SDK panics at what is no certificate.
        Some(path) => store.with_pem_certificate(authorities::in_file(path)?.pem),
        None => store,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only its `Debug` shows what a store holds.
    #[test]
    fn amazons_authorities_are_trusted_with_a_ca_file_and_without() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, authorities::AMAZONS).expect("written");
        let amazons = format!("{:?}", authorities::AMAZONS);
        for (ca_file, times) in [(None, 1), (file.path().to_str(), 2)] {
            let store = format!("{:?}", trusted(ca_file).expect("a store"));
            assert_eq!(store.matches(&amazons).count(), times, "{ca_file:?}");
        }
    }

    #[test]
    fn a_ca_file_that_holds_something_else_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "no certificate", broken] {
            std::fs::write(&file, text).expect("written");
            let error = client(file.path().to_str()).expect_err(text);
            assert!(matches!(error, ConnectError::CaFile { .. }), "{error}");
        }
    }
}
