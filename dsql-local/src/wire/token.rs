//! DSQL's authentication token: a pre-signed request, sent as the password.
//!
//! Checked here: shape, host, action, and date. Not the signature; see [`Token::check`].

use super::error_response::ErrorResponse;
use super::timestamp;

/// The longest life that AWS grants to a pre-signed request.
const LONGEST_LIFE: u64 = 604_800;
/// How far the signer's clock may run ahead.
const CLOCK_SKEW: u64 = 300;

/// What a token has to fit.
pub(crate) struct Expected<'a> {
    /// The name in the client's TLS handshake.
    pub(crate) host: &'a str,
    pub(crate) user: &'a str,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

struct Token<'a> {
    host: &'a str,
    action: &'a str,
    date: &'a str,
    signed_at: u64,
    life: u64,
}

/// The action that a user's token has to be for.
fn action_of(user: &str) -> &'static str {
    if user == "admin" { "DbConnectAdmin" } else { "DbConnect" }
}

/// A token that [`check`] accepts for fifteen minutes.
pub(crate) fn example(host: &str, user: &str) -> String {
    let date = timestamp::format(timestamp::now());
    let action = action_of(user);
    let (day, signature) = (&date[..8], "0".repeat(64));
    format!(
        "{host}/?Action={action}&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=local%2F{day}%2Fus-east-1%2Fdsql%2Faws4_request&X-Amz-Date={date}\
         &X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    )
}

pub(crate) fn access_denied() -> ErrorResponse {
    // The SQLSTATE is not recorded anywhere; PostgreSQL's for a failed log-in.
    ErrorResponse::fatal("28000", "unable to accept connection, access denied")
}

pub(crate) fn check(password: &str, expected: &Expected<'_>) -> Result<(), ErrorResponse> {
    Token::parse(password).ok_or_else(access_denied)?.check(expected)
}

impl<'a> Token<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (host, query) = text.split_once("/?")?;
        let parameter = |name: &str| {
            let mut values = query.split('&').filter_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                (key == name && !value.is_empty()).then_some(value)
            });
            // Given twice, it is not clear what was signed.
            values.next().filter(|_| values.next().is_none())
        };
        let is_hash = |text: &&str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        parameter("X-Amz-Algorithm").filter(|name| *name == "AWS4-HMAC-SHA256")?;
        parameter("X-Amz-SignedHeaders").filter(|name| *name == "host")?;
        parameter("X-Amz-Signature").filter(is_hash)?;
        // <access key>/<day>/<region>/dsql/aws4_request, its slashes escaped or not.
        let credential = parameter("X-Amz-Credential")?.replace("%2F", "/");
        credential.ends_with("/dsql/aws4_request").then_some(())?;
        let date = parameter("X-Amz-Date")?;
        Some(Self {
            host,
            action: parameter("Action")?,
            date,
            signed_at: timestamp::parse(date)?,
            life: parameter("X-Amz-Expires")?.parse().ok().filter(|life| *life <= LONGEST_LIFE)?,
        })
    }

    /// The signature belongs last in here: anybody may make a token for a local cluster as yet.
    fn check(&self, expected: &Expected<'_>) -> Result<(), ErrorResponse> {
        if !matches!(self.action, "DbConnect" | "DbConnectAdmin") || self.host != expected.host {
            return Err(access_denied());
        }
        if self.action != action_of(expected.user) {
            let text = format!(
                "Wrong user to action mapping. user: {}, action: {}",
                expected.user, self.action
            );
            return Err(ErrorResponse::fatal("28000", &text));
        }
        if self.signed_at > expected.now + CLOCK_SKEW {
            return Err(access_denied());
        }
        if self.signed_at + self.life < expected.now {
            let now = timestamp::format(expected.now);
            let hint = format!("Signature expired: {} is now earlier than {now}", self.date);
            return Err(access_denied().with_hint(hint));
        }
        Ok(())
    }
}
