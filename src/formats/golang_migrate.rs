//! golang-migrate: `<version>_<title>.up.sql`, in the order of unsigned 64-bit numbers.
//!
//! The tool skips a file whose name does not match. Here that is an error, because nobody would
//! notice the skipped file until a table is missing.

use super::FormatError;
use super::listing::Listing;
use super::pairs::{self, PairFormat};
use super::read::ReadMigration;

const FORMAT: PairFormat = PairFormat {
    tool: "golang-migrate",
    expected: "<digits>_<title>.up.sql",
    // `source.Migration.Version` is a Go `uint`.
    greatest: u64::MAX,
    simple_files: false,
    // Any suffix after `.up` is accepted.
    any_case: true,
    no_transaction: None,
};

/// Reads each `.up.sql` file as a migration.
pub(super) fn migrations(listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    pairs::migrations(listing, &FORMAT)
}

#[cfg(test)]
mod tests;
