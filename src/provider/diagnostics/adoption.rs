//! The words about ledgers of other tools, and about what is taken over from them.

use std::collections::BTreeSet;

use super::{Subject, sentence};
use crate::chain::chain;
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::engine::adoption::{Missing, to_adopt};
use crate::formats::adopt::{AdoptError, HistoryTable};
use crate::formats::{Format, format_names};
use crate::migration::Version;
use crate::migration::fact::QualifiedName;

/// A warning with thousands of lines is read by nobody; the attribute `migrations` has all.
const SHOWN: usize = 20;

/// What a migration is adopted from that a practitioner calls applied; also the argument.
pub(in crate::provider) const BASELINE: &str = "baseline_version";

const NOTHING_WRITTEN: &str = "Nothing is taken over, and nothing is run.";

pub(in crate::provider) fn unknown_adopt(word: &str) -> Diagnostic {
    let words: Vec<String> = format_names().map(|name| format!("\"{name}\"")).collect();
    Diagnostic::error("Invalid adopt")
        .detail(format!("It is \"{word}\", and must be one of \"none\", {}.", words.join(", ")))
        .at("adopt")
}

pub(in crate::provider) fn unknown_baseline(version: &Version) -> Diagnostic {
    Diagnostic::error("Baseline version not found")
        .detail(format!(
            "There is no migration {version}, neither among the files nor in the ledger. Write \
             the version of the last migration that is applied, as the attribute migrations has \
             it."
        ))
        .at(BASELINE)
}

pub(in crate::provider) fn several_ledgers(tables: &[QualifiedName]) -> Diagnostic {
    let tables = list(tables.iter().map(ToString::to_string));
    Diagnostic::error("More than one history table found")
        .detail(format!(
            "This cluster holds more than one ledger of another tool, and they may contradict \
             each other:\n{tables}\n\n{NOTHING_WRITTEN} Say which one tells of this set: with \
             adopt (the name of the tool) or adopt_table, or adopt = \"none\" if none does."
        ))
        .at("adopt")
}

pub(in crate::provider) fn not_a_ledger(table: &QualifiedName) -> Diagnostic {
    Diagnostic::error("Table is not a supported history table")
        .detail(format!(
            "{table} does not have the columns of any ledger that this provider knows. \
             {NOTHING_WRITTEN} Set baseline_version to the last version that is applied instead."
        ))
        .at("adopt_table")
}

pub(in crate::provider) fn ledger_of_another(
    ledger: HistoryTable,
    table: &QualifiedName,
    format: Format,
) -> Diagnostic {
    let (tool, own, read) = (ledger.tool(), ledger.format().name(), format.name());
    Diagnostic::error("History table does not match the directory")
        .detail(format!(
            "{table} is the ledger of {tool}, and the files are read as {read}, so it does not \
             tell which of them are applied. {NOTHING_WRITTEN}\n\nIf the files are those of \
             {tool}, set format = \"{own}\". If the ledger tells of other files, set adopt = \
             \"none\"; then all migrations that the provider has not run are pending."
        ))
        .at("adopt")
}

