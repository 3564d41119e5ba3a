//! Atlas: the files listed in `atlas.sum`, in the order of their names.
//!
//! The version is the part of the name before the first `_`. The sum is checked before anything is
//! read: a file that was edited, added or removed without `atlas migrate hash` is an error. A
//! checkpoint is a baseline: the ledger decides whether it runs or the files before it.

mod directives;
mod sum;

use super::entries::{AcceptedFile, Entries};
use super::error::{FormatError, NameProblem};
use super::listing::{Listing, SourceFile, stem};
use super::read::{self, Forward, NamedFile, ReadMigration, Transactions};
use crate::migration::MigrationKind;

use self::directives::Directive;

pub(super) use self::sum::hashes;

/// Reads each SQL file as a migration.
pub(super) fn migrations(listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    entries.errors.extend(sum::verify(&listing).err());
    for source in listing.sql {
        entries.push(Ok(entry(source)));
    }
    check_versions(&mut entries);
    entries.migrations(migration)
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
            let problem = NameProblem::DuplicateVersion { first };
            entries.errors.push(FormatError::file(second, problem));
        }
    }
}

fn migration(named: &NamedFile<'_>, text: &str) -> ReadMigration {
    let mut transactions = Transactions::Shared;
    let mut kind = MigrationKind::Versioned;
    let mut delimiter = None;
    for directive in directives::at_top(text) {
        match directive {
            Directive::Checkpoint => kind = MigrationKind::Baseline,
            Directive::NoTransaction => transactions = Transactions::OneEach,
            Directive::Delimiter(text) => delimiter = Some(text),
            Directive::Other => {}
        }
    }
    let forward = match delimiter {
        None => Forward::whole(text),
        Some(delimiter) => Forward::cut_at(text, &delimiter),
    };
    let mut read = read::migration(named, text, &forward.or_nothing().with(transactions));
    read.migration.kind = kind;
    read
}

#[cfg(test)]
mod tests;
