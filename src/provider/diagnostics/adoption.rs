//! Messages about the history tables of other tools and about adopted migrations.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::accept_checksums;
use super::renames::RENAMED;
use super::{Subject, all_lines, listed_lines, sentence};
use crate::chain::chain;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::Plan;
use crate::engine::adoption::{Missing, to_adopt};
use crate::formats::adopt::{AdoptError, HistoryTable, RecordedFile, Settlement};
use crate::formats::{Format, format_names};
use crate::migration::fact::QualifiedName;
use crate::migration::{Checksum, Migration, Version};

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

/// Returns the error for a `baseline_version` that is none of the versions that it can name.
pub(in crate::provider) fn unknown_baseline(
    version: &Version,
    migrations: &[Migration],
) -> Diagnostic {
    let versions = listed_lines(migrations.iter().map(|migration| migration.version.to_string()));
    let advice = if versions.is_empty() {
        format!("The set has no migration that runs once. Remove {BASELINE}.")
    } else {
        format!(
            "Set it to one of these versions, the last one that is applied. All migrations up to \
             it then count as applied:\n{versions}"
        )
    };
    Diagnostic::error(Title::BaselineNotFound)
        .detail(format!(
            "{BASELINE} names migration {version}, but no migration that runs once has this \
             version. {advice}"
        ))
        .at(BASELINE)
}

/// What the configuration allows as a remedy.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider) struct Remedies {
    /// Whether `baseline_version` has an effect.
    pub(in crate::provider) baseline_counts: bool,
    /// Whether `adopt_table` is set, which contradicts `adopt = "none"`.
    pub(in crate::provider) has_table: bool,
}

impl Remedies {
    /// The clause that ends the adoption from a history table.
    pub(super) fn adopt_none(self) -> &'static str {
        match self.has_table {
            true => "remove adopt_table, and set adopt = \"none\"",
            false => "set adopt = \"none\"",
        }
    }
}

/// Returns the errors for a history table whose migrations cannot be adopted. `accepted` are the
/// entries of `accept_checksums`. The value to paste covers all errors.
pub(in crate::provider) fn adopt_errors(
    errors: &[AdoptError],
    history: HistoryTable,
    accepted: &BTreeMap<Version, Checksum>,
    remedies: Remedies,
) -> Vec<Diagnostic> {
    let mut accepted = accepted.clone();
    for error in errors {
        match error {
            AdoptError::Changed { version, found, .. }
            | AdoptError::OtherName {
                of_version: Some(RecordedFile { version, found, .. }), ..
            } => {
                accepted.insert(version.clone(), found.clone());
            }
            _ => {}
        }
    }
    let accepted = accept_checksums(&accepted);
    let diagnostic = |error| adopt_error(error, history, &accepted, remedies);
    errors.iter().map(diagnostic).collect()
}

fn adopt_error(
    error: &AdoptError,
    history: HistoryTable,
    accepted: &str,
    remedies: Remedies,
) -> Diagnostic {
    let what = sentence(&chain(error));
    let Remedies { baseline_counts, .. } = remedies;
    let adopt_none = remedies.adopt_none();
    let (title, advice) = match error {
        AdoptError::Unfinished { unfinished, has_file, .. } => {
            let settlement = unfinished.settlement.as_ref();
            let baseline_counts = baseline_counts && unfinished.has_version && *has_file;
            let advice = settle(settlement, history, *has_file, baseline_counts);
            (Title::UnfinishedInHistoryTable, advice)
        }
        AdoptError::NoFile { table, has_version, .. } => {
            (Title::HistoryTableFileMissing, without_file(table, *has_version, remedies))
        }
        AdoptError::Changed { renamed_from, .. } => {
            (Title::ChecksumMismatch, edited(history, renamed_from.as_deref(), accepted))
        }
        AdoptError::OtherName { of_version, of_name, correction, .. } => (
            Title::OtherNameInHistoryTable,
            other_name(of_version.as_ref(), of_name.as_deref(), correction.as_deref(), accepted),
        ),
        AdoptError::Moved { file, correction, .. } => (
            Title::OtherNameInHistoryTable,
            format!(
                "If {file} got another version after it had run, give it the former version again, \
                 or change the row with\n\n  {correction}\n\nIf {file} is another migration, which \
                 has to run as well, change its text, for example with a comment."
            ),
        ),
        AdoptError::Contradiction { .. } => (
            Title::InconsistentHistoryTable,
            match baseline_counts {
                true => format!(
                    "Correct the rows of the table, or {adopt_none} and baseline_version to the \
                     last applied version."
                ),
                false => format!("Correct the rows of the table, or {adopt_none}."),
            },
        ),
        AdoptError::File(_) | AdoptError::ChangedDuringRead { .. } => {
            (Title::UnreadableMigrationFile, "Plan again.".to_owned())
        }
    };
    Diagnostic::error(title).detail(format!("{what} {NOTHING_WRITTEN}\n\n{advice}")).at("adopt")
}

