//! What a rejected login means, and whether the same login may succeed soon.

use tokio_postgres::error::SqlState;

use crate::database::error::{ConnectError, LoginRefusal, ServerError};
use crate::database::retry::{RetryReason, Retryable};

impl LoginRefusal {
    /// Reads the server's error.
    #[must_use]
    pub fn of(error: &ServerError) -> Self {
        let message = error.message.to_lowercase();
        let hint = error.hint.as_deref().unwrap_or_default().to_lowercase();
        let has = |words: &str| message.contains(words);
        match &error.code {
            _ if hint.contains("expired") => Self::Expired,
            _ if has("wrong user to action mapping") => Self::WrongAction,
            _ if has("waking up cluster") => Self::Asleep,
            _ if has("rate exceeded") => Self::RateExceeded,
            _ if has("too many open connections") => Self::TooManyConnections,
            _ if has("must have the login attribute") || has("not permitted to log in") => {
                Self::NoLogin
            }
            _ if has("sni was not received") => Self::NoServerName,
            _ if has("access denied") => Self::Denied,
            code if *code == SqlState::CONFIGURATION_LIMIT_EXCEEDED => Self::RateExceeded,
            code if *code == SqlState::TOO_MANY_CONNECTIONS => Self::TooManyConnections,
            code if *code == SqlState::INVALID_CATALOG_NAME => Self::UnknownDatabase,
            _ => Self::Other,
        }
    }

    /// Whether the same login is expected to succeed within a minute.
    fn is_transient(self) -> bool {
        matches!(self, Self::Asleep | Self::RateExceeded)
    }
}

impl Retryable for ConnectError {
    fn retry_reason(&self) -> Option<RetryReason> {
        let Self::Login { refusal, .. } = self else { return None };
        refusal.is_transient().then_some(RetryReason::NotReady)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_distinguished() {
        let denied = "unable to accept connection, access denied";
        for (code, message, hint, refusal) in [
            (
                "28000",
                denied,
                Some("Signature expired: x is now earlier than y"),
                LoginRefusal::Expired,
            ),
            ("28000", denied, None, LoginRefusal::Denied),
            (
                "28000",
                "Wrong user to action mapping. user: admin, action: DbConnect",
                None,
                LoginRefusal::WrongAction,
            ),
            (
                "?",
                "unable to accept connection, waking up cluster, please retry later",
                None,
                LoginRefusal::Asleep,
            ),
            (
                "53400",
                "Unable to accept connection, rate exceeded.",
                None,
                LoginRefusal::RateExceeded,
            ),
            (
                "53300",
                "Unable to accept connection, too many open connections.",
                None,
                LoginRefusal::TooManyConnections,
            ),
            ("28000", "role app must have the LOGIN attribute", None, LoginRefusal::NoLogin),
            (
                "28000",
                "unable to accept connection, sni was not received",
                None,
                LoginRefusal::NoServerName,
            ),
            ("3D000", "database \"x\" does not exist", None, LoginRefusal::UnknownDatabase),
        ] {
            let mut error = ServerError::new(code, message);
            error.hint = hint.map(str::to_owned);
            assert_eq!(LoginRefusal::of(&error), refusal, "{message}");
        }
    }

    fn rejected(message: &str) -> ConnectError {
        let error = Box::new(ServerError::new("57P03", message));
        ConnectError::Login {
            endpoint: "host".into(),
            user: "admin".into(),
            refusal: LoginRefusal::of(&error),
            token: None,
            error,
        }
    }

    #[test]
    fn only_a_transient_refusal_is_repeated() {
        for (message, is_repeated) in [
            ("waking up cluster", true),
            ("rate exceeded", true),
            ("access denied", false),
            ("too many open connections", false),
        ] {
            let reason = rejected(message).retry_reason();
            assert_eq!(reason, is_repeated.then_some(RetryReason::NotReady), "{message}");
        }
    }
}
