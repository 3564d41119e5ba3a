//! Messages about drift.

use super::Subject;
use super::plan::DESTROY;
use crate::database::LedgerSchema;
use crate::diagnostic::{Diagnostic, Summary, Title};
use crate::engine::drift::{
    Change, FailedJob, LeftNotValid, OtherSet, Remedy, Unfinished, UnfinishedBy,
};
use crate::migration::{quoted_identifier, quoted_literal};

/// The drift of a set or of a single migration.
pub(in crate::provider) struct ShownDrift<'a> {
    pub(in crate::provider) changes: &'a [Change],
    /// The fingerprint of the live schemas.
    pub(in crate::provider) fingerprint: &'a str,
    /// The value of `accept_drift`.
    pub(in crate::provider) accepted: Option<&'a str>,
    pub(in crate::provider) subject: &'a Subject,
}

/// With `on_drift` as `error` or `block`, a new migration alone cannot revert a change.
const WITH_ACCEPT_DRIFT: &str =
    "To revert a change in a new migration, set accept_drift for the apply that runs it.";

impl ShownDrift<'_> {
    /// Returns the warning that accompanies an update.
    pub(in crate::provider) fn warning(&self) -> Diagnostic {
        self.filled(Diagnostic::warning, "")
    }

    /// Returns the warning of a plan whose apply runs no migration.
    pub(in crate::provider) fn blocking_warning(&self) -> Diagnostic {
        let words = "While there is drift, an apply with a pending migration fails before it runs \
                     anything, because on_drift is \"block\".";
        self.filled(Diagnostic::warning, &format!(" {words} {WITH_ACCEPT_DRIFT}"))
    }

    /// Returns the error that fails a plan.
    pub(in crate::provider) fn plan_error(&self) -> Diagnostic {
        self.filled(Diagnostic::error, &format!(" {WITH_ACCEPT_DRIFT} {DESTROY}")).at("on_drift")
    }

    /// Returns the error of an apply that runs no migration because of the drift.
    pub(in crate::provider) fn apply_error(&self) -> Diagnostic {
        let words = "Nothing was run, because on_drift is \"block\".";
        self.filled(Diagnostic::error, &format!("\n\n{words} {WITH_ACCEPT_DRIFT}")).at("on_drift")
    }

    fn filled(&self, diagnostic: fn(Summary) -> Diagnostic, end: &str) -> Diagnostic {
        let Self { changes, fingerprint, accepted, subject } = self;
        let words = drift_words(changes, fingerprint, *accepted);
        diagnostic(Title::SchemaChanged.fill(&[subject])).detail(format!("{words}{end}"))
    }
}

/// The migration sets whose last run has ended without recording the schema.
#[derive(Clone, Copy)]
pub(in crate::provider) struct UnrecordedSets<'a> {
    /// Whether the observed set is one of them.
    pub(in crate::provider) has_observed: bool,
    /// The names of the others.
    pub(in crate::provider) others: &'a [&'a str],
    /// The schema of the ledger.
    pub(in crate::provider) ledger: &'a LedgerSchema,
}

impl UnrecordedSets<'_> {
    /// How to end the wait for another set that explains a difference.
    fn without_apply(&self, unfinished: &[&Unfinished<'_>]) -> String {
        let explains = |set: &&&str| {
            unfinished.iter().any(
                |it| matches!(it.by, UnfinishedBy::Statement(statement) if statement.set == **set),
            )
        };
        let sets = self.others.iter().filter(explains);
        let words = sets.map(|set| {
            let (ledger, name) = (quoted_identifier(self.ledger.name()), quoted_literal(set));
            format!(
                "\n\nIf migration set {set} is not applied any more, for example because its \
                 resource was destroyed, run this statement. Its changes are then drift, which you \
                 can accept:\n\n  UPDATE {ledger}.lease SET drift = NULL WHERE set_name = {name};"
            )
        });
        words.collect()
    }
}

/// Returns the warning about differences that statements and runs explain.
pub(in crate::provider) fn unfinished<'a>(
    unfinished: impl Iterator<Item = &'a Unfinished<'a>>,
    ended: UnrecordedSets<'_>,
    subject: &Subject,
) -> Option<Diagnostic> {
    const UNRECORDED: &str = "The last apply of the migration set ended before it had recorded all \
                              of its changes. The next apply records them.";
    let unfinished: Vec<&Unfinished<'_>> = unfinished.collect();
    let warning = Diagnostic::warning(Title::ChangesUnfinished.fill(&[&subject]));
    if unfinished.is_empty() {
        return ended.has_observed.then(|| warning.detail(UNRECORDED));
    }
    let has_failed = unfinished.iter().any(|it| matches!(it.by, UnfinishedBy::FailedJob(_)));
    let line = |it: &&Unfinished<'_>| format!("{}\n      ({})", it.change, it.by);
    let lines: Vec<String> = unfinished.iter().map(line).collect();
    let shown = lines[..lines.len().min(SHOWN_CHANGES)].join("\n\n  ");
    let more = match lines.len().saturating_sub(SHOWN_CHANGES) {
        0 => String::new(),
        more => format!("\n\n  and {more} more"),
    };
    let mut end = String::new();
    if has_failed {
        end.push_str(
            " The apply repeats what a failed job has not built. Correct the cause of the failure \
             first: the data source dsql_migration_status shows the job.",
        );
    }
    if ended.has_observed {
        end = format!("{end} {UNRECORDED}");
    }
    end.push_str(&ended.without_apply(&unfinished));
    Some(warning.detail(format!(
        "The schema differs from the recorded one. The ledger explains these differences, so they \
         are not drift:\n\n  {shown}{more}\n\nThe apply that is in progress records them when it \
         ends, and the next apply of the migration set completes what an earlier one has left.{end}"
    )))
}