/// What to do about a row without a file.
fn without_file(table: &QualifiedName, has_version: bool, remedies: Remedies) -> String {
    let removed = match has_version {
        true => "list its version in removed_versions".to_owned(),
        false => format!("delete its row from {table}, which does not have its version"),
    };
    let squashed = match remedies.baseline_counts {
        true => {
            " If a later migration replaces it, as in a squashed directory, set baseline_version to \
             the version of that migration."
        }
        false => "",
    };
    format!(
        "Restore the file. If it was removed on purpose, {removed}.{squashed} If the table belongs \
         to other files, {}.",
        remedies.adopt_none()
    )
}

/// What to do about a file that differs from what its tool has applied.
fn edited(history: HistoryTable, renamed_from: Option<&str>, accepted: &str) -> String {
    let tool = history.tool();
    if let Some(row) = renamed_from {
        return format!(
            "The file was renamed after {tool} had applied it as {row}. Its text is the same, but \
             the checksum of {tool} covers the name. Rename the file back, or accept the new name \
             with\n\n  {accepted}"
        );
    }
    let what = if history.format() == Format::Atlas {
        "The file, or one before it, was edited after Atlas had applied it: the hash of Atlas covers \
         all files up to and including its own."
            .to_owned()
    } else {
        format!("The file was edited after {tool} had applied it.")
    };
    format!(
        "{what} Restore the file. If the edit changes nothing in the database (for example, a \
         comment), accept it with\n\n  {accepted}"
    )
}

/// What to do about a row that has another name than the file with its version.
fn other_name(
    of_version: Option<&RecordedFile>,
    of_name: Option<&str>,
    correction: Option<&str>,
    accepted: &str,
) -> String {
    let mut advice = Vec::new();
    if let Some(file) = of_name {
        let renumbered = format!(
            "{file} has the name in the row. If it got another number after it had run, give it the \
             former number again, or change the row"
        );
        advice.push(match correction {
            Some(correction) => format!("{renumbered} with\n\n  {correction}"),
            None => format!("{renumbered} so that it has the new number."),
        });
    }
    if let Some(RecordedFile { file, .. }) = of_version {
        advice.push(format!(
            "If {file} is the migration that has run, and only its name has changed, rename it \
             back, or accept the new name with\n\n  {accepted}"
        ));
    }
    if of_name.is_none() {
        let file = of_version.map_or("the file with its version", |it| it.file.as_str());
        advice.push(format!(
            "If the migration in the row is another one, {file} has not run: give it a version that \
             follows the last applied one. Then restore the file of the row, or list the version of \
             the row in removed_versions."
        ));
    }
    advice.join("\n\n")
}

