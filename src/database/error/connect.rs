//! Why no session could be opened.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use super::ServerError;
use crate::database::secret::Secret;

/// The step of opening a session that failed. Only the login was sent to the server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// `GetCluster` of the control plane failed.
    #[error("cannot look up the cluster {identifier} in {region}: {reason}")]
    ControlPlane {
        /// Cluster identifier, 26 characters.
        identifier: String,
        /// AWS Region of the request.
        region: String,
        /// Error code of the AWS API; `None` if there was no response.
        code: Option<String>,
        /// Message of the AWS API, or of the HTTP client.
        reason: String,
    },
    /// The status of the cluster does not allow connections.
    #[error("the cluster {identifier} is {status}")]
    NotActive {
        /// Cluster identifier, 26 characters.
        identifier: String,
        /// `ClusterStatus` of the AWS API, for example `CREATING`.
        status: String,
        /// How long the provider waited; `None` for a status that does not change by itself.
        waited: Option<Duration>,
    },
    /// The resolver returned no address for the endpoint.
    #[error("cannot resolve the host name of the cluster")]
    Resolve {
        /// Error of the resolver.
        source: io::Error,
    },
    /// No address accepted a TCP connection.
    #[error("cannot open a TCP connection")]
    Tcp {
        /// TCP port.
        port: u16,
        /// Error of the address that was tried last.
        source: io::Error,
    },
    /// The connection and login did not finish in time.
    #[error("the connection and the login took longer than {} seconds", limit.as_secs())]
    TimedOut {
        /// TCP port.
        port: u16,
        /// Limit for name resolution, TCP, TLS and login together.
        limit: Duration,
    },
    /// The CA file cannot be used.
    #[error("cannot use the CA file {path}: {reason}")]
    CaFile {
        /// Path as configured.
        path: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// The TLS client could not be configured.
    #[error("cannot set up TLS: {reason}")]
    TlsSetup {
        /// Message of the TLS library.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {reason}")]
    Tls {
        /// Message of the TLS library.
        reason: String,
        /// Problem of the server's certificate; `None` if the certificate was not the cause.
        certificate: Option<CertificateProblem>,
    },
    /// The server rejected the login.
    #[error("role {user:?} cannot log in: {error}")]
    Login {
        /// Host name, as configured or as AWS reported it.
        endpoint: String,
        /// Database role.
        user: String,
        /// What the server's error means.
        refusal: LoginRefusal,
        /// What the token was issued for; `None` if the password is not a DSQL token.
        token: Option<Box<TokenFacts>>,
        /// Error of the server.
        error: Box<ServerError>,
    },
    /// The connection ended during the login.
    #[error("the server closed the connection during the login: {reason}")]
    BrokenOff {
        /// Message of the client library.
        reason: String,
    },
    /// The AWS Region that the token must be signed for is not known.
    #[error("the Region of {endpoint} is not known")]
    NoRegion {
        /// Host name, as configured or as AWS reported it.
        endpoint: String,
    },
    /// AWS credentials were not found, or no token could be signed with them.
    #[error("cannot sign a token with AWS credentials")]
    Credentials {
        /// Profile of the shared AWS configuration, if one is configured.
        profile: Option<String>,
        /// Error of the AWS SDK.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// STS did not return credentials for the role.
    #[error("cannot assume the role {role_arn}: {reason}")]
    AssumeRole {
        /// ARN of the role.
        role_arn: String,
        /// IAM action that the request needs, for example `sts:AssumeRole`.
        action: &'static str,
        /// Error code of STS; `None` if there was no response.
        code: Option<String>,
        /// Message of STS, or of the HTTP client.
        reason: String,
    },
    /// The file with the token of an OIDC issuer cannot be read.
    #[error("cannot read the web identity token in {path}: {reason}")]
    WebIdentityFile {
        /// Path as configured.
        path: String,
        /// Error of the operating system.
        reason: String,
    },
}

/// Why the server rejected a login.
///
/// The messages are those of AWS's documentation and of recorded clusters. Not all of their
/// SQLSTATEs are known, so the message decides first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The token has expired.
    Expired,
    /// A token for `admin` was used for another role, or the reverse.
    WrongAction,
    /// The cluster was idle and is waking up.
    Asleep,
    /// The cluster received too many logins per second.
    RateExceeded,
    /// The cluster has too many open connections.
    TooManyConnections,
    /// The role exists but does not have the LOGIN attribute.
    NoLogin,
    /// The TLS handshake did not name the server, because the endpoint is an IP address.
    NoServerName,
    /// The database does not exist. A DSQL cluster has one database, `postgres`.
    UnknownDatabase,
    /// The token does not match, or the role is unknown or not mapped to the IAM identity. DSQL
    /// does not report which.
    Denied,
    /// Any other error.
    Other,
}

/// Why a server's certificate was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateProblem {
    /// It is not signed by a trusted authority.
    Untrusted,
    /// It was issued for a different host name.
    OtherName,
    /// It has expired or is not yet valid.
    Time,
    /// Any other problem.
    Other,
}

/// The public parts of a token. They are not secret, and nothing verifies them here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Host name that the token was issued for.
    pub host: String,
    /// `DbConnect` or `DbConnectAdmin`.
    pub action: String,
    /// AWS Region that the token is signed for.
    pub region: String,
    /// ID of the access key that signed the token, which is not a secret. AWS shows to which
    /// identity it belongs.
    pub access_key: String,
}

impl TokenFacts {
    /// Reads a token of the form `<host>/?Action=…&X-Amz-Credential=<key>%2F<day>%2F<region>%2F…`,
    /// and returns `None` for any other text.
    #[must_use]
    pub fn of(token: &Secret) -> Option<Self> {
        let (host, query) = token.reveal().split_once("/?")?;
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let credential = value("X-Amz-Credential")?.replace("%2F", "/").replace("%2f", "/");
        let mut scope = credential.split('/');
        Some(Self {
            host: host.to_owned(),
            action: value("Action")?.to_owned(),
            access_key: scope.next()?.to_owned(),
            region: scope.nth(1)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The token of the SDK's own test.
    const TOKEN: &str = "peccy.dsql.us-east-1.on.aws/?Action=DbConnect&X-Amz-Algorithm=AWS4-HMAC-\
                         SHA256&X-Amz-Credential=akid%2F20240827%2Fus-east-1%2Fdsql%2Faws4_request&\
                         X-Amz-Date=20240827T000000Z&X-Amz-Expires=450&X-Amz-SignedHeaders=host&\
                         X-Amz-Signature=f5f2";

    #[test]
    fn a_token_shows_what_it_was_made_for_but_not_its_signature() {
        let facts = TokenFacts::of(&Secret::new(TOKEN)).expect("a token");
        assert_eq!(facts.host, "peccy.dsql.us-east-1.on.aws");
        assert_eq!((facts.action.as_str(), facts.region.as_str()), ("DbConnect", "us-east-1"));
        assert_eq!(facts.access_key, "akid");
        assert!(!format!("{facts:?}").contains("f5f2"));
    }

    #[test]
    fn any_other_text_is_not_a_token() {
        for text in ["", "hunter2", "host/?", "host/?Action=DbConnect", "a/?X-Amz-Credential=k"] {
            assert_eq!(TokenFacts::of(&Secret::new(text)), None, "{text:?}");
        }
    }
}
