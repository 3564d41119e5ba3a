//! Statements that change nothing on DSQL, so that `rewrite = "safe"` does not send them.

use crate::sql::tokens::{StatementToken, TokenBuf, Tokens};

/// A form of statements that are not sent.
#[derive(Debug)]
pub struct Omission {
    /// The statements, in words.
    pub what: &'static str,
    /// Why nothing is lost, in sentences.
    pub reason: &'static str,
    matches: fn(Tokens<'_>) -> bool,
}

/// All forms.
pub static OMISSIONS: &[Omission] = &[
    Omission {
        what: "`SET`, `SET LOCAL` and `RESET` of `lock_timeout`, `statement_timeout` and other \
               timeouts",
        reason: "DSQL has neither locks to wait for nor these settings. `timeouts` limits a run.",
        matches: |tokens| setting(tokens).is_some_and(|(name, _)| is_any(name, TIMEOUTS)),
    },
    Omission {
        what: "The settings with which `pg_dump` begins, such as `check_function_bodies`",
        reason: "They are the defaults of DSQL, or they concern features that it does not have.",
        matches: |tokens| {
            setting(tokens)
                .is_some_and(|(name, value)| is_any(name, OF_A_DUMP) || is_default(name, value))
        },
    },
    Omission {
        what: "`SELECT pg_catalog.set_config('search_path', '', false)`",
        reason: "`pg_dump` writes it and qualifies each name, so names do not depend on the path.",
        matches: empties_path,
    },
];

const TIMEOUTS: &[&str] = &[
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
];

const OF_A_DUMP: &[&str] = &[
    "check_function_bodies",
    "client_min_messages",
    "default_table_access_method",
    "default_tablespace",
    "default_with_oids",
    "row_security",
    "synchronize_seqscans",
    "xmloption",
];

/// Whether a statement is not sent with `rewrite = "safe"`.
#[must_use]
pub fn is_omitted(sql: &str) -> bool {
    let statement = TokenBuf::of(sql);
    OMISSIONS.iter().any(|omission| (omission.matches)(statement.all()))
}

/// The name and the value of a setting; the value is empty for `RESET`.
fn setting<'t>(tokens: Tokens<'t>) -> Option<(&'t StatementToken<'t>, Tokens<'t>)> {
    if let Some(reset) = tokens.after(&["RESET"]) {
        return (reset.len() == 1).then_some((reset.first()?, Tokens::default()));
    }
    let set = tokens.after(&["SET"])?.after_optional(&["LOCAL"]).after_optional(&["SESSION"]);
    let (name, rest) = set.split_at(1);
    let value = rest.after(&["="]).or(rest.after(&["TO"]))?;
    Some((name.first()?, value))
}

fn is_any(name: &StatementToken<'_>, names: &[&str]) -> bool {
    name.identifier().is_some_and(|name| names.contains(&name.as_str()))
}

/// Whether a setting has the value that DSQL always has.
fn is_default(name: &StatementToken<'_>, value: Tokens<'_>) -> bool {
    let [value] = value.as_slice() else { return false };
    let text = value.plain_string().unwrap_or_else(|| value.text.to_owned()).to_lowercase();
    (is_any(name, &["client_encoding"]) && ["utf8", "utf-8"].contains(&text.as_str()))
        || (is_any(name, &["standard_conforming_strings"])
            && ["on", "true"].contains(&text.as_str()))
}

fn empties_path(tokens: Tokens<'_>) -> bool {
    let call = tokens.after(&["SELECT"]).map(|call| call.after_optional(&["PG_CATALOG", "."]));
    call.is_some_and(|call| {
        let words = ["SET_CONFIG", "(", "'search_path'", ",", "''", ",", "FALSE", ")"];
        call.after(&words).is_some_and(Tokens::is_empty)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{StatementKind, classify};

    #[test]
    fn settings_without_an_effect_are_omitted_and_others_are_not() {
        for sql in [
            "SET lock_timeout = '5s'",
            "set local statement_timeout to 0",
            "RESET statement_timeout",
            "SET SESSION idle_in_transaction_session_timeout = 0",
            "SET client_encoding = 'UTF8'",
            "SET standard_conforming_strings = on",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SET check_function_bodies = false",
            "SET xmloption = content",
            "SET default_tablespace = ''",
        ] {
            assert!(is_omitted(sql), "{sql}");
            assert!(matches!(classify(sql), StatementKind::Disallowed(_)), "{sql}");
        }
        for sql in [
            "SET client_encoding = 'LATIN1'",
            "SET standard_conforming_strings = off",
            "SET search_path = app",
            "SET TIME ZONE 'UTC'",
            "SET ROLE app",
            "RESET ALL",
            "SELECT set_config('search_path', 'app', false)",
            "SELECT set_config('search_path', '', true)",
            "UPDATE t SET lock_timeout = 1",
            "",
        ] {
            assert!(!is_omitted(sql), "{sql}");
        }
    }

    #[test]
    fn every_form_has_texts_in_sentences() {
        for omission in OMISSIONS {
            assert!(omission.reason.ends_with('.') && !omission.what.ends_with('.'));
        }
    }
}
