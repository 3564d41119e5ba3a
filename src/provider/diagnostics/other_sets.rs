//! Messages about files and history tables that belong to another migration set.

use std::collections::BTreeSet;

use super::adoption::{NOTHING_WRITTEN, Remedies};
use super::{Subject, listed_lines};
use crate::diagnostic::{Diagnostic, Title};
use crate::migration::Version;
use crate::migration::fact::{FactSubject, QualifiedName};

/// Returns the error for pending files that another set of the ledger has adopted from `tables`.
pub(in crate::provider) fn adopted_by_other(
    other: &str,
    tables: &BTreeSet<&str>,
    files: &[String],
    remedies: Remedies,
) -> Diagnostic {
    let tables: Vec<&str> = tables.iter().copied().collect();
    let from = match tables.as_slice() {
        [] => String::new(),
        tables => format!(", which was adopted from {}", tables.join(" and ")),
    };
    Diagnostic::error(Title::AppliedInOtherSet)
        .detail(format!(
            "The ledger records these files as applied in the migration set {other:?}{from}:\n{}\n\n\
             In this set they would run again. {NOTHING_WRITTEN}\n\nIf two resources have the same \
             files, remove one of the resources, or give it files of its own. If the name of the \
             set was changed, restore the name {other:?}, or set baseline_version to the last \
             applied version. If the files must run again, {}.",
            listed_lines(files.iter().cloned()),
            remedies.adopt_none()
        ))
        .at("adopt")
}

/// Returns the error for a history table from which two sets of one configuration adopt files with
/// the same versions. `are_same`: whether the files have the same texts.
pub(in crate::provider) fn history_of_two_sets(
    table: &str,
    [set, other]: [&str; 2],
    versions: &[Version],
    are_same: bool,
) -> Diagnostic {
    let (with, why, advice) = match are_same {
        false => (
            "different files",
            "A version does not show which of the two files was applied, so the other one would \
             count as applied without having run.",
            "Set adopt = \"none\" in the set whose migrations the table does not list.",
        ),
        true => (
            "the same files",
            "Only one set can adopt them. The other one would run them again.",
            "Remove one of the two resources, or give it files of its own. If both must exist, set \
             adopt = \"none\" in the set whose migrations the table does not list.",
        ),
    };
    Diagnostic::error(Title::HistoryTableOfTwoSets)
        .detail(format!(
            "The history table {table} lists these versions as applied. The migration sets {set:?} \
             and {other:?} both have them, with {with}:\n{}\n\n{why} {NOTHING_WRITTEN}\n\n{advice}",
            listed_lines(versions.iter().map(ToString::to_string)),
        ))
        .at("adopt")
}

/// Returns the finding about a requested history table from which another migration set was
/// adopted: an error if an object that pending migrations create exists. It is the same set if its
/// `name` was changed.
pub(super) fn history_of_other_set(
    argument: &'static str,
    table: &QualifiedName,
    existing: Option<&FactSubject>,
    subject: &Subject,
) -> Diagnostic {
    let title = Title::HistoryTableNotRead.fill(&[&subject]);
    let what = format!(
        "{argument} requests {table}, and another migration set was adopted from this table. It is \
         therefore not read for this set."
    );
    let found = match existing {
        Some(object) => Diagnostic::error(title).detail(format!(
            "{what} Migrations of this set seem to be applied: {object}, which a pending migration \
             creates, exists. {NOTHING_WRITTEN}\n\nIf the name of the set was changed, restore the \
             former name, or set baseline_version to the last applied version. If this is another \
             set, remove {argument}."
        )),
        None => Diagnostic::warning(title).detail(format!(
            "{what} Nothing is adopted, and all migrations that the provider has not run are \
             pending.\n\nIf this is another set than the one that was adopted, remove {argument}. \
             If migrations of this set are applied to this database, set baseline_version to the \
             last applied version."
        )),
    };
    found.at(argument)
}
