//! The target of a connection: cluster, role and credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::secret::Secret;

/// A cluster, a role on it and the way to log in. Equal targets share one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Host name to connect to.
    pub endpoint: String,
    /// How the cluster is identified.
    pub naming: Naming,
    /// TCP port.
    pub port: u16,
    /// Database role. `admin` needs another IAM action than all other roles.
    pub user: String,
    /// AWS Region for the token; `None` to derive it from the endpoint.
    pub region: Option<String>,
    /// The credentials that sign the token.
    pub identity: Identity,
    /// A token to use instead of one that is signed with AWS credentials.
    pub token: Option<Secret>,
    /// PEM file with the certificate authorities to trust instead of Amazon's and the system's.
    pub ca_file: Option<String>,
}

/// How the cluster is identified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Naming {
    /// By its endpoint.
    #[default]
    Endpoint,
    /// By its identifier. The endpoint is the one that AWS documents for it. Each connection first
    /// looks up the actual endpoint and whether the cluster is active.
    Identifier(String),
    /// By its identifier, behind an endpoint that is not a host name of the cluster: a VPC endpoint
    /// without private DNS, or a tunnel. Certificate and token are for the cluster's own host name.
    Behind(String),
}

impl Target {
    /// The default port of PostgreSQL and of DSQL.
    const PORT: u16 = 5432;

    /// Creates a target for an endpoint, with port 5432, role `admin`, a token that is signed with
    /// AWS credentials, and the default roots.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            naming: Naming::default(),
            port: Self::PORT,
            user: "admin".to_owned(),
            region: None,
            identity: Identity::default(),
            token: None,
            ca_file: None,
        }
    }

    /// The Region to sign for: the configured one, or the one in the endpoint.
    #[must_use]
    pub fn signing_region(&self) -> Option<&str> {
        self.region.as_deref().or_else(|| region_of(&self.endpoint))
    }

    /// The cluster's own host name, which the certificate and the token are for. `None` if it
    /// depends on a Region that is not known.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        match &self.naming {
            Naming::Endpoint | Naming::Identifier(_) => Some(self.endpoint.clone()),
            Naming::Behind(identifier) => Some(endpoint_of(identifier, self.signing_region()?)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} as {}", self.endpoint, self.port, self.user)
    }
}

/// Returns the Region in a DSQL endpoint, `<id>.dsql.<region>.on.aws` (FIPS: `dsql-fips`;
/// PrivateLink: `dsql-<suffix>`; China and other partitions: another suffix), or in the name of a
/// VPC endpoint, `vpce-<id>.dsql-<suffix>.<region>.vpce.amazonaws.com`.
#[must_use]
pub fn region_of(endpoint: &str) -> Option<&str> {
    let labels: Vec<&str> = endpoint.trim_end_matches('.').split('.').collect();
    let [_cluster, service, region, end, _, ..] = labels[..] else { return None };
    let is_dsql = service == "dsql" || service.starts_with("dsql-");
    (is_dsql && matches!(end, "on" | "vpce")).then_some(region)
}

/// Returns the endpoint that AWS documents for a cluster.
#[must_use]
pub fn endpoint_of(identifier: &str, region: &str) -> String {
    // The partitions whose endpoints do not end in `aws`, from the SDK's partition table.
    let end = match region.split('-').next() {
        Some("cn") => "on.amazonwebservices.com.cn",
        Some("eusc") => "on.amazonwebservices.eu",
        _ => "on.aws",
    };
    format!("{identifier}.dsql.{region}.{end}")
}

/// The credentials that sign a token, and the AWS endpoints that provide them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Profile of the shared AWS configuration.
    pub profile: Option<String>,
    /// A role to assume with the token of an OIDC issuer, instead of the SDK's credential chain.
    pub web_identity: Option<WebIdentity>,
    /// A role to assume with the credentials from the chain or the web identity.
    pub role: Option<Role>,
    /// URL of STS, for example of a VPC endpoint or an emulator.
    pub sts_endpoint: Option<String>,
    /// URL of the control plane of DSQL.
    pub dsql_endpoint: Option<String>,
}

/// The parameters of both ways to assume a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RoleSession {
    /// ARN of the role.
    pub role_arn: String,
    /// Name of the session in AWS `CloudTrail`; `None` for `terraform-provider-dsql`.
    pub name: Option<String>,
    /// Lifetime of its credentials.
    pub duration: Option<Duration>,
    /// JSON of a policy that restricts the session.
    pub policy: Option<String>,
}

/// A role for `AssumeRole`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Role {
    /// The role and its session.
    pub session: RoleSession,
    /// The ID that the owner of the role requires from a third party.
    pub external_id: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
}

/// A role for `AssumeRoleWithWebIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebIdentity {
    /// The role and its session.
    pub session: RoleSession,
    /// The issuer's token.
    pub token: WebToken,
}

/// A token of an OIDC issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WebToken {
    /// Path of a file, which is read for each connection because issuers rotate the token.
    File(String),
    /// The token itself.
    Text(Secret),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_every_form_of_endpoint() {
        for (endpoint, region) in [
            ("abc.dsql.us-east-1.on.aws", Some("us-east-1")),
            ("abc.dsql.us-east-1.on.aws.", Some("us-east-1")),
            ("abc.dsql-x1y2.eu-central-1.on.aws", Some("eu-central-1")),
            ("abc.dsql-fips.us-gov-west-1.on.aws", Some("us-gov-west-1")),
            ("abc.dsql.cn-north-1.on.amazonwebservices.com.cn", Some("cn-north-1")),
            ("abc.dsql.eusc-de-east-1.on.amazonwebservices.eu", Some("eusc-de-east-1")),
            ("vpce-0a-b1.dsql-x1y2.us-east-1.vpce.amazonaws.com", Some("us-east-1")),
            ("abc.rds.eu-central-1.on.aws", None),
            ("abc.dsql.eu-central-1.example.com", None),
            ("localhost", None),
        ] {
            assert_eq!(region_of(endpoint), region, "{endpoint}");
        }
    }

    #[test]
    fn an_endpoint_that_is_derived_from_an_identifier_contains_its_region() {
        for region in ["us-east-1", "us-gov-east-1", "cn-northwest-1", "eusc-de-east-1"] {
            assert_eq!(region_of(&endpoint_of("abc", region)), Some(region));
        }
    }

    #[test]
    fn certificate_and_token_of_a_cluster_behind_another_host_are_for_its_own_name() {
        let target = Target {
            naming: Naming::Behind("abc".into()),
            ..Target::new("vpce-0a-b1.dsql-x1y2.us-east-1.vpce.amazonaws.com")
        };
        assert_eq!(target.host().as_deref(), Some("abc.dsql.us-east-1.on.aws"));
        let tunnel = Target { endpoint: "localhost".into(), ..target };
        assert_eq!(tunnel.host(), None);
        let tunnel = Target { region: Some("cn-north-1".into()), ..tunnel };
        let host = tunnel.host();
        assert_eq!(host.as_deref(), Some("abc.dsql.cn-north-1.on.amazonwebservices.com.cn"));
    }
}
