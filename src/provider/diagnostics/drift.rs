//! Messages about drift.

use super::Subject;
use super::plan::DESTROY;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::drift::{Change, Remedy, Unfinished};

/// Returns the warning about drift that turns a plan into an update.
pub(in crate::provider) fn drift_warning(
    changes: &[Change],
    fingerprint: &str,
    accepted: Option<&str>,
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::SchemaChanged.fill(&[&subject])).detail(drift_words(
        changes,
        fingerprint,
        accepted,
    ))
}

/// Returns the error about drift that fails a plan.
pub(in crate::provider) fn drift_error(
    changes: &[Change],
    fingerprint: &str,
    accepted: Option<&str>,
    subject: &Subject,
) -> Diagnostic {
    let words = drift_words(changes, fingerprint, accepted);
    Diagnostic::error(Title::SchemaChanged.fill(&[&subject]))
        .detail(format!("{words} {DESTROY}"))
        .at("on_drift")
}

/// Returns the warning about differences that statements and runs explain.
pub(in crate::provider) fn unfinished<'a>(
    unfinished: impl Iterator<Item = &'a Unfinished<'a>>,
    subject: &Subject,
) -> Option<Diagnostic> {
    let lines: Vec<String> =
        unfinished.map(|Unfinished { change, by }| format!("{change}\n      ({by})")).collect();
    if lines.is_empty() {
        return None;
    }
    let shown = lines[..lines.len().min(SHOWN_CHANGES)].join("\n\n  ");
    let more = match lines.len().saturating_sub(SHOWN_CHANGES) {
        0 => String::new(),
        more => format!("\n\n  and {more} more"),
    };
    Some(Diagnostic::warning(Title::ChangesUnfinished.fill(&[&subject])).detail(format!(
        "The schema differs from the recorded one. The ledger explains these differences, so they \
         are not drift:\n\n  {shown}{more}\n\nThe apply that is in progress records them when it \
         ends, and the next apply of the migration set completes what an earlier one has left."
    )))
}

/// Limits the list. The attribute `drift` contains all changes.
const SHOWN_CHANGES: usize = 20;

/// Lists each change with the SQL that reverts it. Terraform does not wrap indented lines.
fn drift_words(changes: &[Change], fingerprint: &str, accepted: Option<&str>) -> String {
    let mut words =
        "Each change is followed by the SQL that reverts it in a new migration:\n".to_owned();
    for change in changes.iter().take(SHOWN_CHANGES) {
        words.push_str(&format!("\n  {change}\n"));
        let (statements, note) = match change.remedy() {
            Remedy::Sql(statements) => (statements, None),
            Remedy::Partly(statements, note) => (statements, Some(note)),
            Remedy::Words(note) => (Vec::new(), Some(note)),
        };
        for statement in statements {
            let lines = statement.lines().collect::<Vec<_>>().join("\n      ");
            words.push_str(&format!("      {lines};\n"));
        }
        if let Some(note) = note {
            words.push_str(&format!("      ({note})\n"));
        }
    }
    if let Some(more) = changes.len().checked_sub(SHOWN_CHANGES).filter(|more| *more > 0) {
        words.push_str(&format!("\n  and {more} more, which the attribute drift lists\n"));
    }
    words.push_str(&format!(
        "\nRevert the changes, or accept the schema as it is with\n\n  accept_drift = \
         \"{fingerprint}\"\n\nAn apply alone does neither."
    ));
    if accepted.is_some_and(|accepted| accepted != fingerprint) {
        words.push_str(
            " The value of accept_drift in the configuration is the fingerprint of other schemas, \
             so it accepts nothing.",
        );
    }
    words
}

/// Returns the warning about schemas to compare that do not exist.
pub(in crate::provider) fn missing_schemas(missing: &[&str], subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::SchemaNotFound.fill(&[&subject]))
        .detail(format!(
            "The cluster has no schema with this name: {}. The plan therefore detects no drift in \
             it. Check the name. Case matters.",
            missing.join(", ")
        ))
        .at("drift_schemas")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_fingerprint_that_does_not_match_is_named() {
        let detail = |accepted| {
            let subject = Subject::set(Some("app"));
            drift_warning(&[], "sha256:1", accepted, &subject).detail
        };
        assert!(detail(Some("sha256:2")).ends_with("so it accepts nothing."));
        assert!(detail(None).ends_with("An apply alone does neither."));
    }
}
