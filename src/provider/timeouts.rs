//! The `timeouts` argument: how long a whole run may take.

use std::time::Duration;

use super::arguments::invalid;
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting};
use crate::value::{Input, Object, Value};

const DEFAULT_WRITE: Duration = Duration::from_secs(60 * 60);
/// The limit of a refresh or a plan.
pub(super) const DEFAULT_READ: Duration = Duration::from_secs(5 * 60);

/// How long each kind of run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeouts {
    pub(super) create: Duration,
    pub(super) read: Duration,
    pub(super) update: Duration,
}

/// The schema of the argument.
pub(super) fn attribute() -> Attribute {
    let duration = |name: &str, what: &str, default: &str| {
        Attribute::string(name).optional().description(format!(
            "Time limit for {what}, for example `\"90s\"` or `\"1h30m\"`. Default: `{default}`."
        ))
    };
    Attribute::nested(
        "timeouts",
        Nesting::Single,
        vec![
            duration("create", "the first apply", "60m"),
            duration("read", "a refresh or a plan", "5m"),
            duration("update", "a later apply", "60m"),
        ],
    )
    .optional()
    .description(
        "Time limits for whole operations. An apply that exceeds its limit stops after the \
         current statement, or while it waits for an index build. The next apply resumes with the \
         first statement that is not applied.",
    )
}

impl Timeouts {
    /// The limit of an apply, which is a create if there was nothing before, and its argument.
    pub(super) fn write(&self, prior: &Value) -> (Duration, &'static str) {
        match prior.is_null() {
            true => (self.create, "timeouts.create"),
            false => (self.update, "timeouts.update"),
        }
    }

    /// Reads the argument of a resource. What is null or unknown has its default.
    pub(super) fn decode(resource: &Object<'_>) -> Result<Self, Diagnostic> {
        let timeouts = resource.object("timeouts").known();
        let read = |name: &str, default| match &timeouts {
            None => Ok(default),
            Some(timeouts) => match timeouts.string(name) {
                Input::Known(text) => parse(text).ok_or_else(|| {
                    let problem = format!(
                        "{text:?} is not a valid duration. Write numbers with the units h, m, s, \
                         or ms, for example \"90s\" or \"1h30m\". The duration must be longer \
                         than zero."
                    );
                    invalid(timeouts.path(name), &problem)
                }),
                Input::Null | Input::Unknown => Ok(default),
            },
        };
        Ok(Self {
            create: read("create", DEFAULT_WRITE)?,
            read: read("read", DEFAULT_READ)?,
            update: read("update", DEFAULT_WRITE)?,
        })
    }
}

/// Parses a duration in Go's notation (`1h30m`, `1.5h`, `250ms`), which Terraform's users write.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        let part = number.parse::<f64>().ok()? * seconds;
        total = total.checked_add(Duration::try_from_secs_f64(part).ok()?)?;
        rest = tail;
    }
    // A year is longer than any run, and cannot overflow an `Instant`.
    (total > Duration::ZERO && total <= Duration::from_secs(365 * 24 * 3600)).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_terraform_users_write_them() {
        assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_is_not_a_duration_is_rejected() {
        for text in ["", "10", "m", "-5m", "5 m", "0s", "5d", "1e9h", "9999999h", "..s"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
