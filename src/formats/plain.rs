//! Numbered files: `<digits>_<name>.sql`, `<digits>-<name>.sql` or `<digits>.sql`, in the order of
//! their numbers.
//!
//! The whole file runs. Every SQL file must be a migration: nobody would notice a skipped file
//! until a table is missing.

use super::entries::{AcceptedFile, Entries};
use super::error::{FormatError, NameProblem};
use super::listing::{SourceFile, is_down_file, stem};
use super::number::{VersionNumber, leading_digits};
use super::read::{self, Forward, NamedFile, ReadMigration};
use crate::migration::Version;

/// The parts of a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PlainName {
    /// The version as written, with leading zeros.
    digits: String,
    description: String,
}

/// Reads each file as a migration, in the order of their numbers.
pub(super) fn migrations(
    sources: impl IntoIterator<Item = SourceFile>,
) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    for source in sources {
        entries.push(entry(source));
    }
    entries.migrations(|named, text| read::migration(named, text, &Forward::whole(text)))
}

/// Reads one text as a migration. What is not given comes from the name of the file.
pub(super) fn single(
    file: &str,
    text: &str,
    version: Option<&str>,
    description: Option<&str>,
) -> Result<ReadMigration, FormatError> {
    let name = PlainName::parse(file);
    let version = match (version, &name) {
        (Some(version), _) => version,
        (None, Some(name)) => &name.digits,
        (None, None) => return Err(FormatError::file(file, NameProblem::VersionMissing)),
    };
    let from_name = name.as_ref().map(|name| name.description.as_str());
    let description = description.or(from_name).unwrap_or_default();
    Ok(read::migration(&NamedFile { file, version, description }, text, &Forward::whole(text)))
}

/// The version and the description in the name of a file or the end of a path.
pub(super) fn parse_name(file: &str) -> Result<(Version, String), FormatError> {
    match PlainName::parse(file) {
        Some(PlainName { digits, description }) => Ok((Version(digits), description)),
        None => Err(no_version(file)),
    }
}

fn entry(source: SourceFile) -> Result<AcceptedFile<VersionNumber>, FormatError> {
    if is_down_file(&source.name) {
        return Err(FormatError::file(source.file, NameProblem::DownFile));
    }
    let Some(PlainName { digits, description }) = PlainName::parse(&source.name) else {
        return Err(no_version(&source.file));
    };
    Ok(AcceptedFile { key: VersionNumber::of(&digits), version: digits, description, source })
}

fn no_version(file: &str) -> FormatError {
    FormatError::file(file, NameProblem::VersionNotANumber)
}

impl PlainName {
    /// Parses a name or the end of a path; the suffix is optional.
    fn parse(file: &str) -> Option<Self> {
        let name = file.rsplit(['/', '\\']).next()?;
        let (digits, rest) = leading_digits(stem(name));
        let fits = !digits.is_empty() && (rest.is_empty() || rest.starts_with(['_', '-']));
        let words = if rest.starts_with('-') { rest.replace('-', "_") } else { rest.to_owned() };
        fits.then(|| Self { digits: digits.to_owned(), description: read::words(&words) })
    }
}

#[cfg(test)]
mod tests;
