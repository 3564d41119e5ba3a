//! `atlas.sum`: a line for each file with a hash over it and all files before it, below a line
//! with a hash over these lines.
//!
//! One running SHA-256 takes name and text of each file and is never reset, so a change of one file
//! changes its line and all later ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::super::FormatError;
use super::super::listing::{Listing, join, read_text};
use super::super::read;
use super::directives;
use crate::migration::Origin;

const FILE: &str = "atlas.sum";

/// A file's line: its name and its hash.
type Sealed = (String, String);

/// Compares the sum with the files.
///
/// A checkout that has turned line ends into CRLF is accepted: Atlas itself would refuse it, but
/// the statements are the same.
pub(super) fn verify(listing: &Listing) -> Result<(), FormatError> {
    let file = listing.path(FILE);
    if !listing.holds(FILE) {
        return Err(FormatError::MissingSum { file });
    }
    let sum = read_text(&file)?;
    let mut texts = Vec::new();
    for source in &listing.sql {
        // What cannot be read is told by whoever reads it for its statements.
        let Ok(text) = &source.text else { return Ok(()) };
        texts.push((source.name.as_str(), text.clone()));
    }
    texts.extend(listing.taken.iter().map(|(name, text)| (name.as_str(), text.clone())));
    texts.sort();
    let as_they_are = seal(&texts);
    for (_, text) in &mut texts {
        *text = text.replace("\r\n", "\n");
    }
    match difference(&sum, &as_they_are) {
        Some(_) if difference(&sum, &seal(&texts)).is_none() => Ok(()),
        Some((line, problem)) => {
            Err(FormatError::SumMismatch { origin: Origin { file, line }, problem })
        }
        None => Ok(()),
    }
}

/// What the sum has for each file: its name, and its hash without `h1:`.
pub(in super::super) fn hashes(dir: &str) -> Result<BTreeMap<String, String>, FormatError> {
    let sum = read_text(&join(dir, FILE))?;
    let lines = read::lines(&sum).filter_map(|line| line.text.split_once(" h1:"));
    Ok(lines.map(|(name, hash)| (name.to_owned(), hash.to_owned())).collect())
}

/// The lines that Atlas would write.
fn seal(texts: &[(&str, String)]) -> Vec<Sealed> {
    let mut hash = Sha256::new();
    let mut sealed = Vec::new();
    for (name, text) in texts {
        hash.update(name);
        if directives::is_unsealed(text) {
            continue;
        }
        hash.update(text);
        sealed.push(((*name).to_owned(), STANDARD.encode(hash.clone().finalize())));
    }
    sealed
}

/// The first line that is not as it should be, and why.
fn difference(sum: &str, expected: &[Sealed]) -> Option<(usize, String)> {
    let mut lines = read::lines(sum);
    let total = lines.next().map(|line| line.text.to_owned()).unwrap_or_default();
    let mut rest = expected.iter();
    let mut last = 1;
    for line in lines {
        last = line.number;
        let Some((name, hash)) = line.text.split_once(" h1:") else {
            return Some((last, format!("`{}` is no line of a sum", line.text)));
        };
        let problem = match rest.next() {
            Some((expected, value)) if name == expected && hash == value => continue,
            Some((expected, _)) if name == expected => format!("`{name}` was changed"),
            Some((expected, _)) if name > expected.as_str() => not_listed(expected),
            _ => format!("`{name}` is listed, but it does not exist"),
        };
        return Some((last, problem));
    }
    if let Some((name, _)) = rest.next() {
        return Some((last, not_listed(name)));
    }
    let is_whole = total == self::total(expected);
    (!is_whole).then(|| (1, "the first line does not fit the others".to_owned()))
}

/// The first line.
fn total(sealed: &[Sealed]) -> String {
    let mut hash = Sha256::new();
    for (name, value) in sealed {
        hash.update(name);
        hash.update(value);
    }
    format!("h1:{}", STANDARD.encode(hash.finalize()))
}

/// The sum that Atlas would write.
#[cfg(test)]
pub(super) fn write(listing: &Listing) -> String {
    let texts = listing.sql.iter().map(|source| {
        (source.name.as_str(), source.text.as_ref().expect("it can be read").clone())
    });
    let sealed = seal(&texts.collect::<Vec<_>>());
    let lines = sealed.iter().map(|(name, hash)| format!("{name} h1:{hash}\n"));
    format!("{}\n{}", total(&sealed), lines.collect::<String>())
}

fn not_listed(name: &str) -> String {
    format!("`{name}` was added, and the sum does not list it")
}
