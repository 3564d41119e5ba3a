//! The layout of Drizzle 1.0: a directory `<14 digits>_<name>` for each migration, with the SQL in
//! `migration.sql`, in the order of their names. Snapshots are ignored.

use super::super::FormatError;
use super::super::entries::{AcceptedFile, Entries};
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
                Ok(Some(AcceptedFile { key: folder.clone(), version: folder, description, source }))
            }
            // Drizzle reads the first 14 characters as a time, whatever they are.
            None => {
                let expected = "<14 digits>_<name>/migration.sql";
                Err(FormatError::ForeignName { file: source.file, tool: "Drizzle", expected })
            }
        });
    }
    entries.migrations(|named, text| {
        read::migration(named, text, &super::forward(text, Chunks::AtBreakpoints).or_nothing())
    })
}

/// What follows the timestamp.
pub(in super::super) fn name(folder: &str) -> Option<&str> {
    let (digits, rest) = leading_digits(folder);
    rest.strip_prefix('_').filter(|_| digits.len() == 14)
}

/// The time in the name of a directory, read as UTC, in milliseconds since 1970.
pub(super) fn when(folder: &str) -> Option<i64> {
    let (digits, _) = leading_digits(folder);
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests;
