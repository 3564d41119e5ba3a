//! Atlas: the files listed in `atlas.sum`, in the order of their names.
//!
//! The version is the part of the name before the first `_`. The sum is checked before anything is
//! read: a file that was edited, added or removed without `atlas migrate hash` is an error. A
//! checkpoint is a baseline: the ledger decides whether it runs or the files before it.

mod archive;
mod directives;
mod sum;

use super::entries::{AcceptedFile, Entries, same_version};
use super::error::{FormatError, NameProblem};
use super::flyway::{ScriptKind, ScriptName};
use super::listing::{Listing, SourceFile, exact_stem, is_down_file, stem};
use super::read::{self, Forward, NamedFile, ReadMigration, Transactions};
use crate::migration::MigrationKind;
use crate::sql;

use self::archive::Script;
use self::directives::Directive;

pub(super) use self::sum::{SumFiles, hashes};

/// Reads each SQL file as a migration.
pub(super) fn migrations(mut listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    for source in listing.sql.extract_if(.., |source| exact_stem(&source.name).is_none()) {
        let problem = NameProblem::Mismatch { tool: "Atlas", expected: "<version>_<name>.sql" };
        entries.push(Err(FormatError::file(source.file, problem)));
    }
    entries.errors.extend(sum::verify(&listing).err());
    for source in listing.sql {
        // Atlas keeps a sum for the directories of other tools as well, with their down files.
        entries.push(match is_down(&source.name) {
            true => Err(FormatError::file(source.file, NameProblem::DownFile)),
            false => Ok(entry(source)),
        });
    }
    check_versions(&mut entries);
    entries.migrations(migration)
}

/// Whether another tool would use a file to revert a migration.
fn is_down(name: &str) -> bool {
    let of_flyway = || ScriptName::parse(stem(name)).is_some_and(|it| it.kind == ScriptKind::Undo);
    is_down_file(name) || name.contains("__") && of_flyway()
}

/// The key is the whole name, because Atlas sorts by bytes.
fn entry(source: SourceFile) -> AcceptedFile<String> {
    let stem = stem(&source.name);
    let (version, description) = stem.split_once('_').unwrap_or((stem, ""));
    let (version, description) = (version.to_owned(), read::words(description));
    AcceptedFile { key: source.name.clone(), version, description, source }
}

/// Rejects two files with one version: the history table of Atlas has one row for each version, and
/// so has the ledger.
fn check_versions(entries: &mut Entries<String>) {
    let mut versions = std::collections::BTreeMap::new();
    for entry in &entries.accepted {
        let second = entry.source.file.clone();
        if let Some(first) = versions.insert(entry.version.clone(), second.clone()) {
            entries.errors.push(same_version(&first, &second));
        }
    }
}

fn migration(named: &NamedFile<'_>, text: &str) -> ReadMigration {
    let mut read = match script(named, text) {
        Ok(script) => {
            let mut read = of_script(named, text, &script);
            read.problems.splice(..0, script.problem);
            read
        }
        Err(problem) => read::unknown(named, text, problem),
    };
    if directives::at_top(text).contains(&Directive::Checkpoint) {
        read.migration.kind = MigrationKind::Baseline;
    }
    read
}

/// The part of a file that runs: its section `migration.sql` if it is an archive.
fn script<'a>(named: &NamedFile<'_>, text: &'a str) -> Result<Script<'a>, FormatError> {
    if directives::is_archive(text) {
        archive::script(named, text)
    } else {
        Ok(Script { line: 1, text, problem: None })
    }
}

fn of_script(named: &NamedFile<'_>, text: &str, script: &Script<'_>) -> ReadMigration {
    let mut directives = directives::at_top(text);
    directives.extend(directives::at_top(script.text));
    let transactions = match directives.contains(&Directive::NoTransaction) {
        true => Transactions::OneEach,
        false => Transactions::Shared,
    };
    let forward = match directives::delimiter(script.text) {
        Some((delimiter, rest)) => Forward::of(sql::cut(rest, script.line + 1, &delimiter)),
        None if sql::has_delimiter_command(script.text) => {
            Forward::of(sql::cut(script.text, script.line, ";"))
        }
        None => Forward::of(vec![(script.line, script.text)]),
    };
    read::migration(named, text, &forward.or_nothing().with(transactions))
}

#[cfg(test)]
mod tests;