/// What to do about a migration that a tool has not finished.
fn settle(
    settlement: Option<&Settlement>,
    history: HistoryTable,
    has_file: bool,
    baseline_counts: bool,
) -> String {
    let tool = history.tool();
    let baseline = "set baseline_version to its version as the name of the file writes it (for \
                    example \"0002\"): it then counts as applied, if its objects are in the database.";
    let or_baseline = if baseline_counts { format!(", or {baseline}") } else { ".".to_owned() };
    let partly = "It may be partly applied.";
    let compare = match has_file {
        true => format!("{partly} Compare the database with the file."),
        false => format!(
            "{partly} The directory does not contain its file. Compare the database with the file \
             in your version control."
        ),
    };
    match settlement {
        Some(Settlement { completed: Some(completed), reverted }) => {
            let instead = match baseline_counts {
                true => format!("\n\nInstead of the first statement, you can {baseline}"),
                false => String::new(),
            };
            format!(
                "{compare} If you have completed its work by hand, correct the table with\n\n  \
                 {completed}\n\nIf you have reverted its work, so that it runs again, correct the \
                 table with\n\n  {reverted}{instead}"
            )
        }
        Some(Settlement { completed: None, reverted }) => format!(
            "{compare} If you have completed its work by hand, write into its row what {tool} writes \
             after a success{or_baseline}\n\nIf you have reverted its work, so that it runs again, \
             correct the table with\n\n  {reverted}"
        ),
        None if history.format() == Format::Plain => format!(
            "{compare} If its work is complete, delete the rows that say that it is \
             not{or_baseline} If you have reverted its work, so that it runs again, delete all of \
             its rows."
        ),
        None => {
            let by_hand = match baseline_counts {
                true => format!(" If you have finished it by hand, {baseline}"),
                false => String::new(),
            };
            format!("{partly} Finish or revert it with {tool}.{by_hand}")
        }
    }
}

/// Migrations that count as applied but whose objects are missing.
#[derive(Debug)]
pub(in crate::provider) struct NotInCatalog<'a> {
    pub(in crate::provider) missing: &'a [Missing],
    /// The history tables, or `baseline_version`.
    pub(in crate::provider) sources: BTreeSet<&'a str>,
    /// Tables in other schemas that have the names of missing ones.
    pub(in crate::provider) elsewhere: Vec<QualifiedName>,
    /// A tool that does not notice that a file was edited.
    pub(in crate::provider) without_checksums: Option<&'static str>,
    /// Whether `baseline_version` is set and has an effect.
    pub(in crate::provider) has_baseline: bool,
    /// What the configuration allows.
    pub(in crate::provider) remedies: Remedies,
}

pub(in crate::provider) fn not_in_catalog(found: &NotInCatalog<'_>) -> Diagnostic {
    let NotInCatalog { missing, sources, elsewhere, without_checksums, has_baseline, remedies } =
        found;
    let lines = listed_lines(missing.iter().map(|m| format!("{}: {}", m.origin, m.what)));
    let sources: Vec<&str> = sources.iter().copied().collect();
    let mut detail = format!(
        "According to {}, these migrations are applied, but the database does not match \
         them:\n{lines}\n\n{NOTHING_WRITTEN}",
        sources.join(" and ")
    );
    if !elsewhere.is_empty() {
        let names = listed_lines(elsewhere.iter().map(ToString::to_string));
        detail.push_str(&format!(
            "\n\nTables with these names exist in other schemas:\n{names}\n\nThe other tool probably \
             ran the files with another search_path. The provider always uses the default one, and \
             would create the objects of pending files in public. Write the schema of each object \
             in the files. If a checksum then differs, accept it as the next plan says.\n\n\
             If these are other tables:"
        ));
    }
    detail.push_str(
        " Create the missing objects as the files define them, and rebuild an index that is not \
         valid.",
    );
    if let Some(tool) = without_checksums {
        detail.push_str(&format!(
            " If a file was edited after it had run, restore the file: {}, so the history \
             table does not show an edit.",
            if *tool == HistoryTable::OWN_RUNNER {
                "checksums of your own runner are not compared".to_owned()
            } else {
                format!("{tool} stores no checksums")
            }
        ));
    }
    let remedy = match (has_baseline, sources.iter().any(|source| *source != BASELINE)) {
        (true, true) => format!("remove baseline_version, and {}", remedies.adopt_none()),
        (true, false) => {
            "remove baseline_version, or set it to the last version that was applied".to_owned()
        }
        (false, _) => remedies.adopt_none().to_owned(),
    };
    detail.push_str(&format!(" If the migrations were never applied to this database, {remedy}."));
    Diagnostic::error(Title::AdoptedMigrationMissing).detail(detail).at("adopt")
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
                "The history table of {tool} has no rows for these files. {tool} never runs a file \
                 that is older than its newest row, so it has probably not run \
                 them:\n{}\n\nThey do not count as applied.",
                listed_lines(files.iter().cloned())
            ))
            .at("adopt"),
    )
}

