//! Numbered files: `<digits>_<name>.sql` or `<digits>.sql`, in the order of their numbers.
//!
//! The whole file goes forward. Every SQL file must be a migration: one that is skipped in silence
//! is missed only when a table is missing.

use std::cmp::Ordering;

use super::listing::Source;
use super::read::{self, Named};
use super::{FormatError, detect};
use crate::migration::Migration;

/// What the name of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    /// As written, with leading zeros.
    digits: String,
    description: String,
}

/// Makes a migration of each file, in the order of their numbers.
pub(super) fn migrations(
    sources: impl IntoIterator<Item = Source>,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut errors = Vec::new();
    let mut named = Vec::new();
    for source in sources {
        match directory_name(&source) {
            Ok(name) => named.push((name, source)),
            Err(error) => errors.push(error),
        }
    }
    named.sort_by(|(a, _), (b, _)| by_number(&a.digits, &b.digits));
    errors.extend(duplicates(&named));

    let mut migrations = Vec::new();
    for (name, source) in named {
        match migration(&name, source) {
            Ok(migration) => migrations.push(migration),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(migrations) } else { Err(errors) }
}

/// Makes a migration of one text. What is not given, the name of the file must tell.
pub(super) fn single(
    file: &str,
    text: &str,
    version: Option<&str>,
    description: Option<&str>,
) -> Result<Migration, FormatError> {
    let name = Name::parse(file);
    let version = match (version, &name) {
        (Some(version), _) => version,
        (None, Some(name)) => &name.digits,
        (None, None) => return Err(FormatError::VersionNotANumber { file: file.to_owned() }),
    };
    let from_name = name.as_ref().map(|name| name.description.as_str());
    let description = description.or(from_name).unwrap_or_default();
    whole_file(&Named { file, version, description }, text)
}

fn directory_name(source: &Source) -> Result<Name, FormatError> {
    let file = || source.file.clone();
    if detect::is_down_file(&source.name) {
        return Err(FormatError::DownFile { file: file() });
    }
    Name::parse(&source.name).ok_or_else(|| FormatError::VersionNotANumber { file: file() })
}

fn migration(name: &Name, source: Source) -> Result<Migration, FormatError> {
    let named = Named { file: &source.file, version: &name.digits, description: &name.description };
    whole_file(&named, &source.text?)
}

fn whole_file(named: &Named<'_>, text: &str) -> Result<Migration, FormatError> {
    detect::check_down_sections(named.file, text)?;
    read::migration(named, text, [(1, text)])
}

/// Neighbours that have the same number; `named` is sorted.
fn duplicates(named: &[(Name, Source)]) -> impl Iterator<Item = FormatError> {
    named.windows(2).filter_map(|pair| match pair {
        [(a, first), (b, second)] if by_number(&a.digits, &b.digits).is_eq() => {
            Some(FormatError::DuplicateVersion {
                first: first.file.clone(),
                second: second.file.clone(),
            })
        }
        _ => None,
    })
}

/// Compares digits as numbers of any size.
fn by_number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Name {
    /// Reads a name or the end of a path; the suffix may be absent.
    fn parse(file: &str) -> Option<Self> {
        let name = file.rsplit(['/', '\\']).next()?;
        let stem = match name.rsplit_once('.') {
            Some((stem, suffix)) if suffix.eq_ignore_ascii_case("sql") => stem,
            _ => name,
        };
        let (digits, rest) = stem.split_at(stem.bytes().take_while(u8::is_ascii_digit).count());
        let fits = !digits.is_empty() && (rest.is_empty() || rest.starts_with('_'));
        fits.then(|| Self { digits: digits.to_owned(), description: read::words(rest) })
    }
}

#[cfg(test)]
mod tests;
