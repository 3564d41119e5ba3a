//! Messages about the history tables of other tools and about adopted migrations.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::accept_checksums;
use super::renames::RENAMED;
use super::{Subject, listed_lines, sentence};
use crate::chain::chain;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::Plan;
use crate::engine::adoption::{Missing, to_adopt};
use crate::formats::adopt::{AdoptError, HistoryTable};
use crate::formats::format_names;
use crate::migration::{Checksum, Version};

/// The source of a migration that the user declares as applied, which is also the argument.
pub(in crate::provider) const BASELINE: &str = "baseline_version";

pub(super) const NOTHING_WRITTEN: &str = "Nothing is adopted, and nothing is run.";

pub(in crate::provider) fn unknown_adopt(word: &str) -> Diagnostic {
    let words: Vec<String> = format_names().map(|name| format!("\"{name}\"")).collect();
    Diagnostic::error(Title::InvalidAdopt)
        .detail(format!(
            "The value is \"{word}\". It must be one of \"none\", {}.",
            words.join(", ")
        ))
        .at("adopt")
}

/// Returns the error for `adopt_table` next to `adopt = "none"`.
pub(in crate::provider) fn table_of_nothing() -> Diagnostic {
    Diagnostic::error(Title::InvalidAdoptTable)
        .detail("adopt = \"none\" reads no history table. Remove adopt_table, or change adopt.")
        .at("adopt_table")
}

pub(in crate::provider) fn unknown_baseline(version: &Version) -> Diagnostic {
    Diagnostic::error(Title::BaselineNotFound)
        .detail(format!(
            "Neither the files nor the ledger contain a migration {version}. Set \
             baseline_version to the version of the last applied migration, as it appears in the \
             attribute migrations."
        ))
        .at(BASELINE)
}

/// Returns the errors for a history table whose migrations cannot be adopted. `accepted` are the
/// entries of `accept_checksums`. The value to paste covers all errors.
pub(in crate::provider) fn adopt_errors(
    errors: &[AdoptError],
    history: HistoryTable,
    accepted: &BTreeMap<Version, Checksum>,
) -> Vec<Diagnostic> {
    let mut accepted = accepted.clone();
    for error in errors {
        if let AdoptError::Changed { version, found, .. } = error {
            accepted.insert(version.clone(), found.clone());
        }
    }
    let accepted = accept_checksums(&accepted);
    errors.iter().map(|error| adopt_error(error, history, &accepted)).collect()
}

fn adopt_error(error: &AdoptError, history: HistoryTable, accepted: &str) -> Diagnostic {
    let tool = history.tool();
    let what = sentence(&chain(error));
    let (title, advice) = match error {
        AdoptError::Unfinished { .. } => (
            Title::UnfinishedInHistoryTable,
            format!(
                "It may be partly applied. Finish or revert it with {tool}. If you have finished \
                 it by hand, set baseline_version to its version as the name of the file writes it \
                 (for example \"0002\"): it then counts as applied, if its objects are in the \
                 database."
            ),
        ),
        AdoptError::NoFile { .. } => (
            Title::HistoryTableFileMissing,
            "Restore the file. If a later migration replaces it, as in a squashed directory, set \
             baseline_version to the version of that migration. If the table belongs to other \
             files, set adopt = \"none\"."
                .to_owned(),
        ),
        AdoptError::Changed { .. } => (
            Title::ChecksumMismatch,
            format!(
                "The file was edited after {tool} had applied it. Restore the file. If the edit \
                 changes nothing in the database (for example, a comment), accept it with\n\n  \
                 {accepted}"
            ),
        ),
        AdoptError::Contradiction { .. } => (
            Title::InconsistentHistoryTable,
            format!(
                "Repair the table with {tool}, or set adopt = \"none\" and baseline_version to \
                 the last applied version."
            ),
        ),
        AdoptError::File(_) | AdoptError::ChangedDuringRead { .. } => {
            (Title::UnreadableMigrationFile, "Plan again.".to_owned())
        }
    };
    Diagnostic::error(title).detail(format!("{what} {NOTHING_WRITTEN}\n\n{advice}")).at("adopt")
}

