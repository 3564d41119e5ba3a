//! goose: `<digits>_<name>.sql`, in the order of numbers; what stands behind `-- +goose Up` and
//! before `-- +goose Down` goes forward.
//!
//! goose reads line by line and knows no literals, so an annotation counts wherever its line
//! stands. Inside a section goose cuts where a line ends with a semicolon; here the SQL splitter
//! does, which differs only where goose would cut a literal or leave two statements together.

use super::FormatError;
use super::entries::{AcceptedFile, Entries};
use super::listing::{Listing, SourceFile, stem};
use super::number::{GREATEST_SIGNED, VersionNumber, leading_digits};
use super::read::{self, Forward, Named, SourceLine, Transactions};
use crate::migration::Migration;

const TOOL: &str = "goose";

/// Makes a migration of each SQL file.
pub(super) fn migrations(listing: Listing) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    for name in listing.files.iter().filter(|name| is_go(name)) {
        let file = listing.path(name);
        entries.push(Err(FormatError::Program { file, tool: TOOL, what: "a Go migration" }));
    }
    for source in listing.sql {
        entries.push(entry(source).map(Some));
    }
    entries.migrations(|named, text| read::migration(named, text, &forward(named, text)?))
}

fn entry(source: SourceFile) -> Result<AcceptedFile<VersionNumber>, FormatError> {
    let (digits, rest) = leading_digits(stem(&source.name));
    let key = VersionNumber::of(digits);
    // Version 0 is the row that goose writes into an empty ledger.
    let (true, Some(name)) = (!key.is_zero(), rest.strip_prefix('_')) else {
        let expected = "<digits>_<name>.sql";
        return Err(FormatError::ForeignName { file: source.file, tool: TOOL, expected });
    };
    if key.exceeds(GREATEST_SIGNED) {
        return Err(FormatError::VersionTooGreat { file: source.file, tool: TOOL });
    }
    let (version, description) = (digits.to_owned(), read::words(name));
    Ok(AcceptedFile { key, version, description, source })
}

fn is_go(name: &str) -> bool {
    let (digits, rest) = leading_digits(name);
    !digits.is_empty()
        && rest.starts_with('_')
        && rest.ends_with(".go")
        && !rest.ends_with("_test.go")
}

/// A line that tells goose something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Annotation {
    Up,
    Down,
    StatementBegin,
    StatementEnd,
    NoTransaction,
    EnvsubOn,
    EnvsubOff,
}

/// The spelling without `+goose`, in lower case.
static ANNOTATIONS: &[(&str, Annotation)] = &[
    ("up", Annotation::Up),
    ("down", Annotation::Down),
    ("statementbegin", Annotation::StatementBegin),
    ("statementend", Annotation::StatementEnd),
    ("no transaction", Annotation::NoTransaction),
    ("envsub on", Annotation::EnvsubOn),
    ("envsub off", Annotation::EnvsubOff),
];

/// Where in the file a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GooseSection {
    BeforeUp,
    Up,
    /// Between `StatementBegin`, on this line, and `StatementEnd`.
    Block {
        begin: usize,
    },
    Down,
}

/// The sections that go forward.
fn forward<'a>(named: &Named<'_>, text: &'a str) -> Result<Forward<'a>, FormatError> {
    let misused = |line: usize, problem: &'static str| FormatError::Annotation {
        origin: named.at(line),
        tool: TOOL,
        problem,
    };
    let mut parts = Vec::new();
    let mut transactions = Transactions::Shared;
    let mut state = GooseSection::BeforeUp;
    // SourceLine and offset where the part that is being read begins.
    let mut part = (1, 0);
    for line in read::lines(text) {
        let annotation = annotation(&line).map_err(|problem| misused(line.number, problem))?;
        if matches!(state, GooseSection::Up | GooseSection::Block { .. })
            && let Some(Annotation::Down | Annotation::StatementBegin | Annotation::StatementEnd) =
                annotation
        {
            parts.push((part.0, &text[part.1..line.start]));
        }
        state = match (state, annotation) {
            (GooseSection::BeforeUp, None) => {
                let is_comment = line.text.starts_with("--") || line.text.trim().is_empty();
                if !is_comment {
                    return Err(misused(line.number, "text before `-- +goose Up`"));
                }
                state
            }
            (_, None | Some(Annotation::EnvsubOff)) => state,
            (_, Some(Annotation::NoTransaction)) => {
                transactions = Transactions::OneEach;
                state
            }
            (GooseSection::BeforeUp, Some(Annotation::Up)) => GooseSection::Up,
            (GooseSection::Up, Some(Annotation::Down)) => GooseSection::Down,
            (GooseSection::Up, Some(Annotation::StatementBegin)) => {
                GooseSection::Block { begin: line.number }
            }
            (GooseSection::Block { .. }, Some(Annotation::StatementEnd)) => GooseSection::Up,
            // Whatever undoes the migration is not read, but a second `Up` would be lost there.
            (
                GooseSection::Down,
                Some(Annotation::StatementBegin | Annotation::StatementEnd | Annotation::EnvsubOn),
            ) => state,
            (_, Some(Annotation::EnvsubOn)) => {
                return Err(FormatError::Environment { origin: named.at(line.number), tool: TOOL });
            }
            (_, Some(Annotation::Up)) => {
                return Err(misused(line.number, "a second `-- +goose Up`"));
            }
            (GooseSection::Down, Some(Annotation::Down)) => {
                return Err(misused(line.number, "a second `-- +goose Down`"));
            }
            (GooseSection::Block { .. }, Some(_)) => {
                return Err(misused(line.number, "an annotation before `-- +goose StatementEnd`"));
            }
            (GooseSection::Up, Some(Annotation::StatementEnd)) => {
                let problem = "`-- +goose StatementEnd` without `-- +goose StatementBegin`";
                return Err(misused(line.number, problem));
            }
            (GooseSection::BeforeUp, Some(_)) => {
                return Err(misused(line.number, "an annotation before `-- +goose Up`"));
            }
        };
        if let Some(Annotation::Up | Annotation::StatementBegin | Annotation::StatementEnd) =
            annotation
        {
            part = (line.number + 1, line.end);
        }
    }
    match state {
        GooseSection::BeforeUp => return Err(misused(1, "no `-- +goose Up`")),
        GooseSection::Block { begin } => {
            let problem = "`-- +goose StatementBegin` without `-- +goose StatementEnd`";
            return Err(misused(begin, problem));
        }
        GooseSection::Up => parts.push((part.0, &text[part.1..])),
        GooseSection::Down => {}
    }
    Ok(Forward::of(parts).or_nothing().with(transactions))
}

/// The annotation of a line, or why it is none although it looks like one.
fn annotation(line: &SourceLine<'_>) -> Result<Option<Annotation>, &'static str> {
    let words = line.text.trim().trim_start_matches('-').trim_start().to_ascii_lowercase();
    let Some(words) = words.strip_prefix("+goose") else { return Ok(None) };
    if !line.text.trim_start().starts_with("--") {
        return Ok(None);
    }
    if !line.text.starts_with("--") {
        return Err("blanks before an annotation");
    }
    let known = ANNOTATIONS.iter().find(|(spelling, _)| *spelling == words.trim());
    known.map(|(_, annotation)| Some(*annotation)).ok_or("an annotation that goose does not know")
}

#[cfg(test)]
mod tests;
