//! Errors and warnings as Terraform shows them.
//!
//! A leaf: it defines the parts of a message, not when a message is due.

mod titles;

pub use self::titles::TITLES;
pub(crate) use self::titles::{Summary, Title};
use crate::value::AttributePath;

/// Whether an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed.
    Error,
    /// The operation continues, and its outcome may need attention.
    Warning,
}

/// An error or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a diagnostic that is not returned is never shown"]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Title in sentence case, without a full stop, from [`TITLES`].
    pub summary: String,
    /// What happened and what to do, in full sentences. It never contains a secret.
    pub detail: String,
    /// Attribute that caused the message. Terraform shows its line of the configuration.
    pub path: Option<AttributePath>,
}

impl Diagnostic {
    /// Creates an error with a title.
    pub(crate) fn error(title: impl Into<Summary>) -> Self {
        Self::new(Severity::Error, title.into())
    }

    /// Creates a warning with a title.
    pub(crate) fn warning(title: impl Into<Summary>) -> Self {
        Self::new(Severity::Warning, title.into())
    }

    fn new(severity: Severity, title: Summary) -> Self {
        Self { severity, summary: title.into(), detail: String::new(), path: None }
    }

    /// Sets the detail.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Points at an attribute, given by its path or, at the root, by its name.
    pub fn at(mut self, path: impl Into<AttributePath>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Reports whether this is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_points_at_an_attribute() {
        let diagnostic = Diagnostic::warning("Odd port").detail("It is 0.").at("port");
        assert_eq!(diagnostic.severity, Severity::Warning);
        assert_eq!(diagnostic.path, Some(AttributePath::root().attribute("port")));
        assert!(!diagnostic.is_error());
    }
}
