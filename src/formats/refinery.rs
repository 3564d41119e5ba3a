//! refinery: `V<version>__<name>.sql` and `U<version>__<name>.sql`, in subdirectories too, in the
//! order of numbers.
//!
//! `U` is no undo here, as it is for Flyway: refinery lets such a file run out of order.

use super::FormatError;
use super::entries::{AcceptedFile, Entries};
use super::listing::{Listing, SourceFile, base, stem};
use super::number::{GREATEST_SIGNED, VersionNumber, leading_digits};
use super::read::{self, Forward};
use crate::migration::Migration;

const TOOL: &str = "refinery";

/// Makes a migration of each SQL file.
pub(super) fn migrations(mut listing: Listing) -> Result<Vec<Migration>, Vec<FormatError>> {
    let (sources, errors) = listing.all_sql();
    let mut entries = Entries::new();
    entries.errors = errors;
    for name in listing.all_files().filter(|name| is_rust(name)) {
        let file = listing.path(name);
        entries.push(Err(FormatError::Program { file, tool: TOOL, what: "a Rust migration" }));
    }
    for source in sources {
        entries.push(entry(source).map(Some));
    }
    entries
        .migrations(|named, text| read::migration(named, text, &Forward::whole(text).or_nothing()))
}

fn entry(source: SourceFile) -> Result<AcceptedFile<VersionNumber>, FormatError> {
    let Some((digits, name)) = parse(stem(base(&source.name))) else {
        let expected = "V<digits>__<name>.sql";
        return Err(FormatError::ForeignName { file: source.file, tool: TOOL, expected });
    };
    let key = VersionNumber::of(digits);
    // An `i32`, or an `i64` with the feature `int8-versions`.
    if key.exceeds(GREATEST_SIGNED) {
        return Err(FormatError::VersionTooGreat { file: source.file, tool: TOOL });
    }
    let (version, description) = (digits.to_owned(), read::words(name));
    Ok(AcceptedFile { key, version, description, source })
}

fn parse(stem: &str) -> Option<(&str, &str)> {
    let (digits, rest) = leading_digits(stem.strip_prefix(['U', 'V'])?);
    let name = rest.strip_prefix("__")?;
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (!digits.is_empty() && is_word).then_some((digits, name))
}

/// Whether a file is a migration in Rust by its name.
pub(super) fn is_rust(path: &str) -> bool {
    base(path).strip_suffix(".rs").is_some_and(|stem| parse(stem).is_some())
}

#[cfg(test)]
mod tests;
