//! The IAM token that DSQL takes as password.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dsql::auth_token::{AuthTokenGenerator, Config};

use super::connect::ConnectError;
use super::identity::load;
use super::target::{Secret, Target};

/// How long a token lives that is made for one connect. DSQL checks it at login only; what is
/// longer than that allows for a clock that is behind.
const FOR_ONE_CONNECT: Duration = Duration::from_secs(15 * 60);

/// A token for one connect: as configured, or made offline from AWS credentials.
pub(super) async fn token_for(target: &Target, host: &str) -> Result<Secret, ConnectError> {
    match &target.token {
        Some(token) => Ok(token.clone()),
        None => sign(target, host, FOR_ONE_CONNECT).await,
    }
}

/// Makes a token that can be used for a while, for a client other than this provider.
///
/// # Errors
/// No Region, no credentials, or a role that cannot be assumed. Nobody asks the cluster.
pub async fn new_token(target: &Target, life: Duration) -> Result<Secret, ConnectError> {
    let no_region = || ConnectError::NoRegion { endpoint: target.endpoint.clone() };
    let host = target.host().ok_or_else(no_region)?;
    sign(target, &host, life).await
}

async fn sign(target: &Target, host: &str, life: Duration) -> Result<Secret, ConnectError> {
    let Some(region) = target.signing_region() else {
        return Err(ConnectError::NoRegion { endpoint: target.endpoint.clone() });
    };
    let aws = load(target, region).await?;
    let failed =
        |source| ConnectError::Credentials { profile: target.identity.profile.clone(), source };
    with_credentials(&aws, host, &target.user, life).await.map_err(failed)
}

async fn with_credentials(
    aws: &SdkConfig,
    host: &str,
    user: &str,
    life: Duration,
) -> Result<Secret, Box<dyn std::error::Error + Send + Sync>> {
    let config = Config::builder().hostname(host).expires_in(life.as_secs()).build()?;
    let generator = AuthTokenGenerator::new(config);
    let token = if user == "admin" {
        generator.db_connect_admin_auth_token(aws).await?
    } else {
        generator.db_connect_auth_token(aws).await?
    };
    Ok(Secret::new(token.as_str()))
}

/// What a token says of itself. None of it is secret, and nothing here checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// The host name that it is for.
    pub host: String,
    /// `DbConnect` or `DbConnectAdmin`.
    pub action: String,
    /// The Region that it is signed for.
    pub region: String,
}

impl TokenFacts {
    /// Reads a token of the form `<host>/?Action=…&X-Amz-Credential=<key>%2F<day>%2F<region>%2F…`.
    /// `None` if it is something else.
    #[must_use]
    pub fn of(token: &Secret) -> Option<Self> {
        let (host, query) = token.reveal().split_once("/?")?;
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let credential = value("X-Amz-Credential")?.replace("%2F", "/").replace("%2f", "/");
        Some(Self {
            host: host.to_owned(),
            action: value("Action")?.to_owned(),
            region: credential.split('/').nth(2)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form is the one of the SDK's own test.
    const TOKEN: &str = "peccy.dsql.us-east-1.on.aws/?Action=DbConnect&X-Amz-Algorithm=AWS4-HMAC-\
                         SHA256&X-Amz-Credential=akid%2F20240827%2Fus-east-1%2Fdsql%2Faws4_request&\
                         X-Amz-Date=20240827T000000Z&X-Amz-Expires=450&X-Amz-SignedHeaders=host&\
                         X-Amz-Signature=f5f2";

    #[test]
    fn a_token_tells_what_it_is_for() {
        let facts = TokenFacts::of(&Secret::new(TOKEN)).expect("a token");
        assert_eq!(facts.host, "peccy.dsql.us-east-1.on.aws");
        assert_eq!((facts.action.as_str(), facts.region.as_str()), ("DbConnect", "us-east-1"));
        assert!(!format!("{facts:?}").contains("akid"));
    }

    #[test]
    fn a_text_that_is_no_token_tells_nothing() {
        for text in ["", "hunter2", "host/?", "host/?Action=DbConnect", "a/?X-Amz-Credential=k"] {
            assert_eq!(TokenFacts::of(&Secret::new(text)), None, "{text:?}");
        }
    }
}
