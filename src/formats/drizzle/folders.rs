//! The layout of Drizzle 1.0: a directory `<14 digits>_<name>` for each migration, with the SQL in
//! `migration.sql`, in the order of [`FolderName`]. Snapshots are ignored.

use crate::formats::entries::{AcceptedFile, Entries};
use crate::formats::error::{FormatError, NameProblem};
use crate::formats::folders::{self, FolderName};
use crate::formats::listing::Listing;
use crate::formats::number::leading_digits;
use crate::formats::read::{self, ReadMigration};

/// Reads each directory as a migration.
pub(super) fn migrations(mut listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let (sources, errors) = folders::sources(&mut listing, "Drizzle", false);
    let mut entries = Entries::new();
    entries.errors = errors;
    for (folder, source) in sources {
        entries.push(match name(&folder) {
            Some(name) => {
                let description = read::words(name);
                let key = FolderName(folder.clone());
                Ok(AcceptedFile { key, version: folder, description, source })
            }
            // Drizzle reads the first 14 characters as a time without checking them.
            None => {
                let expected = "<14 digits>_<name>/migration.sql";
                let problem = NameProblem::Mismatch { tool: "Drizzle", expected };
                Err(FormatError::file(source.file, problem))
            }
        });
    }
    entries
        .migrations(|named, text| read::migration(named, text, &super::forward(text).or_nothing()))
}

/// The part of a directory name after the timestamp.
pub(crate) fn name(folder: &str) -> Option<&str> {
    let (digits, rest) = leading_digits(folder);
    rest.strip_prefix('_').filter(|_| digits.len() == 14)
}

/// The time in the name of a directory, read as UTC, in milliseconds since 1970.
pub(super) fn when(folder: &str) -> Option<i64> {
    let (digits, _) = leading_digits(folder);
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    // A year that begins in March has its leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests;
