//! goose: `<digits>_<name>.sql`, in the order of their numbers. The section between `-- +goose Up`
//! and `-- +goose Down` runs.
//!
//! goose ends a statement where a line ends with a semicolon. Here the SQL splitter decides, which
//! differs only where goose would cut a literal or leave two statements together.

use super::entries::{AcceptedFile, Entries};
use super::error::{FormatError, NameProblem, ToolProblem};
use super::listing::{Listing, SourceFile, exact_stem};
use super::number::{GREATEST_SIGNED, VersionNumber, leading_digits};
use super::read::{self, ReadMigration, SourceLine, Transactions};
use super::sections::{self, Section, Sections};

const TOOL: &str = "goose";

/// Reads each SQL file as a migration.
pub(super) fn migrations(listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    for name in listing.files.iter().filter(|name| is_go(name)) {
        let problem = NameProblem::Program { tool: TOOL, what: "a Go migration" };
        entries.push(Err(FormatError::file(listing.path(name), problem)));
    }
    for source in listing.sql {
        entries.push(entry(source));
    }
    entries.migrations(sections::migration::<GooseSection>)
}

fn entry(source: SourceFile) -> Result<AcceptedFile<VersionNumber>, FormatError> {
    let (digits, rest) = leading_digits(exact_stem(&source.name).unwrap_or_default());
    let key = VersionNumber::of(digits);
    // Version 0 is the row that goose writes when it creates its history table.
    let (true, Some(name)) = (!key.is_zero(), rest.strip_prefix('_')) else {
        let problem = NameProblem::Mismatch { tool: TOOL, expected: "<digits>_<name>.sql" };
        return Err(FormatError::file(source.file, problem));
    };
    if key.exceeds(GREATEST_SIGNED) {
        let problem = NameProblem::VersionTooGreat { tool: TOOL };
        return Err(FormatError::file(source.file, problem));
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

/// A comment that goose interprets.
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

/// The spelling without `+goose`, in any case.
static ANNOTATIONS: &[(&str, Annotation)] = &[
    ("up", Annotation::Up),
    ("down", Annotation::Down),
    ("statementbegin", Annotation::StatementBegin),
    ("statementend", Annotation::StatementEnd),
    ("no transaction", Annotation::NoTransaction),
    ("envsub on", Annotation::EnvsubOn),
    ("envsub off", Annotation::EnvsubOff),
];

/// The section that a line is in.
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

impl Section for GooseSection {
    const TOOL: &'static str = TOOL;
    const FIRST: Self = Self::BeforeUp;

    fn next(self, line: &SourceLine<'_>, sections: &mut Sections<'_>) -> Result<Self, ToolProblem> {
        match (self, annotation(line)?) {
            (Self::BeforeUp, None) if !is_comment(line) => {
                Err(misplaced("text before \"-- +goose Up\""))
            }
            (_, None | Some(Annotation::EnvsubOff)) => Ok(self),
            (_, Some(Annotation::NoTransaction)) => {
                sections.transactions = Transactions::OneEach;
                Ok(self)
            }
            (Self::BeforeUp, Some(Annotation::Up)) => {
                sections.begin_below(line);
                Ok(Self::Up)
            }
            (Self::Up, Some(Annotation::Down)) => {
                sections.end_above(line);
                Ok(Self::Down)
            }
            (Self::Up, Some(Annotation::StatementBegin)) => {
                sections.end_above(line);
                sections.begin_below(line);
                Ok(Self::Block { begin: line.number })
            }
            (Self::Block { .. }, Some(Annotation::StatementEnd)) => {
                sections.end_above(line);
                sections.begin_below(line);
                Ok(Self::Up)
            }
            (
                Self::Down,
                Some(Annotation::StatementBegin | Annotation::StatementEnd | Annotation::EnvsubOn),
            ) => Ok(self),
            (_, Some(Annotation::EnvsubOn)) => Err(ToolProblem::Environment { tool: TOOL }),
            // An error below `Down` as well: the statements below it would be lost.
            (_, Some(Annotation::Up)) => Err(misplaced("a second \"-- +goose Up\"")),
            (Self::Down, Some(Annotation::Down)) => Err(misplaced("a second \"-- +goose Down\"")),
            (Self::Block { .. }, Some(_)) => {
                Err(misplaced("an annotation before \"-- +goose StatementEnd\""))
            }
            (Self::Up, Some(Annotation::StatementEnd)) => {
                Err(misplaced("\"-- +goose StatementEnd\" without \"-- +goose StatementBegin\""))
            }
            (Self::BeforeUp, Some(_)) => Err(misplaced("an annotation before \"-- +goose Up\"")),
        }
    }

    fn end(self) -> Result<(), (usize, &'static str)> {
        match self {
            Self::Up | Self::Down => Ok(()),
            Self::BeforeUp => Err((1, "no \"-- +goose Up\"")),
            Self::Block { begin } => {
                Err((begin, "\"-- +goose StatementBegin\" without \"-- +goose StatementEnd\""))
            }
        }
    }
}

fn misplaced(problem: &'static str) -> ToolProblem {
    ToolProblem::Annotation { tool: TOOL, problem }
}

fn is_comment(line: &SourceLine<'_>) -> bool {
    let words = line.text.trim();
    words.is_empty() || words.starts_with("--")
}

/// The annotation of a line, or an error if the line resembles an annotation but is not valid.
///
/// To goose, a comment with `+goose` anywhere is an annotation, and what remains without it is the
/// name.
fn annotation(line: &SourceLine<'_>) -> Result<Option<Annotation>, ToolProblem> {
    if !line.text.trim_start().starts_with("--") || !line.text.contains("+goose") {
        return Ok(None);
    }
    if !line.text.starts_with("--") {
        return Err(misplaced("blanks before an annotation"));
    }
    let words = line.text.replace("--", "").replacen("+goose", "", 1);
    let is = |spelling: &str| spelling.eq_ignore_ascii_case(words.trim());
    let known = ANNOTATIONS.iter().find(|(spelling, _)| is(spelling));
    let unknown = || misplaced("an annotation that goose does not know");
    known.map(|(_, annotation)| Some(*annotation)).ok_or_else(unknown)
}

#[cfg(test)]
mod tests;
