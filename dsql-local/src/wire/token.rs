//! DSQL's authentication token: a pre-signed request, sent as the password.

use tokio_postgres::error::SqlState;

use super::error_response::ErrorResponse;
use super::signature::{ALGORITHM, LONGEST_LIFE, SignedRequest, action_of, decode};
use super::timestamp;
use crate::credentials::Credentials;

/// How far the signer's clock may be ahead, in seconds.
const CLOCK_SKEW: u64 = 300;

/// What a token must match.
pub(crate) struct Expected<'a> {
    /// The name in the client's TLS handshake, or the cluster's own if a startup option names the
    /// cluster.
    pub(crate) host: &'a str,
    pub(crate) user: &'a str,
    pub(crate) region: &'a str,
    pub(crate) credentials: &'a [Credentials],
    /// Seconds since 1970.
    pub(crate) now: u64,
}

struct AuthToken {
    host: String,
    /// The query except for the signature.
    parameters: Vec<(String, String)>,
    action: String,
    access_key_id: String,
    region: String,
    /// The credential without the access key.
    scope: String,
    session_token: Option<String>,
    date: String,
    signed_at: u64,
    life: u64,
    signature: String,
}

pub(crate) fn access_denied() -> ErrorResponse {
    // The SQLSTATE is not recorded anywhere. This is PostgreSQL's for a failed login.
    ErrorResponse::fatal(
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        "unable to accept connection, access denied",
    )
}

/// Returns the keys that have signed the token.
pub(crate) fn check<'a>(
    password: &str,
    expected: &Expected<'a>,
) -> Result<&'a Credentials, ErrorResponse> {
    AuthToken::parse(password).ok_or_else(access_denied)?.check(expected)
}

impl AuthToken {
    fn parse(text: &str) -> Option<Self> {
        let (host, query) = text.split_once("/?")?;
        let mut parameters = query
            .split('&')
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                Some((decode(name)?, decode(value).filter(|value| !value.is_empty())?))
            })
            .collect::<Option<Vec<_>>>()?;
        // If a parameter occurs twice, it is unclear which value was signed.
        let mut names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.is_sorted_by(|a, b| a < b).then_some(())?;

        let signature = parameters.iter().position(|(name, _)| name == "X-Amz-Signature")?;
        let (_, signature) = parameters.remove(signature);
        let parameter = |name: &str| {
            parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        };
        parameter("X-Amz-Algorithm").filter(|name| name == ALGORITHM)?;
        parameter("X-Amz-SignedHeaders").filter(|name| name == "host")?;
        let date = parameter("X-Amz-Date")?;
        let signed_at = timestamp::parse(&date)?;
        // Form: <access key>/<day>/<region>/dsql/aws4_request
        let credential = parameter("X-Amz-Credential")?;
        let (access_key_id, scope) = credential.split_once('/')?;
        let (_, rest) = scope.split_once('/').filter(|(day, _)| *day == &date[..8])?;
        let region = rest.strip_suffix("/dsql/aws4_request").filter(|it| !it.contains('/'))?;
        Some(Self {
            host: host.to_owned(),
            action: parameter("Action")?,
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            scope: scope.to_owned(),
            session_token: parameter("X-Amz-Security-Token"),
            signed_at,
            life: parameter("X-Amz-Expires")?.parse().ok().filter(|life| *life <= LONGEST_LIFE)?,
            date,
            parameters,
            signature,
        })
    }

    fn check<'a>(self, expected: &Expected<'a>) -> Result<&'a Credentials, ErrorResponse> {
        let signer = expected
            .credentials
            .iter()
            .find(|known| known.access_key_id == self.access_key_id)
            .filter(|known| known.session_token == self.session_token)
            .ok_or_else(access_denied)?;
        let request = SignedRequest {
            host: &self.host,
            parameters: self.parameters,
            date: &self.date,
            scope: &self.scope,
        };
        if !request.is_signed(&signer.secret_access_key, &self.signature)
            || self.host != expected.host
            || self.region != expected.region
            || !matches!(self.action.as_str(), "DbConnect" | "DbConnectAdmin")
            || self.signed_at > expected.now + CLOCK_SKEW
        {
            return Err(access_denied());
        }
        if self.signed_at + self.life < expected.now {
            let now = timestamp::format(expected.now);
            let hint = format!("Signature expired: {} is now earlier than {now}", self.date);
            return Err(access_denied().with_hint(hint));
        }
        if self.action != action_of(expected.user) {
            let text = format!(
                "Wrong user to action mapping. user: {}, action: {}",
                expected.user, self.action
            );
            let code = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
            return Err(ErrorResponse::fatal(code, &text));
        }
        Ok(signer)
    }
}
