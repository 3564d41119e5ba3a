//! The words about endpoints that do not show what was applied.

use crate::diagnostic::Diagnostic;
use crate::engine::drift::{Change, ChangeKind};

/// A longer list is read by nobody.
const SHOWN: usize = 20;

/// What an endpoint shows otherwise than the one that was applied through.
pub(in crate::provider) fn difference(change: &Change) -> String {
    let object = &change.object;
    match &change.kind {
        ChangeKind::Added(_) => format!("{object} is there, and not on the other"),
        ChangeKind::Removed { .. } => format!("{object} is missing"),
        ChangeKind::Changed { from, to } => {
            format!("{object} is {to:?}, and not {from:?} as on the other")
        }
        ChangeKind::NotValid(_) => format!("{object} is not valid"),
    }
}

/// An endpoint that differs from the one that was applied through.
pub(in crate::provider) fn not_the_same(
    endpoint: &str,
    other: &str,
    wrong: &[String],
) -> Diagnostic {
    let mut listed: Vec<&str> = wrong.iter().map(String::as_str).take(SHOWN).collect();
    let more = format!("and {} more", wrong.len().saturating_sub(SHOWN));
    if wrong.len() > SHOWN {
        listed.push(&more);
    }
    Diagnostic::error("Endpoint does not show the applied migrations").detail(format!(
        "The migrations are applied through {other}, but {endpoint} differs:\n\n  {}\n\nIf the \
         two clusters are peered, apply again: it runs nothing twice, and looks again. If they are \
         not, each needs a resource of its own.",
        listed.join("\n  ")
    ))
}
