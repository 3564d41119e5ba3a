//! The layout of Drizzle 1.0: a directory `<14 digits>_<name>` for each migration, with the SQL in
//! `migration.sql`, in the order of their names. Snapshots are ignored.

use super::super::FormatError;
use super::super::entries::{Entries, Entry};
use super::super::folders;
use super::super::listing::Listing;
use super::super::number::leading_digits;
use super::super::read;
use super::Chunks;
use crate::migration::Migration;

/// Makes a migration of each directory.
pub(super) fn migrations(mut listing: Listing) -> Result<Vec<Migration>, Vec<FormatError>> {
    let (sources, errors) = folders::sources(&mut listing, "Drizzle");
    let mut entries = Entries::new();
    entries.errors = errors;
    for (folder, source) in sources {
        entries.push(match name(&folder) {
            Some(name) => {
                let description = read::words(name);
                Ok(Some(Entry { key: folder.clone(), version: folder, description, source }))
            }
            // Drizzle reads the first 14 characters as a time, whatever they are.
            None => {
                let expected = "<14 digits>_<name>/migration.sql";
                Err(FormatError::ForeignName { file: source.file, tool: "Drizzle", expected })
            }
        });
    }
    entries.migrations(|named, text| {
        read::migration(named, text, &super::forward(text, Chunks::AtBreakpoints))
    })
}

/// What follows the timestamp.
pub(in super::super) fn name(folder: &str) -> Option<&str> {
    let (digits, rest) = leading_digits(folder);
    rest.strip_prefix('_').filter(|_| digits.len() == 14)
}

#[cfg(test)]
mod tests;