/// A ledger that says something which keeps it from being taken over.
pub(in crate::provider) fn adopt_error(error: &AdoptError, ledger: HistoryTable) -> Diagnostic {
    let tool = ledger.tool();
    let what = sentence(&chain(error));
    let (summary, advice) = match error {
        AdoptError::Unfinished { .. } => (
            "Migration is unfinished in the history table",
            format!(
                "It may be applied in part, and nobody knows how far. Bring it to its end, or take \
                 it back, with {tool}. If you have done so by hand, set baseline_version to its \
                 version: it counts as applied then, if what it makes is in the database."
            ),
        ),
        AdoptError::NoFile { .. } => (
            "History table lists a missing file",
            "Restore the file. If a later migration stands for it (a squashed directory), set \
             baseline_version to the version of that one. If the ledger tells of other files, set \
             adopt = \"none\"."
                .to_owned(),
        ),
        AdoptError::Changed { version, found, .. } => (
            "File does not match the recorded checksum",
            format!(
                "The checksum that {tool} has recorded is of another text. Restore the file. If \
                 the edit changes nothing in the database (a comment, the layout), accept it \
                 with\n\n  accept_checksums = {{ \"{version}\" = \"{found}\" }}"
            ),
        ),
        AdoptError::Contradiction { .. } => (
            "History table is inconsistent",
            format!(
                "Mend it with {tool}, or set adopt = \"none\" and baseline_version to the last \
                 version that is applied."
            ),
        ),
        AdoptError::File(_) | AdoptError::ChangedDuringRead { .. } => {
            ("Cannot read the migration file", "Plan again.".to_owned())
        }
    };
    Diagnostic::error(summary).detail(format!("{what} {NOTHING_WRITTEN}\n\n{advice}")).at("adopt")
}

/// Migrations that count as applied, and whose effects the catalog does not show.
pub(in crate::provider) fn not_in_catalog(
    missing: &[Missing],
    from: &BTreeSet<&str>,
) -> Diagnostic {
    let lines = list(missing.iter().map(|m| format!("{}: {}", m.origin, m.what)));
    let from: Vec<&str> = from.iter().copied().collect();
    Diagnostic::error("Adopted migration is missing from the database")
        .detail(format!(
            "According to {}, the migrations are applied that should have left this:\n{lines}\n\n\
             {NOTHING_WRITTEN} Make what is missing as the file says, or, for an index that is not \
             valid, build it again. If the migrations were never applied to this database, leave \
             baseline_version out or set adopt = \"none\".",
            from.join(" and ")
        ))
        .at("adopt")
}

/// Files that the other tool will never run.
pub(in crate::provider) fn skipped_by_tool(
    tool: &str,
    files: &[String],
    subject: &Subject,
) -> Option<Diagnostic> {
    if files.is_empty() {
        return None;
    }
    Some(
        Diagnostic::warning(format!("Migrations were skipped by {tool} in {subject}"))
            .detail(format!(
                "{tool} has no row for these files and never runs what is older than its newest \
                 row, so they were never applied:\n{}\n\nThey do not count as applied here.",
                list(files.iter().cloned())
            ))
            .at("adopt"),
    )
}

/// What a plan takes over, and what it runs.
pub(in crate::provider) fn adopted(plan: &Plan<'_>, subject: &Subject) -> Option<Diagnostic> {
    let mut words = String::new();
    let adopted: Vec<_> = to_adopt(plan).collect();
    if adopted.is_empty() {
        return None;
    }
    for same in adopted.chunk_by(|(_, one), (_, other)| one == other) {
        let files = list(same.iter().map(|(migration, _)| migration.file.clone()));
        words.push_str(&format!(
            "According to {} these are applied. They will be recorded and not run:\n{files}\n\n",
            same[0].1
        ));
    }
    let pending = plan.pending().map(|entry| entry.migration.file.clone());
    let pending = list(pending);
    words.push_str(&if pending.is_empty() {
        "Nothing is left to run.".to_owned()
    } else {
        format!("These will run:\n{pending}")
    });
    if adopted.iter().any(|(_, from)| *from != BASELINE) {
        words.push_str(
            "\n\nThe other ledger is only read, now and at apply. If Terraform calls an apply \
             inconsistent, that ledger has changed since its plan, or the cluster was not known \
             then. Nothing was run: plan again.",
        );
    }
    let warning = Diagnostic::warning(format!("Existing migrations are adopted in {subject}"));
    Some(warning.detail(words).at("adopt"))
}

/// Terraform keeps indented lines whole.
fn list(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.collect();
    let mut text: String = lines.iter().take(SHOWN).map(|line| format!("\n  {line}")).collect();
    if let Some(more) = lines.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}
