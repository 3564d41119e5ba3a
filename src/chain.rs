//! Writes an error and its causes in one line.
//!
//! A leaf that every part may name.

use std::error::Error;
use std::iter::successors;

/// Joins an error and its causes with colons, without repetitions, for people to read.
///
/// Some libraries repeat the cause in their own text. Such a cause is left out.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = String::new();
    for cause in texts(error) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Joins an error and all of its causes with colons, repetitions included.
///
/// The ledger stores this form, so it must not change.
#[must_use]
pub fn full_chain(error: &dyn Error) -> String {
    texts(error).collect::<Vec<_>>().join(": ")
}

fn texts(error: &dyn Error) -> impl Iterator<Item = String> {
    successors(Some(error), |&error| error.source()).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {file}")]
    struct ReadError {
        file: &'static str,
        source: io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("connecting failed: {0}")]
    struct Repeats(#[source] ReadError);

    fn read_error() -> ReadError {
        ReadError { file: "a.sql", source: io::Error::other("disk on fire") }
    }

    #[test]
    fn a_chain_names_every_cause() {
        assert_eq!(chain(&read_error()), "cannot read a.sql: disk on fire");
        assert_eq!(full_chain(&read_error()), "cannot read a.sql: disk on fire");
    }

    #[test]
    fn only_the_full_chain_repeats_a_cause() {
        let error = Repeats(read_error());
        assert_eq!(chain(&error), "connecting failed: cannot read a.sql: disk on fire");
        assert_eq!(
            full_chain(&error),
            "connecting failed: cannot read a.sql: cannot read a.sql: disk on fire"
        );
    }
}
