//! refinery: `V<version>__<name>.sql` and `U<version>__<name>.sql`, also in subdirectories, in the
//! order of their numbers.
//!
//! Unlike Flyway, `U` does not mean undo: refinery allows such a file to run out of order.

use super::entries::{AcceptedFile, Entries};
use super::error::{FormatError, NameProblem};
use super::listing::{Listing, SourceFile, base, exact_stem};
use super::number::{GREATEST_SIGNED, VersionNumber, leading_digits};
use super::read::{self, Forward, ReadMigration};

const TOOL: &str = "refinery";

/// Reads each SQL file as a migration.
pub(super) fn migrations(mut listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let (sources, errors) = listing.all_sql();
    let mut entries = Entries::new();
    entries.errors = errors;
    for name in listing.all_files().filter(|name| is_rust(name)) {
        let problem = NameProblem::Program { tool: TOOL, what: "a Rust migration" };
        entries.push(Err(FormatError::file(listing.path(name), problem)));
    }
    for source in sources {
        entries.push(entry(source));
    }
    entries
        .migrations(|named, text| read::migration(named, text, &Forward::whole(text).or_nothing()))
}

fn entry(source: SourceFile) -> Result<AcceptedFile<VersionNumber>, FormatError> {
    let Some((digits, name)) = exact_stem(base(&source.name)).and_then(parse) else {
        let problem = NameProblem::Mismatch { tool: TOOL, expected: "V<digits>__<name>.sql" };
        return Err(FormatError::file(source.file, problem));
    };
    let key = VersionNumber::of(digits);
    // refinery stores an `i32`, or an `i64` with its feature `int8-versions`.
    if key.exceeds(GREATEST_SIGNED) {
        let problem = NameProblem::VersionTooGreat { tool: TOOL };
        return Err(FormatError::file(source.file, problem));
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

/// Whether the name of a file is that of a migration in Rust.
pub(super) fn is_rust(path: &str) -> bool {
    base(path).strip_suffix(".rs").is_some_and(|stem| parse(stem).is_some())
}

#[cfg(test)]
mod tests;
