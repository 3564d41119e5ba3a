//! Messages about migrations whose versions have changed.

use super::Subject;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::renames::{RenameProblem, RenamedFile, UnusedReason, UnusedRename};
use crate::migration::Version;

/// The argument that declares new versions.
pub(in crate::provider) const RENAMED: &str = "renamed_versions";

/// Returns the error for files that would run applied migrations again. `map` and `accepted` are
/// the arguments that resolve it.
pub(super) fn renamed(what: &str, pairs: &[RenamedFile], map: &str, accepted: &str) -> Diagnostic {
    let mut words = format!(
        "{what} The texts of these files were applied under versions that have no files now, so \
         the files would run again. If files were renamed, or the directory was converted to \
         another layout, set\n\n  {map}\n\nThe apply then records the new versions, and does \
         not run these files."
    );
    let edited: Vec<&str> =
        pairs.iter().filter(|pair| pair.edited.is_some()).map(|pair| pair.file.as_str()).collect();
    if !edited.is_empty() {
        words.push_str(&format!(
            " These files have the statements that were applied, but another text:\n\n  \
             {}\n\nRestore their texts, or accept them with\n\n  {accepted}",
            edited.join("\n  ")
        ));
    }
    words.push_str(
        "\n\nIf a file is a new migration that must run, change its text, for example with a \
         comment, and list the former version in removed_versions.",
    );
    Diagnostic::error(Title::VersionsChanged).detail(words)
}

/// Returns the error for texts that occur more than once.
pub(super) fn ambiguous(versions: &[Version], files: &[String]) -> Diagnostic {
    let versions: Vec<&str> = versions.iter().map(|version| version.0.as_str()).collect();
    Diagnostic::error(Title::AmbiguousVersions).detail(format!(
        "These applied migrations have no files:\n\n  {}\n\nThese new files have their text, and \
         would run again:\n\n  {}\n\nThe texts do not show which file belongs to which version. If \
         files were renamed, set {RENAMED} to a map from each former version to its new version. A \
         new file that the map does not name runs.",
        versions.join("\n  "),
        files.join("\n  ")
    ))
}

pub(super) fn unfinished(what: &str, former: &Version) -> Diagnostic {
    Diagnostic::error(Title::UnfinishedVersionChanged).detail(format!(
        "{what} The file would run all of its statements, including those that are applied. \
         Restore its former name, so that its version is {former} again, and apply. You can rename \
         it when the migration is applied completely."
    ))
}

pub(super) fn moved(what: &str, version: &Version) -> Diagnostic {
    Diagnostic::error(Title::AppliedTextMoved).detail(format!(
        "{what} The file of {version} has another text now, so this text would run again.\n\nAn \
         applied migration keeps its version. Restore the former names of the files, and give a \
         new migration a version that follows the last applied one. If this text must run again, \
         change it, for example with a comment."
    ))
}

/// Returns the error for an entry of `renamed_versions`. `accepted` is the argument that accepts
/// the edited files of all entries.
pub(super) fn invalid(
    what: &str,
    former: &Version,
    problem: &RenameProblem,
    accepted: &str,
) -> Diagnostic {
    let advice = match problem {
        RenameProblem::FormerFileExists { .. } => {
            "Remove the file if it was renamed, or remove the entry if the two files are two \
             migrations."
                .to_owned()
        }
        RenameProblem::NoFile => {
            "Write the new version as it appears in the attribute migrations, or restore the file."
                .to_owned()
        }
        RenameProblem::OtherText { .. } => format!(
            "Restore the text of the file. If the edit changes nothing in the database (for \
             example, a comment), accept it with\n\n  {accepted}"
        ),
        RenameProblem::Unfinished => format!(
            "Restore the former name of the file, so that its version is {former} again, and \
             apply. You can rename it when the migration is applied completely."
        ),
        RenameProblem::NotVersioned => {
            "The version of a baseline defines which migrations it replaces: restore its name. A \
             repeatable migration runs again under its new name: remove the entry."
                .to_owned()
        }
        RenameProblem::NewIsApplied => format!(
            "Nothing remains to be recorded. Remove the entry, and list {former} in \
             removed_versions."
        ),
        RenameProblem::SameVersion => {
            "Keep one of the entries, and list the other former version in removed_versions."
                .to_owned()
        }
    };
    Diagnostic::error(Title::InvalidRenamedVersion).detail(format!("{what}\n\n{advice}"))
}

/// Returns the warning about entries of `renamed_versions` that change nothing on this cluster.
pub(in crate::provider) fn unused_renames(
    unused: &[UnusedRename<'_>],
    subject: &Subject,
) -> Option<Diagnostic> {
    if unused.is_empty() {
        return None;
    }
    let line = |entry: &UnusedRename<'_>| {
        let UnusedRename { former, version, .. } = entry;
        let why = match entry.reason {
            UnusedReason::Recorded => "the ledger has the new version already",
            UnusedReason::NotApplied => "the ledger does not have the former version",
            UnusedReason::NotRenamed => "the former version has a file, and the new one has none",
        };
        format!("\n  \"{former}\" = \"{version}\": {why}")
    };
    let lines: String = unused.iter().map(line).collect();
    Some(
        Diagnostic::warning(Title::RenamesWithoutEffect.fill(&[&subject]))
            .detail(format!(
                "These entries of {RENAMED} change nothing on this cluster:\n{lines}\n\nRemove an \
                 entry when the set is applied to every cluster that has the former version."
            ))
            .at(RENAMED),
    )
}