/// Returns the error for migrations that count as applied but whose objects are missing.
pub(in crate::provider) fn not_in_catalog(
    missing: &[Missing],
    from: &BTreeSet<&str>,
) -> Diagnostic {
    let lines = listed_lines(missing.iter().map(|m| format!("{}: {}", m.origin, m.what)));
    let from: Vec<&str> = from.iter().copied().collect();
    // `adopt` has no effect on a baseline.
    let remedy = match &from[..] {
        [BASELINE] => "remove baseline_version, or set it to the last version that was applied",
        from if from.contains(&BASELINE) => "remove baseline_version and set adopt = \"none\"",
        _ => "set adopt = \"none\"",
    };
    Diagnostic::error(Title::AdoptedMigrationMissing)
        .detail(format!(
            "According to {}, these migrations are applied, but the database does not match \
             them:\n{lines}\n\n{NOTHING_WRITTEN} Create the missing objects as the files define \
             them, and rebuild an index that is not valid. If the migrations were never applied to \
             this database, {remedy}.",
            from.join(" and ")
        ))
        .at("adopt")
}

/// Returns a warning about files that the other tool skipped.
pub(in crate::provider) fn skipped_by_tool(
    tool: &str,
    files: &[String],
    subject: &Subject,
) -> Option<Diagnostic> {
    if files.is_empty() {
        return None;
    }
    Some(
        Diagnostic::warning(Title::MigrationsSkippedByTool.fill(&[&tool, &subject]))
            .detail(format!(
                "The history table of {tool} has no rows for these files. {tool} never runs a \
                 file that is older than its newest row, so they were never \
                 applied:\n{}\n\nThey do not count as applied.",
                listed_lines(files.iter().cloned())
            ))
            .at("adopt"),
    )
}

/// Returns a warning that lists what a plan adopts and what it runs.
pub(in crate::provider) fn adopted(plan: &Plan<'_>, subject: &Subject) -> Option<Diagnostic> {
    let mut words = String::new();
    let adopted: Vec<_> = to_adopt(plan).filter(|(_, from)| !is_former(plan, from)).collect();
    if adopted.is_empty() {
        return None;
    }
    for same in adopted.chunk_by(|(_, one), (_, other)| one == other) {
        let files = listed_lines(same.iter().map(|(migration, _)| migration.file.clone()));
        words.push_str(&format!(
            "According to {}, these migrations are applied. They will be recorded and not \
             run:\n{files}\n\n",
            same[0].1
        ));
    }
    let unknown = adopted.iter().filter(|(migration, _)| migration.unknown_from.is_some());
    let unknown = listed_lines(unknown.map(|(migration, _)| migration.file.clone()));
    if !unknown.is_empty() {
        words.push_str(&format!(
            "The SQL of these files could not be read completely, so the database was not compared \
             with them and with the files before them:\n{unknown}\n\n"
        ));
    }
    let pending = plan.pending().map(|entry| entry.migration.file.clone());
    let pending = listed_lines(pending);
    words.push_str(&if pending.is_empty() {
        "No migration remains to run.".to_owned()
    } else {
        format!("These migrations will run:\n{pending}")
    });
    if adopted.iter().any(|(_, from)| *from != BASELINE) {
        words.push_str(
            "\n\nThe provider only reads the history table, in the plan and in the apply. If \
             Terraform reports an inconsistent final plan, the table has changed since the plan, \
             or the cluster was not known then. In this case nothing was run. Plan again.",
        );
    }
    let warning = Diagnostic::warning(Title::MigrationsAdopted.fill(&[&subject]));
    Some(warning.detail(words).at("adopt"))
}

/// Returns a warning that lists the new versions that an apply records.
pub(in crate::provider) fn renamed(plan: &Plan<'_>, subject: &Subject) -> Option<Diagnostic> {
    let mut renamed = to_adopt(plan).filter(|(_, from)| is_former(plan, from)).peekable();
    renamed.peek()?;
    let lines =
        listed_lines(renamed.map(|(migration, from)| format!("{from} is now {}", migration.file)));
    let warning = Diagnostic::warning(Title::VersionsRecorded.fill(&[&subject]));
    Some(warning.detail(format!(
        "These migrations were applied under a former version. Their new versions will be recorded \
         and not run:\n{lines}"
    )).at(RENAMED))
}

/// Whether the source of a record is the former version of its migration.
fn is_former(plan: &Plan<'_>, from: &str) -> bool {
    plan.retired.iter().any(|record| record.version.0 == from)
}
