//! IAM authentication tokens, which DSQL accepts as passwords.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dsql::auth_token::{AuthTokenGenerator, Config};

use super::credentials::load;
use crate::database::error::ConnectError;
use crate::database::secret::Secret;
use crate::database::target::Target;

/// Lifetime of a token that is created for one connection. DSQL checks it at login only; the
/// surplus allows for a clock that is slow.
const FOR_ONE_CONNECT: Duration = Duration::from_secs(15 * 60);

/// Returns the token for one connection: the configured one, or one signed with AWS credentials.
pub(crate) async fn token_for(target: &Target, host: &str) -> Result<Secret, ConnectError> {
    match &target.token {
        Some(token) => Ok(token.clone()),
        None => sign(target, host, FOR_ONE_CONNECT).await,
    }
}

/// Creates a token with the given lifetime for a client other than this provider.
///
/// # Errors
/// The Region is unknown, no credentials were found, or a role cannot be assumed. The cluster is
/// not contacted.
pub async fn new_token(target: &Target, lifetime: Duration) -> Result<Secret, ConnectError> {
    let no_region = || ConnectError::NoRegion { endpoint: target.endpoint.clone() };
    let host = target.host().ok_or_else(no_region)?;
    sign(target, &host, lifetime).await
}

async fn sign(target: &Target, host: &str, lifetime: Duration) -> Result<Secret, ConnectError> {
    let Some(region) = target.signing_region() else {
        return Err(ConnectError::NoRegion { endpoint: target.endpoint.clone() });
    };
    let aws = load(target, region).await?;
    let failed =
        |source| ConnectError::Credentials { profile: target.identity.profile.clone(), source };
    with_credentials(&aws, host, &target.user, lifetime).await.map_err(failed)
}

async fn with_credentials(
    aws: &SdkConfig,
    host: &str,
    user: &str,
    lifetime: Duration,
) -> Result<Secret, Box<dyn std::error::Error + Send + Sync>> {
    let config = Config::builder().hostname(host).expires_in(lifetime.as_secs()).build()?;
    let generator = AuthTokenGenerator::new(config);
    let token = if user == "admin" {
        generator.db_connect_admin_auth_token(aws).await?
    } else {
        generator.db_connect_auth_token(aws).await?
    };
    Ok(Secret::new(token.as_str()))
}
