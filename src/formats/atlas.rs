//! Atlas: the files that `atlas.sum` seals, in the order of their names.
//!
//! The version is what stands before the first `_`. The sum is checked before anything is read: a
//! file that was edited, added or removed without `atlas migrate hash` is an error. A checkpoint is
//! a baseline: the ledger decides whether it runs or the files before it do.

mod directives;
mod sum;

use super::FormatError;
use super::entries::{AcceptedFile, Entries};
use super::listing::{Listing, SourceFile, stem};
use super::read::{self, Forward, Named, Transactions};
use crate::migration::{Migration, MigrationKind};

use self::directives::Directive;

pub(super) use self::sum::hashes;

/// Makes a migration of each SQL file.
pub(super) fn migrations(listing: Listing) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    entries.errors.extend(sum::verify(&listing).err());
    for source in listing.sql {
        entries.push(Ok(Some(entry(source))));
    }
    check_versions(&mut entries);
    entries.migrations(migration)
}

/// The key is the whole name: Atlas sorts bytewise.
fn entry(source: SourceFile) -> AcceptedFile<String> {
    let stem = stem(&source.name);
    let (version, description) = stem.split_once('_').unwrap_or((stem, ""));
    let (version, description) = (version.to_owned(), read::words(description));
    AcceptedFile { key: source.name.clone(), version, description, source }
}

/// Atlas' ledger has one row for a version, and so has ours.
fn check_versions(entries: &mut Entries<String>) {
    let mut versions = std::collections::BTreeMap::new();
    for entry in &entries.accepted {
        let second = entry.source.file.clone();
        if let Some(first) = versions.insert(entry.version.clone(), second.clone()) {
            entries.errors.push(FormatError::DuplicateVersion { first, second });
        }
    }
}

fn migration(named: &Named<'_>, text: &str) -> Result<Migration, FormatError> {
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
    let read = read::migration(named, text, &forward.or_nothing().with(transactions))?;
    Ok(Migration { kind, ..read })
}

#[cfg(test)]
mod tests;
