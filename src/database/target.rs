//! Where to connect, and as whom.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::secret::Secret;

/// A cluster, a role on it and the way to log in. Equal targets share one connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Host name to connect to.
    pub endpoint: String,
    /// How the cluster behind it is named.
    pub naming: Naming,
    /// TCP port.
    pub port: u16,
    /// Database role; `admin` uses another IAM action than all others.
    pub user: String,
    /// AWS Region for the token; derived from the endpoint when absent.
    pub region: Option<String>,
    /// Whose token it is.
    pub identity: Identity,
    /// A ready-made token, instead of one made from AWS credentials.
    pub token: Option<Secret>,
    /// PEM file with the certificate authorities to trust, instead of Amazon's and the system's.
    pub ca_file: Option<String>,
}

/// How the cluster is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Naming {
    /// By its endpoint.
    #[default]
    Endpoint,
    /// By its identifier. The endpoint is the one that AWS documents for it; before the first
    /// connect AWS is asked for the real one, and whether the cluster is active.
    Identifier(String),
    /// By its identifier, behind an endpoint that is no name of it: a VPC endpoint without private
    /// DNS, or a tunnel. TLS and token are for the cluster's own name all the same.
    Behind(String),
}

impl Target {
    /// The default port of PostgreSQL and of DSQL.
    const PORT: u16 = 5432;

    /// A cluster by its endpoint: port 5432, role `admin`, a token that is created from AWS
    /// credentials, and the default roots.
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

    /// The Region to sign for: as configured, or as the endpoint says.
    #[must_use]
    pub fn signing_region(&self) -> Option<&str> {
        self.region.as_deref().or_else(|| region_of(&self.endpoint))
    }

    /// The cluster's own name, which the certificate and the token are for. `None` if the Region
    /// that it takes is not known.
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

/// The Region named in a DSQL endpoint `<id>.dsql.<region>.on.aws` (FIPS: `dsql-fips`, PrivateLink:
/// `dsql-<suffix>`; China and other partitions: another end), or in the name of a VPC endpoint,
/// `vpce-<id>.dsql-<suffix>.<region>.vpce.amazonaws.com`.
#[must_use]
pub fn region_of(endpoint: &str) -> Option<&str> {
    let labels: Vec<&str> = endpoint.trim_end_matches('.').split('.').collect();
    let [_cluster, service, region, end, _, ..] = labels[..] else { return None };
    let is_dsql = service == "dsql" || service.starts_with("dsql-");
    (is_dsql && matches!(end, "on" | "vpce")).then_some(region)
}

/// The endpoint of a cluster as AWS documents it.
#[must_use]
pub fn endpoint_of(identifier: &str, region: &str) -> String {
    // The partitions of AWS whose names do not end in `aws`; from the SDK's partition table.
    let end = match region.split('-').next() {
        Some("cn") => "on.amazonwebservices.com.cn",
        Some("eusc") => "on.amazonwebservices.eu",
        _ => "on.aws",
    };
    format!("{identifier}.dsql.{region}.{end}")
}

/// Whose credentials sign, and where AWS is asked for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Profile of the shared AWS configuration.
    pub profile: Option<String>,
    /// A role assumed with the token of an OIDC issuer, instead of the SDK's chain.
    pub web_identity: Option<WebIdentity>,
    /// A role assumed with the credentials found so far.
    pub role: Option<Role>,
    /// Address of another STS, for example of a VPC endpoint or an emulator.
    pub sts_endpoint: Option<String>,
    /// Address of another control plane of DSQL.
    pub dsql_endpoint: Option<String>,
}

/// What both ways to assume a role have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RoleSession {
    /// ARN of the role.
    pub role_arn: String,
    /// Name of the session, as AWS's trail shows it; `terraform-provider-dsql` when absent.
    pub name: Option<String>,
    /// How long its credentials last.
    pub duration: Option<Duration>,
    /// JSON of a policy that narrows what the session may do.
    pub policy: Option<String>,
}

/// `AssumeRole`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Role {
    /// The role and its session.
    pub session: RoleSession,
    /// What the owner of the role asks of a third party.
    pub external_id: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
}

/// `AssumeRoleWithWebIdentity`.
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
    /// In a file, which is read for each connect, because issuers rotate it.
    File(String),
    /// Itself.
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
    fn an_endpoint_made_from_an_identifier_names_its_region_again() {
        for region in ["us-east-1", "us-gov-east-1", "cn-northwest-1", "eusc-de-east-1"] {
            assert_eq!(region_of(&endpoint_of("abc", region)), Some(region));
        }
    }

    #[test]
    fn a_cluster_behind_another_host_keeps_its_own_name_for_certificate_and_token() {
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
