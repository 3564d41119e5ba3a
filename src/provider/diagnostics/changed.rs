//! Messages about applied migrations whose files were changed or are missing.
//!
//! All files with the same problem are one error, which ends with the value of the argument that
//! resolves it for all of them.

use super::listed_lines;
use super::resume::statements;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::PlanError;
use crate::engine::difference::{ChangedStatement, TextDifference};
use crate::migration::{Checksum, Version};

/// How many statements are shown in full, for each file if several files were changed.
const STATEMENTS: [usize; 2] = [10, 2];

/// A migration whose file was changed after it was applied.
struct ChangedFile<'a> {
    file: &'a str,
    version: &'a Version,
    applied: &'a Checksum,
    found: &'a Checksum,
    difference: Option<&'a TextDifference>,
}

impl<'a> ChangedFile<'a> {
    fn of(error: &'a PlanError) -> Option<Self> {
        let PlanError::Diverged { file, version, applied, found, difference } = error else {
            return None;
        };
        Some(Self { file, version, applied, found, difference: difference.as_ref() })
    }

    /// What differs, as a clause.
    fn clause(&self) -> String {
        match self.difference {
            None => "text differs".to_owned(),
            Some(TextDifference::Blank) => "only comments or white space differ".to_owned(),
            Some(TextDifference::Statements(changed)) => clause(changed),
        }
    }

    fn lines(&self, limit: usize) -> String {
        let Some(TextDifference::Statements(changed)) = self.difference else {
            return String::new();
        };
        let mut lines: String = changed.iter().take(limit).map(statement_lines).collect();
        if let Some(more @ 1..) = changed.len().checked_sub(limit) {
            lines.push_str(&format!("\n    and {more} more"));
        }
        lines
    }
}

