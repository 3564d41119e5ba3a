//! sqlx: `<version>_<description>.sql`, or pairs with `.up.sql` and `.down.sql`, in the order of
//! signed 64-bit numbers.

use super::FormatError;
use super::listing::Listing;
use super::number::GREATEST_SIGNED;
use super::pairs::{self, PairFormat};
use super::read::ReadMigration;

const FORMAT: PairFormat = PairFormat {
    tool: "sqlx",
    expected: "<digits>_<description>.sql",
    // `Migration::version` is an `i64`.
    greatest: GREATEST_SIGNED,
    simple_files: true,
    any_case: false,
    // Valid only as the very first characters of the file.
    no_transaction: Some("-- no-transaction"),
};

/// Reads each file without a direction and each `.up.sql` file as a migration.
pub(super) fn migrations(listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    pairs::migrations(listing, &FORMAT)
}

#[cfg(test)]
mod tests;
