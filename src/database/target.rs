//! Where to connect, and as whom.

use std::fmt;

/// A cluster, a role on it and the way to log in. Equal targets share one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Host name, as TLS and the token need it.
    pub endpoint: String,
    /// TCP port.
    pub port: u16,
    /// Database role; `admin` uses another IAM action than all others.
    pub user: String,
    /// AWS Region for the token; derived from the endpoint when absent.
    pub region: Option<String>,
    /// Profile of the shared AWS configuration.
    pub profile: Option<String>,
    /// A ready-made token, instead of one made from AWS credentials.
    pub token: Option<Secret>,
    /// PEM file with the certificate authorities to trust, instead of the system's.
    pub ca_file: Option<String>,
}

impl Target {
    /// The Region to sign for: as configured, or read from an endpoint of the form
    /// `<id>.dsql[-<suffix>].<region>.on.aws`.
    #[must_use]
    pub fn signing_region(&self) -> Option<&str> {
        self.region.as_deref().or_else(|| region_of(&self.endpoint))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} as {}", self.endpoint, self.port, self.user)
    }
}

/// The Region named in a DSQL endpoint, or in the name of its PrivateLink form.
#[must_use]
pub fn region_of(endpoint: &str) -> Option<&str> {
    let labels: Vec<&str> = endpoint.trim_end_matches('.').split('.').collect();
    let [_cluster, service, region, "on", "aws"] = labels[..] else { return None };
    (service == "dsql" || service.starts_with("dsql-")).then_some(region)
}

/// Text that must never be printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_the_endpoint() {
        assert_eq!(region_of("abc.dsql.us-east-1.on.aws"), Some("us-east-1"));
        assert_eq!(region_of("abc.dsql-x1y2.eu-central-1.on.aws"), Some("eu-central-1"));
        assert_eq!(region_of("abc.rds.eu-central-1.on.aws"), None);
        assert_eq!(region_of("localhost"), None);
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
