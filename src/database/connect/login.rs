//! What a refused login says.

use std::time::Duration;

use tokio::time::Instant;

use super::ConnectError;
use crate::database::error::ServerError;
use crate::database::retry::pause_before;

/// How long a cluster may take to wake up, or to have room for one more login.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the server refused a login. The texts are those of AWS's documentation and of recorded
/// clusters; their SQLSTATEs are not all known, so the text decides where it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The token is too old.
    Expired,
    /// A token for `admin` was used for another role, or the reverse.
    WrongAction,
    /// The cluster was idle for long and is waking up.
    Asleep,
    /// Too many logins a second.
    RateExceeded,
    /// Too many open connections.
    TooManyConnections,
    /// The role is there but has no LOGIN.
    NoLogin,
    /// The name of the server was not in the TLS handshake, because the endpoint is an address.
    NoServerName,
    /// The token does not fit, or the role is unknown or not mapped to the identity: DSQL does not
    /// say which.
    Denied,
    /// Something else.
    Other,
}

impl Refused {
    /// Reads the server's answer.
    #[must_use]
    pub fn of(error: &ServerError) -> Self {
        let message = error.message.to_lowercase();
        let hint = error.hint.as_deref().unwrap_or_default().to_lowercase();
        let says = |words: &str| message.contains(words);
        match error.code.as_str() {
            _ if hint.contains("expired") => Self::Expired,
            _ if says("wrong user to action mapping") => Self::WrongAction,
            _ if says("waking up cluster") => Self::Asleep,
            _ if says("rate exceeded") => Self::RateExceeded,
            _ if says("too many open connections") => Self::TooManyConnections,
            _ if says("must have the login attribute") || says("not permitted to log in") => {
                Self::NoLogin
            }
            _ if says("sni was not received") => Self::NoServerName,
            _ if says("access denied") => Self::Denied,
            "53400" => Self::RateExceeded,
            "53300" => Self::TooManyConnections,
            _ => Self::Other,
        }
    }

    /// Whether it goes away by itself, soon.
    fn passes(self) -> bool {
        matches!(self, Self::Asleep | Self::RateExceeded)
    }
}

/// Tries again while the refusal is one that passes.
pub(super) async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let began = Instant::now();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let pause = pause_before(attempts);
        match attempt().await {
            Err(ConnectError::Login { refused, error, .. })
                if refused.passes() && began.elapsed() + pause < PATIENCE =>
            {
                tracing::debug!(attempts, %error, "login refused, trying again");
                tokio::time::sleep(pause).await;
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn answer(code: &str, message: &str, hint: Option<&str>) -> ServerError {
        ServerError {
            code: code.into(),
            message: message.into(),
            detail: None,
            hint: hint.map(str::to_owned),
            position: None,
            after: 0,
        }
    }

    #[test]
    fn each_refusal_is_told_from_the_others() {
        let denied = "unable to accept connection, access denied";
        for (code, message, hint, refused) in [
            ("28000", denied, Some("Signature expired: x is now earlier than y"), Refused::Expired),
            ("28000", denied, None, Refused::Denied),
            (
                "28000",
                "Wrong user to action mapping. user: admin, action: DbConnect",
                None,
                Refused::WrongAction,
            ),
            (
                "?",
                "unable to accept connection, waking up cluster, please retry later",
                None,
                Refused::Asleep,
            ),
            ("53400", "Unable to accept connection, rate exceeded.", None, Refused::RateExceeded),
            (
                "53300",
                "Unable to accept connection, too many open connections.",
                None,
                Refused::TooManyConnections,
            ),
            ("28000", "role app must have the LOGIN attribute", None, Refused::NoLogin),
            (
                "28000",
                "unable to accept connection, sni was not received",
                None,
                Refused::NoServerName,
            ),
            ("3D000", "database \"x\" does not exist", None, Refused::Other),
        ] {
            assert_eq!(Refused::of(&answer(code, message, hint)), refused, "{message}");
        }
    }

    fn refused(message: &str) -> ConnectError {
        let error = Box::new(answer("57P03", message, None));
        ConnectError::Login {
            endpoint: "host".into(),
            user: "admin".into(),
            refused: Refused::of(&error),
            token: None,
            error,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_wakes_up_is_waited_for_and_one_that_does_not_is_given_up() {
        let tries = Cell::new(0);
        let woken = patiently(|| async {
            tries.set(tries.get() + 1);
            if tries.get() < 10 { Err(refused("waking up cluster")) } else { Ok(()) }
        });
        woken.await.expect("awake");
        let began = Instant::now();
        let given_up: Result<(), _> =
            patiently(|| async { Err(refused("waking up cluster")) }).await;
        assert!(matches!(given_up, Err(ConnectError::Login { refused: Refused::Asleep, .. })));
        assert!(began.elapsed() < PATIENCE && began.elapsed() > PATIENCE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_tried_again() {
        for message in ["access denied", "too many open connections"] {
            let tries = Cell::new(0);
            let result: Result<(), _> = patiently(|| async {
                tries.set(tries.get() + 1);
                Err(refused(message))
            })
            .await;
            assert!(result.is_err());
            assert_eq!(tries.get(), 1, "{message}");
        }
    }
}