/// Names the statements that differ.
fn clause(changed: &[ChangedStatement]) -> String {
    let named = |verb: &str, plural: &str, is_kind: fn(&ChangedStatement) -> bool| {
        let numbers: Vec<_> = changed.iter().filter(|it| is_kind(it)).map(|it| it.number).collect();
        let verb = if numbers.len() == 1 { verb } else { plural };
        (!numbers.is_empty()).then(|| format!("{} {verb}", lower(&statements(&numbers))))
    };
    let parts = [
        named("differs", "differ", |it| it.applied.is_some() && it.now.is_some()),
        named("was removed", "were removed", |it| it.now.is_none()),
        named("was added", "were added", |it| it.applied.is_none()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A clause in the middle of a line.
fn lower(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_ascii_lowercase() + rest
}

fn statement_lines(changed: &ChangedStatement) -> String {
    let ChangedStatement { number, origin, applied, now } = changed;
    let location =
        origin.as_ref().map_or_else(|| format!("statement {number}"), ToString::to_string);
    let line = |name, text: &Option<String>| {
        text.as_ref().map(|text| format!("\n      {name}{text}")).unwrap_or_default()
    };
    format!("\n    {location}{}{}", line("applied:  ", applied), line("now:      ", now))
}

/// Returns the error for applied migrations whose files were changed. `accept` is the argument that
/// accepts all of them; `None` if there is none.
pub(super) fn changed_files(errors: &[PlanError], accept: Option<&str>) -> Option<Diagnostic> {
    let files: Vec<_> = errors.iter().filter_map(ChangedFile::of).collect();
    let mut words = match files.as_slice() {
        [] => return None,
        [one] => {
            let ChangedFile { file, version, applied, found, .. } = one;
            let lines = one.lines(STATEMENTS[0]);
            let end = if lines.is_empty() { "." } else { ":\n" };
            let difference =
                one.difference.map(|_| format!("\n\nIn the file, {}{end}{lines}", one.clause()));
            format!(
                "{file} was changed after it was applied. An applied migration does not run again, \
                 so the change would not reach the database.\n\n  version:  {version}\n  applied:  \
                 {applied}\n  now:      {found}{}",
                difference.unwrap_or_default()
            )
        }
        files => {
            let line = |it: &ChangedFile<'_>| {
                let ChangedFile { file, version, .. } = it;
                format!("{version} ({file}): {}{}", it.clause(), it.lines(STATEMENTS[1]))
            };
            format!(
                "{} files were changed after they were applied. An applied migration does not run \
                 again, so the changes would not reach the database.\n{}",
                files.len(),
                listed_lines(files.iter().map(line))
            )
        }
    };
    let is_blank = |it: &ChangedFile<'_>| it.difference == Some(&TextDifference::Blank);
    let (text, change) = match (accept, files.len()) {
        (None, _) => ("SQL", "the change"),
        (Some(_), 1) => ("file", "the change"),
        (Some(_), _) => ("files", "the changes"),
    };
    let advice = match accept {
        Some(accept) if files.iter().all(is_blank) => {
            format!("Restore the {text}, or accept the {text} with\n\n  {accept}")
        }
        Some(accept) => format!(
            "Restore the {text}, and write {change} in a new migration. If the edit changes nothing \
             in the database (for example, a comment), accept it with\n\n  {accept}"
        ),
        None => format!("Restore the {text}, and write {change} in a new migration."),
    };
    words.push_str(&format!("\n\n{advice}"));
    Some(Diagnostic::error(Title::AppliedMigrationChanged).detail(words))
}

/// Returns the error for migrations in the ledger that have no files. `removed` is the value of
/// `removed_versions` that declares all of them.
pub(super) fn missing_files(errors: &[PlanError], removed: &str) -> Option<Diagnostic> {
    let missing = errors.iter().filter_map(|error| match error {
        PlanError::FileMissing { version, description, whole } => {
            Some((version, description.as_str(), *whole))
        }
        _ => None,
    });
    let missing: Vec<_> = missing.collect();
    let name = |(version, description, _): &(&Version, &str, bool)| match *description {
        "" => version.to_string(),
        description => format!("{version} ({description})"),
    };
    let is_partial = missing.iter().any(|(.., whole)| !whole);
    let is_whole = missing.iter().any(|(.., whole)| *whole);
    let what = match missing.as_slice() {
        [] => return None,
        [one] => format!(
            "Migration {} is {} in this database, but its file is missing.\n\nRestore the file.",
            name(one),
            if is_partial { "partly applied" } else { "applied" }
        ),
        many => {
            let line = |it: &(&Version, &str, bool)| {
                let partly = if it.2 { "" } else { ": partly applied" };
                format!("{}{partly}", name(it))
            };
            format!(
                "{} migrations are applied in this database, but their files are missing:\n{}\n\n\
                 Restore the files.",
                many.len(),
                listed_lines(many.iter().map(line))
            )
        }
    };
    let mut rename = String::new();
    if is_whole {
        rename.push_str(
            " If a file was renamed and edited, undo the edit and plan again. The plan then prints \
             what to set, so that the migration does not run again.",
        );
    }
    if is_partial {
        rename.push_str(
            " If the file of a partly applied migration was renamed, restore its former name: under \
             another name, all of its statements would run again.",
        );
    }
    let error = Diagnostic::error(Title::AppliedFileMissing);
    Some(error.detail(format!(
        "{what}{rename} If it was removed on purpose, for example because a baseline replaces it, \
         set\n\n  removed_versions = {removed}\n\nIf the ledger belongs to another directory of \
         migrations, give this migration set another name."
    )))
}

/// Returns the error for pending migrations that precede an applied one.
pub(super) fn out_of_order(errors: &[PlanError]) -> Option<Diagnostic> {
    let late = errors.iter().filter_map(|error| match error {
        PlanError::OutOfOrder { file, version, applied } => Some((file, version, applied)),
        _ => None,
    });
    let late: Vec<_> = late.collect();
    let what = match late.as_slice() {
        [] => return None,
        [(file, version, applied)] => format!(
            "{file} precedes {applied}, which is already applied. On a new cluster the two would \
             run in the opposite order, so the result could differ.\n\nRename {file} so that its \
             version follows {applied} (it is {version} now)."
        ),
        [(.., applied), ..] => format!(
            "{} pending migrations precede {applied}, which is already applied:\n{}\n\nOn a new \
             cluster they would run before it, so the result could differ. Rename the files so \
             that their versions follow {applied}.",
            late.len(),
            listed_lines(late.iter().map(|(file, version, _)| format!("{version} ({file})")))
        ),
    };
    let error = Diagnostic::error(Title::MigrationOutOfOrder);
    Some(error.detail(format!(
        "{what} Or set exec_order: \"non-linear\" runs out-of-order migrations, and \
         \"linear-skip\" never runs them."
    )))
}
