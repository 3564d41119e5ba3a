//! Numbered files: `<digits>_<name>.sql` or `<digits>.sql`, in the order of their numbers.
//!
//! The whole file goes forward. Every SQL file must be a migration: one that is skipped in silence
//! is missed only when a table is missing.

use super::FormatError;
use super::entries::{AcceptedFile, Entries};
use super::listing::{SourceFile, is_down_file, stem};
use super::number::{VersionNumber, leading_digits};
use super::read::{self, Forward, Named};
use crate::migration::{Migration, Version};

/// What the name of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PlainName {
    /// As written, with leading zeros.
    digits: String,
    description: String,
}

/// Makes a migration of each file, in the order of their numbers.
pub(super) fn migrations(
    sources: impl IntoIterator<Item = SourceFile>,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    for source in sources {
        entries.push(entry(source).map(Some));
    }
    entries.migrations(|named, text| read::migration(named, text, &Forward::whole(text)))
}

/// Makes a migration of one text. What is not given, the name of the file must tell.
pub(super) fn single(
    file: &str,
    text: &str,
    version: Option<&str>,
    description: Option<&str>,
) -> Result<Migration, FormatError> {
    let name = PlainName::parse(file);
    let version = match (version, &name) {
        (Some(version), _) => version,
        (None, Some(name)) => &name.digits,
        (None, None) => return Err(FormatError::VersionNotANumber { file: file.to_owned() }),
    };
    let from_name = name.as_ref().map(|name| name.description.as_str());
    let description = description.or(from_name).unwrap_or_default();
    read::migration(&Named { file, version, description }, text, &Forward::whole(text))
}

/// What the name of a file, or the end of a path, tells.
pub(super) fn parse_name(file: &str) -> Result<(Version, String), FormatError> {
    match PlainName::parse(file) {
        Some(PlainName { digits, description }) => Ok((Version(digits), description)),
        None => Err(FormatError::VersionNotANumber { file: file.to_owned() }),
    }
}

fn entry(source: SourceFile) -> Result<AcceptedFile<VersionNumber>, FormatError> {
    let file = || source.file.clone();
    if is_down_file(&source.name) {
        return Err(FormatError::DownFile { file: file() });
    }
    let Some(PlainName { digits, description }) = PlainName::parse(&source.name) else {
        return Err(FormatError::VersionNotANumber { file: file() });
    };
    Ok(AcceptedFile { key: VersionNumber::of(&digits), version: digits, description, source })
}

impl PlainName {
    /// Reads a name or the end of a path; the suffix may be absent.
    fn parse(file: &str) -> Option<Self> {
        let name = file.rsplit(['/', '\\']).next()?;
        let (digits, rest) = leading_digits(stem(name));
        let fits = !digits.is_empty() && (rest.is_empty() || rest.starts_with('_'));
        fits.then(|| Self { digits: digits.to_owned(), description: read::words(rest) })
    }
}

#[cfg(test)]
mod tests;
