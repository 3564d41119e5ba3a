//! dbmate: files that begin with digits, in the order of their names. The sections below
//! `-- migrate:up` run.
//!
//! The version is the digits as text: to dbmate, `01` and `1` are two versions.

use std::collections::BTreeMap;

use super::entries::{AcceptedFile, Entries, same_version};
use super::error::{FormatError, NameProblem, ToolProblem};
use super::listing::{Listing, SourceFile, exact_stem};
use super::number::leading_digits;
use super::read::{self, ReadMigration, SourceLine, Transactions};
use super::sections::{self, Section, Sections};

const TOOL: &str = "dbmate";

/// Reads each SQL file as a migration.
pub(super) fn migrations(listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    let mut seen = BTreeMap::new();
    for source in listing.sql {
        let file = entry(source);
        if let Ok(accepted) = &file {
            let second = accepted.source.file.clone();
            if let Some(first) = seen.insert(accepted.version.clone(), second.clone()) {
                entries.errors.push(same_version(&first, &second));
            }
        }
        entries.push(file);
    }
    entries.migrations(sections::migration::<DbmateSection>)
}

/// The key is the whole name: `10_b.sql` precedes `9_a.sql`.
fn entry(source: SourceFile) -> Result<AcceptedFile<String>, FormatError> {
    let (digits, rest) = leading_digits(exact_stem(&source.name).unwrap_or_default());
    if digits.is_empty() {
        let problem = NameProblem::Mismatch { tool: TOOL, expected: "<digits>_<name>.sql" };
        return Err(FormatError::file(source.file, problem));
    }
    let (version, description) = (digits.to_owned(), read::words(rest));
    Ok(AcceptedFile { key: source.name.clone(), version, description, source })
}

/// The section that a line is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DbmateSection {
    BeforeUp,
    Up,
    Down,
}

impl Section for DbmateSection {
    const TOOL: &'static str = TOOL;
    const FIRST: Self = Self::BeforeUp;

    fn next(self, line: &SourceLine<'_>, sections: &mut Sections<'_>) -> Result<Self, ToolProblem> {
        match directive(line.text) {
            // To dbmate, the dashes may be in the line above.
            None if directive(&format!("--{}", line.text)).is_some() => {
                Err(misplaced("a mark that is not in the line of its dashes"))
            }
            None if self == Self::BeforeUp && !is_comment(line) => {
                Err(misplaced("text before \"-- migrate:up\""))
            }
            None => Ok(self),
            Some(("up", options)) => {
                sections.end_above(line);
                read_options(line, options, sections)?;
                sections.begin_below(line);
                Ok(Self::Up)
            }
            Some(_) if self == Self::BeforeUp => {
                Err(misplaced("\"-- migrate:down\" before \"-- migrate:up\""))
            }
            Some(_) => {
                sections.end_above(line);
                Ok(Self::Down)
            }
        }
    }

    fn end(self) -> Result<(), (usize, &'static str)> {
        if self == Self::BeforeUp { Err((1, "no \"-- migrate:up\"")) } else { Ok(()) }
    }
}

fn misplaced(problem: &'static str) -> ToolProblem {
    ToolProblem::Annotation { tool: TOOL, problem }
}

fn is_comment(line: &SourceLine<'_>) -> bool {
    let words = line.text.trim_start();
    words.is_empty() || words.starts_with("--")
}

/// Applies the options of a line such as `-- migrate:up transaction:false`. dbmate ignores words
/// that it does not know, so they matter only if the migration is still to run.
fn read_options(
    line: &SourceLine<'_>,
    options: &str,
    sections: &mut Sections<'_>,
) -> Result<(), ToolProblem> {
    for option in options.split_whitespace() {
        match option {
            "transaction:true" => {}
            "transaction:false" => sections.transactions = Transactions::OneEach,
            _ if option.starts_with("env:") => {
                return Err(ToolProblem::Environment { tool: TOOL });
            }
            _ => {
                let problem = misplaced("an unknown option of \"-- migrate:up\"");
                sections.problem.get_or_insert((line.number, problem));
            }
        }
    }
    Ok(())
}

/// The direction and the options of a line such as `-- migrate:up transaction:false`.
fn directive(line: &str) -> Option<(&str, &str)> {
    let words = line.strip_prefix("--")?.trim_start().strip_prefix("migrate:")?;
    let (direction, options) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    matches!(direction, "up" | "down").then_some((direction, options))
}

#[cfg(test)]
mod tests;