/// Returns the warning about a ledger that records no schema.
pub(in crate::provider) fn schema_not_recorded(subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::SchemaNotRecorded.fill(&[&subject])).detail(
        "The ledger has applied migrations but no record of the schema that they left, for example \
         because its rows were restored. Until a record exists, no change of the schema is \
         detected. The next apply records the schema as it is, with every change that was made \
         outside of migrations. Before that, compare the schema with a cluster that has run the \
         same migrations.",
    )
}

/// Returns the warning about constraints that migrations have left NOT VALID.
pub(in crate::provider) fn not_valid(
    left: &[LeftNotValid<'_>],
    set: &str,
    subject: &Subject,
) -> Diagnostic {
    let mut words = "Migrations have added these constraints with NOT VALID, and no migration \
                     validates them. They apply to new writes only:\n"
        .to_owned();
    for LeftNotValid { change, version, number } in left.iter().take(SHOWN_CHANGES) {
        let by = format!("statement {number} of migration {version} of migration set {set}");
        words.push_str(&format!("\n  {}\n      ({by})\n", change.object));
        if let Remedy::Sql(statements) = change.remedy() {
            words.extend(statements.iter().map(|statement| format!("      {statement};\n")));
        }
    }
    if let Some(more) = left.len().checked_sub(SHOWN_CHANGES).filter(|more| *more > 0) {
        words.push_str(&format!("\n  and {more} more\n"));
    }
    words.push_str("\nRun the statements in a new migration.");
    Diagnostic::warning(Title::ConstraintsNotValid.fill(&[&subject])).detail(words)
}

/// What to do instead of a remedy about a change that another set has left or may have made.
fn left_to(other: &OtherSet) -> String {
    match other {
        OtherSet::Unrecorded(set) => format!(
            "The last apply of migration set {set} ended before it had recorded all of its \
             changes, and this may be one of them. Apply that migration set, then plan again."
        ),
        OtherSet::FailedJob(FailedJob { set, version, number, job, details }) => {
            let job = job.as_ref().map(|job| format!(" {}", job.0)).unwrap_or_default();
            let details = details.as_ref().map(|text| format!(" DSQL reports: {text}."));
            format!(
                "Statement {number} of migration {version} of migration set {set} builds it, and \
                 its job{job} has failed.{} The plan of that migration set shows the cause, such \
                 as duplicate keys. Remove the cause and apply that migration set: the apply drops \
                 the index and builds it again. Then plan again.",
                details.unwrap_or_default()
            )
        }
    }
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
            Remedy::AfterApply(other) => {
                words.push_str(&format!("      ({})\n", left_to(&other)));
                continue;
            }
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
    use crate::engine::drift::ChangeKind;

    #[test]
    fn what_another_set_has_to_complete_is_shown_without_a_remedy() {
        let change = |perhaps_of: Option<&str>| Change {
            relation: "public.o".into(),
            object: "table public.o".into(),
            kind: ChangeKind::Added(String::new()),
            attached: Vec::new(),
            other: perhaps_of.map(|set| OtherSet::Unrecorded(set.to_owned())),
        };
        let words = drift_words(&[change(Some("other")), change(None)], "sha256:1", None);
        assert_eq!(words.matches("DROP TABLE public.o;").count(), 1, "{words}");
        let set = "      (The last apply of migration set other ended before it had recorded all of \
                   its changes, and this may be one of them. Apply that migration set, then plan \
                   again.)\n";
        assert!(words.contains(&format!("table public.o was added\n{set}")), "{words}");
    }

    #[test]
    fn an_accepted_fingerprint_that_does_not_match_is_named() {
        let detail = |accepted| {
            let (changes, subject) = (&[], &Subject::set(Some("app")));
            let fingerprint = "sha256:1";
            ShownDrift { changes, fingerprint, accepted, subject }.warning().detail
        };
        assert!(detail(Some("sha256:2")).ends_with("so it accepts nothing."));
        assert!(detail(None).ends_with("An apply alone does neither."));
    }
}
