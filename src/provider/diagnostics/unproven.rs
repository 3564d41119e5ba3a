//! Warnings about files, if the cluster does not show whether another tool has run them.

use super::{AppliedSet, Subject, all_lines, ledger};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::adoption::Unproven;
use crate::migration::Migration;

/// Returns a warning about adopted files, if neither a row of a history table nor an object shows
/// that they ran.
pub(in crate::provider) fn unproven(found: &Unproven, subject: &Subject) -> Option<Diagnostic> {
    let Unproven { files, still_there } = found;
    let mut detail = String::new();
    if !still_there.is_empty() {
        let lines = still_there.iter().map(|it| format!("{}: {}", it.origin, it.object));
        detail.push_str(&format!(
            "These files count as applied, but objects that they drop or rename still exist. They \
             have probably not run:\n{}\n\n",
            all_lines(lines)
        ));
    }
    if !files.is_empty() {
        detail.push_str(&format!(
            "These files count as applied because of their versions. They have no row of their own \
             in a history table, and no object shows that they ran, for example because they change \
             rows, defaults, or privileges:\n{}\n\n",
            all_lines(files.iter().cloned())
        ));
    }
    if detail.is_empty() {
        return None;
    }
    detail.push_str(
        "They will be recorded as applied and not run. Check what they change, in particular if a \
         file was added after later ones had run. If a file did not run, give it a version that \
         follows the last applied one. It is then pending.",
    );
    let warning = Diagnostic::warning(Title::AdoptedMigrationsUnproven.fill(&[&subject]));
    Some(warning.detail(detail).at("adopt"))
}

/// Returns a warning about a pending migration in which its tool may have failed.
/// `baseline_counts`: whether `baseline_version` has an effect.
pub(in crate::provider) fn may_be_partly_applied(
    migration: &Migration,
    tool: &str,
    baseline_counts: bool,
    set: AppliedSet<'_>,
    subject: &Subject,
) -> Diagnostic {
    let Migration { file, version, .. } = migration;
    let complete = if migration.is_repeatable() {
        ".".to_owned()
    } else if baseline_counts {
        format!(", or complete the work of the file and set baseline_version = \"{version}\".")
    } else {
        let row = ledger::migration_row(migration, set);
        format!(", or complete the work of the file, record it, and plan again:{row}")
    };
    Diagnostic::warning(Title::MigrationMayBePartlyApplied.fill(&[&subject]))
        .detail(format!(
            "{file} is the first pending migration. It begins with row changes that are committed \
             before the rest of the file runs, or before {tool} records the file. If {tool} failed \
             in it, some of these changes may be committed, and they would run again: nothing in \
             the database shows it.\n\nCheck the rows before you apply. If some of the changes are \
             committed, revert them{complete}"
        ))
        .at("adopt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::diagnostics::{SHOWN, may_run_twice};

    #[test]
    fn every_file_that_nothing_shows_is_named() {
        let files: Vec<String> = (0..2 * SHOWN).map(|number| format!("app/{number}.sql")).collect();
        let found = Unproven { files: files.clone(), still_there: Vec::new() };
        let subject = Subject::set(Some("app"));
        for warning in [unproven(&found, &subject), may_run_twice(&files, &subject)] {
            let detail = warning.expect("a warning").detail;
            let named: Vec<&str> =
                detail.lines().filter_map(|line| line.strip_prefix("  ")).collect();
            assert_eq!(named, files);
        }
    }
}
