//! Messages about the history tables of other tools and about adopted migrations.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::accept_checksums;
use super::renames::RENAMED;
use super::{Subject, listed_lines, sentence};
use crate::chain::chain;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::Plan;
use crate::engine::adoption::{Missing, to_adopt};
use crate::formats::adopt::{AdoptError, HistoryTable, Unreadable};
use crate::formats::{Format, format_names};
use crate::migration::fact::QualifiedName;
use crate::migration::{Checksum, Version};

/// The source of a migration that the user declares as applied, which is also the argument.
pub(in crate::provider) const BASELINE: &str = "baseline_version";

const NOTHING_WRITTEN: &str = "Nothing is adopted, and nothing is run.";

pub(in crate::provider) fn unknown_adopt(word: &str) -> Diagnostic {
    let words: Vec<String> = format_names().map(|name| format!("\"{name}\"")).collect();
    Diagnostic::error(Title::InvalidAdopt)
        .detail(format!(
            "The value is \"{word}\". It must be one of \"none\", {}.",
            words.join(", ")
        ))
        .at("adopt")
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

pub(in crate::provider) fn several_history_tables(tables: &[QualifiedName]) -> Diagnostic {
    let tables = listed_lines(tables.iter().map(ToString::to_string));
    Diagnostic::error(Title::SeveralHistoryTables)
        .detail(format!(
            "This cluster contains several history tables of other tools, which may contradict \
             each other:\n{tables}\n\n{NOTHING_WRITTEN} Specify the one that belongs to this \
             migration set: set adopt to the name of the tool, or adopt_table to the name of the \
             table. If none does, set adopt = \"none\"."
        ))
        .at("adopt")
}

pub(in crate::provider) fn unsupported_history_table(table: &QualifiedName) -> Diagnostic {
    Diagnostic::error(Title::UnsupportedHistoryTable)
        .detail(format!(
            "{table} does not have the columns of any supported history table. \
             {NOTHING_WRITTEN} Remove adopt_table, and set baseline_version to the last applied \
             version."
        ))
        .at("adopt_table")
}

/// Returns the error for a table that looks like a history table and cannot be read.
pub(in crate::provider) fn unreadable_history_table(
    table: &QualifiedName,
    why: &Unreadable,
) -> Diagnostic {
    let what = match why {
        Unreadable::Lacks { tool, columns } => {
            let noun = if columns.len() == 1 { "column" } else { "columns" };
            format!(
                "{table} lacks the {noun} {}, which the history table of {tool} has.",
                columns.join(", ")
            )
        }
        Unreadable::OfOtherTool(history) => format!(
            "{table} has the columns of the history table of {}. If it is the right one, set adopt \
             = \"{}\".",
            history.tool(),
            history.format().name()
        ),
        Unreadable::OfForeignTool(tool) => {
            format!("{table} is the history table of {tool}, whose migrations are not SQL files.")
        }
        Unreadable::NoTool => {
            format!("{table} does not have the columns of any supported history table.")
        }
    };
    Diagnostic::error(Title::UnsupportedHistoryTable)
        .detail(format!(
            "{what} So it does not show which migrations are applied. {NOTHING_WRITTEN}\n\n\
             If migrations of this set are applied to this database, set adopt = \"none\", and \
             baseline_version to the last applied version. If the table belongs to other files, \
             set adopt = \"none\". All migrations that the provider has not run are then pending."
        ))
        .at("adopt")
}

/// Returns the warning about a `schema_migrations` with the columns of no supported tool.
pub(in crate::provider) fn unread_history_table(
    table: &QualifiedName,
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::HistoryTableNotRead.fill(&[&subject]))
        .detail(format!(
            "{table} has the name of a history table, but not the columns of dbmate (only version), \
             golang-migrate (version, dirty), or a custom runner (version, applied_at). It is not \
             read, so the migrations that it lists are pending.\n\nIf migrations of this set are \
             applied to this database, set baseline_version to the last applied version. If the \
             table belongs to other files, set adopt = \"none\"."
        ))
        .at("adopt")
}

/// Returns the warning about a history table that does not exist.
pub(in crate::provider) fn history_table_not_found(
    table: &QualifiedName,
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::HistoryTableNotFound.fill(&[&subject]))
        .detail(format!(
            "The cluster has no table {table}, or another migration set was adopted from it. \
             Nothing is adopted, and all migrations that the provider has not run are pending. \
             Check the name, unless the database is new."
        ))
        .at("adopt_table")
}

pub(in crate::provider) fn history_table_mismatch(
    history: HistoryTable,
    table: &QualifiedName,
    format: Format,
) -> Diagnostic {
    let (tool, own, read) = (history.tool(), history.format().name(), format.name());
    Diagnostic::error(Title::HistoryTableMismatch)
        .detail(format!(
            "{table} is the history table of {tool}, but the files are read in the format \
             {read}, so the table does not show which of them are applied. {NOTHING_WRITTEN}\n\nIf \
             the files belong to {tool}, set format = \"{own}\". If the table belongs to other \
             files, set adopt = \"none\". All migrations that the provider has not run are then \
             pending."
        ))
        .at("adopt")
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
                 it by hand, set baseline_version to its version: it then counts as applied, if \
                 its objects are in the database."
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
    Diagnostic::error(Title::AdoptedMigrationMissing)
        .detail(format!(
            "According to {}, these migrations are applied, but the database does not match \
             them:\n{lines}\n\n{NOTHING_WRITTEN} Create the missing objects as the files define \
             them, and rebuild an index that is not valid. If the migrations were never applied to \
             this database, remove baseline_version or set adopt = \"none\".",
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
