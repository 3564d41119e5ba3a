//! The key pairs that a cluster accepts, in place of IAM.

use std::time::Duration;

use crate::wire::signature::{ALGORITHM, LONGEST_LIFE, SignedRequest, action_of};
use crate::wire::timestamp;

/// A key pair that signs tokens for a cluster, and the IAM identity that owns it.
///
/// Nothing here is secret, because such a key gives access to a local emulator only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// Value of `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// Value of `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// Value of `AWS_SESSION_TOKEN`, if the keys are temporary.
    pub session_token: Option<String>,
    /// ARN of the IAM role or user, as in `AWS IAM GRANT`.
    pub arn: String,
    /// How long after the start of the cluster the keys expire, by the cluster's clock; `None` for
    /// never.
    pub lifetime: Option<Duration>,
}

impl Credentials {
    /// The access key of [`Credentials::default`].
    pub const ACCESS_KEY_ID: &str = "local";
    /// The secret key of [`Credentials::default`].
    pub const SECRET_ACCESS_KEY: &str = "local";
    /// The IAM role of [`Credentials::default`].
    pub const ARN: &str = "arn:aws:iam::123456789012:role/local";

    /// Creates keys that belong to the IAM role of [`Credentials::default`].
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            arn: Self::ARN.to_owned(),
            lifetime: None,
        }
    }

    /// Makes the keys temporary ones with this session token.
    #[must_use]
    pub fn with_session_token(mut self, session_token: impl Into<String>) -> Self {
        self.session_token = Some(session_token.into());
        self
    }

    /// Makes the keys expire this long after the start of the cluster. From then on, none of their
    /// tokens can be used to log in.
    #[must_use]
    pub fn for_the_first(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Assigns the keys to another IAM role or user.
    #[must_use]
    pub fn of(mut self, arn: impl Into<String>) -> Self {
        self.arn = arn.into();
        self
    }

    /// Signs a token with the current time: the password of `user` at a cluster that accepts these
    /// keys.
    ///
    /// A lifetime of more than a week is reduced to a week, the maximum that AWS grants.
    pub fn token(&self, host: &str, region: &str, user: &str, life: Duration) -> String {
        let date = timestamp::format(timestamp::now());
        let scope = format!("{}/{region}/dsql/aws4_request", &date[..8]);
        let life = life.as_secs().min(LONGEST_LIFE);
        let mut parameters = vec![
            ("Action".to_owned(), action_of(user).to_owned()),
            ("X-Amz-Algorithm".to_owned(), ALGORITHM.to_owned()),
            ("X-Amz-Credential".to_owned(), format!("{}/{scope}", self.access_key_id)),
            ("X-Amz-Date".to_owned(), date.clone()),
            ("X-Amz-Expires".to_owned(), life.to_string()),
            ("X-Amz-SignedHeaders".to_owned(), "host".to_owned()),
        ];
        let session_token = self.session_token.clone();
        parameters.extend(session_token.map(|token| ("X-Amz-Security-Token".to_owned(), token)));
        let request = SignedRequest { host, parameters, date: &date, scope: &scope };
        let signature = request.sign(&self.secret_access_key);
        format!("{host}/?{}&X-Amz-Signature={signature}", request.query())
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::new(Self::ACCESS_KEY_ID, Self::SECRET_ACCESS_KEY)
    }
}
