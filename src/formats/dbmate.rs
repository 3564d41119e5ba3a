//! dbmate: files that begin with digits, in the order of their names; the blocks behind
//! `-- migrate:up` go forward.
//!
//! The version is the digits as text: `01` and `1` are two versions to dbmate.

use std::collections::BTreeMap;

use super::FormatError;
use super::entries::{AcceptedFile, Entries};
use super::listing::{Listing, SourceFile, stem};
use super::number::leading_digits;
use super::read::{self, Forward, Named, Transactions};
use crate::migration::Migration;

const TOOL: &str = "dbmate";

/// Makes a migration of each SQL file.
pub(super) fn migrations(listing: Listing) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    let mut seen = BTreeMap::new();
    for source in listing.sql {
        let judged = entry(source);
        if let Ok(entry) = &judged {
            let second = entry.source.file.clone();
            if let Some(first) = seen.insert(entry.version.clone(), second.clone()) {
                entries.errors.push(FormatError::DuplicateVersion { first, second });
            }
        }
        entries.push(judged.map(Some));
    }
    entries.migrations(|named, text| read::migration(named, text, &forward(named, text)?))
}

/// The key is the whole name: `10_b.sql` comes before `9_a.sql`.
fn entry(source: SourceFile) -> Result<AcceptedFile<String>, FormatError> {
    let (digits, rest) = leading_digits(stem(&source.name));
    if digits.is_empty() {
        let expected = "<digits>_<name>.sql";
        return Err(FormatError::ForeignName { file: source.file, tool: TOOL, expected });
    }
    let (version, description) = (digits.to_owned(), read::words(rest));
    Ok(AcceptedFile { key: source.name.clone(), version, description, source })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DbmateSection {
    None,
    Up,
    Down,
}

/// The blocks that go forward. Lines count wherever they stand, also in a literal.
fn forward<'a>(named: &Named<'_>, text: &'a str) -> Result<Forward<'a>, FormatError> {
    let misused = |line: usize, problem: &'static str| FormatError::Annotation {
        origin: named.at(line),
        tool: TOOL,
        problem,
    };
    let mut parts = Vec::new();
    let mut transactions = Transactions::Shared;
    let mut block = DbmateSection::None;
    // Line and offset where the block that is being read begins.
    let mut part = (1, 0);
    for line in read::lines(text) {
        let (next, options) = match directive(line.text) {
            Some(("up", options)) => (DbmateSection::Up, options),
            Some((_, options)) => (DbmateSection::Down, options),
            None => {
                let words = line.text.trim_start();
                if block == DbmateSection::None && !words.is_empty() && !words.starts_with("--") {
                    return Err(misused(line.number, "text before `-- migrate:up`"));
                }
                continue;
            }
        };
        if block == DbmateSection::None && next == DbmateSection::Down {
            return Err(misused(line.number, "`-- migrate:down` before `-- migrate:up`"));
        }
        if block == DbmateSection::Up {
            parts.push((part.0, &text[part.1..line.start]));
        }
        if next == DbmateSection::Up {
            for option in options.split_whitespace() {
                match option {
                    "transaction:true" => {}
                    "transaction:false" => transactions = Transactions::OneEach,
                    _ if option.starts_with("env:") => {
                        let origin = named.at(line.number);
                        return Err(FormatError::Environment { origin, tool: TOOL });
                    }
                    _ => return Err(misused(line.number, "an unknown option of `-- migrate:up`")),
                }
            }
        }
        part = (line.number + 1, line.end);
        block = next;
    }
    match block {
        DbmateSection::None => return Err(misused(1, "no `-- migrate:up`")),
        DbmateSection::Up => parts.push((part.0, &text[part.1..])),
        DbmateSection::Down => {}
    }
    Ok(Forward::of(parts).or_nothing().with(transactions))
}

/// The direction and the options of a line such as `-- migrate:up transaction:false`.
fn directive(line: &str) -> Option<(&str, &str)> {
    let words = line.strip_prefix("--")?.trim_start().strip_prefix("migrate:")?;
    let (direction, options) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    matches!(direction, "up" | "down").then_some((direction, options))
}

#[cfg(test)]
mod tests;