/// Returns a warning that lists what a plan adopts and what it runs. `by_text` are the migrations
/// whose files only their text shows. `takes_variables`: whether `variables = {}` makes texts with
/// placeholders readable.
pub(in crate::provider) fn adopted(
    plan: &Plan<'_>,
    takes_variables: bool,
    by_text: &[String],
    subject: &Subject,
) -> Option<Diagnostic> {
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
    if !by_text.is_empty() {
        words.push_str(&format!(
            "These rows of the history table have the text of a file, and no file has their name or \
             time:\n{}\n\nCheck that each file is the migration of its row. If it is another \
             migration with the same text, which has to run as well, change its text, for example \
             with a comment.\n\n",
            all_lines(by_text.iter().cloned())
        ));
    }
    let unknown = adopted.iter().filter(|(migration, _)| migration.unknown_from.is_some());
    let unknown = listed_lines(unknown.map(|(migration, _)| migration.file.clone()));
    if !unknown.is_empty() {
        words.push_str(&format!(
            "The SQL of these files could not be read completely, so the plan did not check each \
             object that they and the files before them create:\n{unknown}\n\n"
        ));
        if takes_variables {
            words.push_str(
                "If they contain placeholders such as ${flyway:timestamp}, set variables = {}. The \
                 statements without placeholders are then compared.\n\n",
            );
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::table::{ColumnKind, Table, TableColumn};

    fn history(name: &str, columns: &[&str]) -> HistoryTable {
        let column = |name: &&str| TableColumn { name: (*name).to_owned(), kind: ColumnKind::Text };
        let table = Table {
            name: QualifiedName { schema: None, name: name.to_owned() },
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
        };
        HistoryTable::of(&table, false).expect("a history table")
    }

    #[test]
    fn baseline_version_is_suggested_only_while_it_has_an_effect() {
        let sqlx = history("_sqlx_migrations", &["version", "success", "checksum"]);
        let own = history("schema_migrations", &["version", "applied_at"]);
        let settlement = |completed: Option<&str>| Settlement {
            completed: completed.map(str::to_owned),
            reverted: "UPDATE 2".to_owned(),
        };
        let (whole, half) = (settlement(Some("UPDATE 1")), settlement(None));
        for history in [sqlx, own] {
            for settlement in [Some(&whole), Some(&half), None] {
                let words = |counts| settle(settlement, history, true, counts);
                assert!(words(true).contains("baseline_version"), "{history:?}");
                assert!(!words(false).contains("baseline_version"), "{history:?}");
            }
        }
        let settled = settle(Some(&whole), sqlx, true, false);
        assert!(settled.ends_with("correct the table with\n\n  UPDATE 2"), "{settled}");
        assert!(settled.contains("Compare the database with the file."), "{settled}");
        let settled = settle(Some(&whole), sqlx, false, false);
        assert!(settled.contains("does not contain its file"), "{settled}");
    }

    #[test]
    fn adopt_none_is_suggested_without_adopt_table() {
        for (has_table, clause) in [
            (true, "remove adopt_table, and set adopt = \"none\""),
            (false, "set adopt = \"none\""),
        ] {
            let remedies = Remedies { baseline_counts: true, has_table };
            assert_eq!(remedies.adopt_none(), clause);
        }
    }

    #[test]
    fn a_baseline_is_one_of_the_versions_of_the_set() {
        let files = [("1_a.sql", "SELECT 1"), ("2_b.sql", "SELECT 2")];
        let migrations = crate::formats::read_files(files).expect("complete SQL");
        let version = Version("7".to_owned());
        let detail = unknown_baseline(&version, &migrations).detail;
        assert!(detail.ends_with("count as applied:\n\n  1\n  2"), "{detail}");
        let detail = unknown_baseline(&version, &[]).detail;
        assert!(detail.ends_with("Remove baseline_version."), "{detail}");
    }
}
