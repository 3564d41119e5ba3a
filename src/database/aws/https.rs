//! The HTTPS client of the AWS SDK: the SDK's default, with other trusted roots.
//!
//! The default trusts the system's roots only, and a container may have none (ADR 0028).

use aws_sdk_sts::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};

use crate::database::error::ConnectError;
use crate::database::tls::roots;

/// Creates a client that trusts Amazon's roots, the system's roots and those of `ca_file`.
pub(super) fn client(ca_file: Option<&str>) -> Result<SharedHttpClient, ConnectError> {
    let context = TlsContext::builder().with_trust_store(trusted(ca_file)?).build();
    let context = context.map_err(|error| ConnectError::TlsSetup { reason: error.to_string() })?;
    // The same steps as in the SDK's default. `Builder::build_https` would ignore the proxy
    // settings.
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
    // The SDK fails if the system's roots are requested and there are none.
    let store = TrustStore::empty()
        .with_native_roots(roots::system_has_any())
        .with_pem_certificate(roots::AMAZON);
    Ok(match ca_file {
        // Validated first, because the SDK panics if a certificate is invalid.
        Some(path) => store.with_pem_certificate(roots::of_file(path)?.pem),
        None => store,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the `Debug` output shows the content of a store.
    #[test]
    fn amazons_roots_are_trusted_with_a_ca_file_and_without() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, roots::AMAZON).expect("written");
        let amazons = format!("{:?}", roots::AMAZON);
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
