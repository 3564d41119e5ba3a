//! AWS credentials: the SDK's credential chain, and the roles that are assumed with them.
//!
//! They are loaded for each connection and not stored, so that credentials that expire during a
//! long run are renewed together with the connection.

use std::error::Error as StdError;
use std::time::SystemTime;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Tag;

use super::https;
use crate::chain::full_chain;
use crate::database::error::ConnectError;
use crate::database::secret::Secret;
use crate::database::target::{Identity, Role, RoleSession, Target, WebIdentity, WebToken};

/// The default name of a role session.
const SESSION_NAME: &str = "terraform-provider-dsql";

/// The IAM actions of the two ways to assume a role.
const ASSUME_ROLE: &str = "sts:AssumeRole";
const ASSUME_ROLE_WITH_WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";

/// Loads the credentials of a target, and returns them with the Region as an SDK configuration.
pub(super) async fn load(target: &Target, region: &str) -> Result<SdkConfig, ConnectError> {
    let identity = &target.identity;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https::client(target.ca_file.as_deref())?)
        .region(Region::new(region.to_owned()));
    if let Some(profile) = &identity.profile {
        loader = loader.profile_name(profile);
    }
    if identity.web_identity.is_some() {
        loader = loader.no_credentials();
    }
    let mut aws = Box::pin(loader.load()).await;
    let credentials = match &identity.web_identity {
        Some(web) => assume_with_web_identity(&aws, identity, web).await?,
        None => {
            let failed =
                |source| ConnectError::Credentials { profile: identity.profile.clone(), source };
            let chain = aws.credentials_provider().ok_or_else(|| failed("no chain".into()))?;
            chain.provide_credentials().await.map_err(|error| failed(error.into()))?
        }
    };
    aws = with(&aws, credentials);
    if let Some(role) = &identity.role {
        let credentials = assume(&aws, identity, role).await?;
        aws = with(&aws, credentials);
    }
    Ok(aws)
}

fn with(aws: &SdkConfig, credentials: Credentials) -> SdkConfig {
    let provider = SharedCredentialsProvider::new(credentials);
    aws.to_builder().credentials_provider(provider).build()
}

fn sts(aws: &SdkConfig, identity: &Identity) -> aws_sdk_sts::Client {
    let mut config = aws_sdk_sts::config::Builder::from(aws);
    if let Some(endpoint) = &identity.sts_endpoint {
        config = config.endpoint_url(endpoint);
    }
    aws_sdk_sts::Client::from_conf(config.build())
}

async fn assume(
    aws: &SdkConfig,
    identity: &Identity,
    role: &Role,
) -> Result<Credentials, ConnectError> {
    let session = &role.session;
    let failed = |error: SdkError<_>| assume_failed(session, ASSUME_ROLE, &error);
    let mut request = sts(aws, identity)
        .assume_role()
        .role_arn(&session.role_arn)
        .role_session_name(session.name.as_deref().unwrap_or(SESSION_NAME))
        .set_external_id(role.external_id.clone())
        .set_duration_seconds(session.seconds())
        .set_policy(session.policy.clone());
    for (key, value) in &role.tags {
        let tag = Tag::builder().key(key).value(value).build();
        request = request.tags(tag.map_err(|error| failed(SdkError::construction_failure(error)))?);
    }
    let answer = Box::pin(request.send()).await.map_err(failed)?;
    session.credentials(ASSUME_ROLE, answer.credentials)
}

async fn assume_with_web_identity(
    aws: &SdkConfig,
    identity: &Identity,
    web: &WebIdentity,
) -> Result<Credentials, ConnectError> {
    let token = match &web.token {
        WebToken::Text(token) => token.clone(),
        WebToken::File(path) => {
            let text = tokio::fs::read_to_string(path).await.map_err(|error| {
                ConnectError::WebIdentityFile { path: path.clone(), reason: error.to_string() }
            })?;
            Secret::new(text.trim())
        }
    };
    let session = &web.session;
    let answer = sts(aws, identity)
        .assume_role_with_web_identity()
        .role_arn(&session.role_arn)
        .role_session_name(session.name.as_deref().unwrap_or(SESSION_NAME))
        .web_identity_token(token.reveal())
        .set_duration_seconds(session.seconds())
        .set_policy(session.policy.clone())
        .send()
        .await
        .map_err(|error| assume_failed(session, ASSUME_ROLE_WITH_WEB_IDENTITY, &error))?;
    session.credentials(ASSUME_ROLE_WITH_WEB_IDENTITY, answer.credentials)
}

impl RoleSession {
    fn seconds(&self) -> Option<i32> {
        self.duration.and_then(|duration| i32::try_from(duration.as_secs()).ok())
    }

    fn credentials(
        &self,
        action: &'static str,
        answer: Option<aws_sdk_sts::types::Credentials>,
    ) -> Result<Credentials, ConnectError> {
        let Some(answer) = answer else {
            return Err(ConnectError::AssumeRole {
                role_arn: self.role_arn.clone(),
                action,
                code: None,
                reason: "STS returned no credentials".into(),
            });
        };
        Ok(Credentials::new(
            answer.access_key_id,
            answer.secret_access_key,
            Some(answer.session_token),
            SystemTime::try_from(answer.expiration).ok(),
            "AssumeRole",
        ))
    }
}

fn assume_failed<E>(
    session: &RoleSession,
    action: &'static str,
    error: &SdkError<E>,
) -> ConnectError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let role_arn = session.role_arn.clone();
    let AwsError { code, reason } = AwsError::of(error);
    ConnectError::AssumeRole { role_arn, action, code, reason }
}

/// A failed request to AWS, as far as it may be shown.
pub(super) struct AwsError {
    /// Error code of the API; `None` if there was no response.
    pub(super) code: Option<String>,
    /// Message of the API, or of the HTTP client.
    pub(super) reason: String,
}

impl AwsError {
    /// Leaves the raw response out, because it may contain secrets.
    pub(super) fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        if let Some(service) = error.as_service_error() {
            // A proxy responds in a form of its own, without an error code.
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            let of_status = match status {
                403 => "AccessDenied".to_owned(),
                429 => "Throttling".to_owned(),
                status => format!("HTTP status {status}"),
            };
            let code = service.code().map_or(of_status, str::to_owned);
            let reason = service.message().map_or_else(|| code.clone(), str::to_owned);
            return Self { code: Some(code), reason };
        }
        Self { code: None, reason: full_chain(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_without_credentials_names_the_action() {
        for action in [ASSUME_ROLE, ASSUME_ROLE_WITH_WEB_IDENTITY] {
            let error = RoleSession::default().credentials(action, None).unwrap_err();
            assert!(
                matches!(error, ConnectError::AssumeRole { action: named, .. } if named == action),
                "{error:?}"
            );
        }
    }
}
