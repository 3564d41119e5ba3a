//! Messages about endpoints that do not show the applied migrations.

use crate::diagnostic::{Diagnostic, Title};
use crate::engine::drift::{Change, ChangeKind};

/// Limits long lists.
const SHOWN: usize = 20;

/// Describes one difference between an endpoint and the one that the apply used.
pub(in crate::provider) fn difference(change: &Change) -> String {
    let object = &change.object;
    match &change.kind {
        ChangeKind::Added(_) => format!("{object} exists only on this endpoint"),
        ChangeKind::Removed { .. } => format!("{object} is missing"),
        ChangeKind::Changed { from, to } => {
            format!("{object} is {to:?}, but {from:?} on the other endpoint")
        }
        ChangeKind::NotValid(_) => format!("{object} is not valid"),
    }
}

/// Returns the error for an endpoint that differs from the one that the apply used.
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
    Diagnostic::error(Title::EndpointDiffers).detail(format!(
        "The migrations were applied through {other}, but {endpoint} differs:\n\n  {}\n\nIf the \
         two clusters are peered, apply again: the apply runs nothing twice and verifies the \
         endpoints again. If they are not peered, give each cluster its own resource.",
        listed.join("\n  ")
    ))
}
