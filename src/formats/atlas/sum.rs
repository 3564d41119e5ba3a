//! `atlas.sum`: a line for each file with a hash of that file and all files before it, below a line
//! with a hash of these lines.
//!
//! One SHA-256 runs over the names and texts of all files and is never reset, so a change in one
//! file changes its line and all later lines.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::directives;
use crate::formats::error::{FormatError, ToolProblem};
use crate::formats::listing::{Listing, join, read_text};
use crate::formats::read;
use crate::migration::Origin;

const FILE: &str = "atlas.sum";

/// The line of a file: its name and its hash.
type SumLine = (String, String);

/// Compares the sum with the files.
///
/// A checkout that has converted line endings to CRLF is accepted: Atlas itself would reject it,
/// but the statements are the same.
pub(super) fn verify(listing: &Listing) -> Result<(), FormatError> {
    let file = listing.path(FILE);
    if !listing.contains(FILE) {
        return Err(FormatError::file(file, ToolProblem::MissingSum));
    }
    let sum = read_text(&file)?;
    let mut texts = Vec::new();
    for source in &listing.sql {
        // The caller reports a file that cannot be read.
        let Ok(text) = &source.text else { return Ok(()) };
        texts.push((source.name.as_str(), text.clone()));
    }
    texts.extend(listing.taken.iter().map(|(name, text)| (name.as_str(), text.clone())));
    texts.sort();
    let unchanged = sum_lines(&texts);
    for (_, text) in &mut texts {
        *text = text.replace("\r\n", "\n");
    }
    match difference(&sum, &unchanged) {
        Some(_) if difference(&sum, &sum_lines(&texts)).is_none() => Ok(()),
        Some((line, problem)) => {
            Err(FormatError::line(Origin { file, line }, ToolProblem::SumMismatch { problem }))
        }
        None => Ok(()),
    }
}

/// The hash of each file in the sum, without `h1:`, by the name of the file.
pub(crate) fn hashes(dir: &str) -> Result<BTreeMap<String, String>, FormatError> {
    let sum = read_text(&join(dir, FILE))?;
    let lines = read::lines(&sum).filter_map(|line| line.text.split_once(" h1:"));
    Ok(lines.map(|(name, hash)| (name.to_owned(), hash.to_owned())).collect())
}

/// The files of a directory, from which its sum at an earlier time can be computed.
pub(crate) struct SumFiles(Vec<(String, String)>);

impl SumFiles {
    /// Reads the files of a sum, and files that the sum does not list.
    pub(crate) fn read<'a>(
        dir: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Self, FormatError> {
        let names: BTreeSet<&str> = names.collect();
        let text = |name: &str| Ok((name.to_owned(), read_text(&join(dir, name))?));
        Ok(Self(names.into_iter().map(text).collect::<Result<_, _>>()?))
    }

    /// Whether a file had this hash while the directory consisted of some of its files.
    pub(crate) fn had_hash(&self, name: &str, hash: &str, existed: impl Fn(&str) -> bool) -> bool {
        let files = self.0.iter().filter(|(file, _)| file.as_str() <= name && existed(file));
        let texts: Vec<_> = files.map(|(file, text)| (file.as_str(), text.clone())).collect();
        let lf = texts.iter().map(|(file, text)| (*file, text.replace("\r\n", "\n")));
        let lf: Vec<_> = lf.collect();
        let has = |texts: &[(&str, String)]| {
            sum_lines(texts).last().is_some_and(|(file, found)| file == name && found == hash)
        };
        has(&texts) || has(&lf)
    }
}

/// The lines that Atlas would write for these files.
fn sum_lines(texts: &[(&str, String)]) -> Vec<SumLine> {
    let mut hash = Sha256::new();
    let mut lines = Vec::new();
    for (name, text) in texts {
        hash.update(name);
        if directives::is_unsealed(text) {
            continue;
        }
        hash.update(text);
        lines.push(((*name).to_owned(), STANDARD.encode(hash.clone().finalize())));
    }
    lines
}

/// The first line that differs from what Atlas would write, and how.
fn difference(sum: &str, expected: &[SumLine]) -> Option<(usize, String)> {
    let mut lines = read::lines(sum);
    let total = lines.next().map(|line| line.text.to_owned()).unwrap_or_default();
    let mut rest = expected.iter();
    let mut last = 1;
    for line in lines {
        last = line.number;
        let Some((name, hash)) = line.text.split_once(" h1:") else {
            return Some((last, format!("{:?} is not a line of a sum", line.text)));
        };
        let problem = match rest.next() {
            Some((expected, value)) if name == expected && hash == value => continue,
            Some((expected, _)) if name == expected => format!("{name} was changed"),
            Some((expected, _)) if name > expected.as_str() => not_listed(expected),
            _ => format!("{name} is listed, but it does not exist"),
        };
        return Some((last, problem));
    }
    if let Some((name, _)) = rest.next() {
        return Some((last, not_listed(name)));
    }
    let is_whole = total == self::total(expected);
    (!is_whole).then(|| (1, "the first line does not match the others".to_owned()))
}

/// The first line of a sum with these lines.
fn total(lines: &[SumLine]) -> String {
    let mut hash = Sha256::new();
    for (name, value) in lines {
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
    let expected = sum_lines(&texts.collect::<Vec<_>>());
    let lines = expected.iter().map(|(name, hash)| format!("{name} h1:{hash}\n"));
    format!("{}\n{}", total(&expected), lines.collect::<String>())
}

fn not_listed(name: &str) -> String {
    format!("{name} is not listed")
}
