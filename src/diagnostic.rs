//! What a practitioner reads when something is wrong.
//!
//! A leaf: it says how a message is built, not when one is due.

use std::error::Error;

use crate::value::AttributePath;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed.
    Error,
    /// The operation goes on, and the practitioner should know.
    Warning,
}

/// One message, in the parts that Terraform shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a diagnostic that is not returned is never seen"]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// A title, without a full stop.
    pub summary: String,
    /// What happened and what to do, in full sentences. Never a secret.
    pub detail: String,
    /// The attribute at fault; Terraform then quotes its line.
    pub path: Option<AttributePath>,
}

impl Diagnostic {
    /// An error of this title.
    pub fn error(summary: impl Into<String>) -> Self {
        Self::new(Severity::Error, summary.into())
    }

    /// A warning of this title.
    pub fn warning(summary: impl Into<String>) -> Self {
        Self::new(Severity::Warning, summary.into())
    }

    fn new(severity: Severity, summary: String) -> Self {
        Self { severity, summary, detail: String::new(), path: None }
    }

    /// Sets the detail.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Points at an attribute: a path, or the name of an attribute at the root.
    pub fn at(mut self, path: impl Into<AttributePath>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Is it an error?
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// An error with all its sources, joined by colons.
///
/// Some libraries repeat the source in their own text; what has been said is not said again.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
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
    fn a_chain_tells_every_cause() {
        assert_eq!(chain(&read_error()), "cannot read a.sql: disk on fire");
    }

    #[test]
    fn a_cause_that_is_in_the_text_is_not_repeated() {
        let text = chain(&Repeats(read_error()));
        assert_eq!(text, "connecting failed: cannot read a.sql: disk on fire");
    }

    #[test]
    fn a_diagnostic_points_at_an_attribute() {
        let diagnostic = Diagnostic::warning("Odd port").detail("It is 0.").at("port");
        assert_eq!(diagnostic.severity, Severity::Warning);
        assert_eq!(diagnostic.path, Some(AttributePath::root().attribute("port")));
        assert!(!diagnostic.is_error());
    }
}
