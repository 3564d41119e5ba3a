//! Comments by which tools mark the sections of a file, such as `-- +goose Up`.

mod bare;
mod known;

use self::bare::bare_marks;
use self::known::{CHANGESET, MARKS, Mark, anywhere};
use super::Format;
use super::error::{FormatError, SqlProblem};
use super::listing::Listing;
use crate::migration::Origin;
use crate::sql::line_comments;

/// The tool that a file name, a directory or a comment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// A tool whose directories can be read.
    Format(Format),
    /// A tool whose directories cannot be read.
    Unsupported(&'static str),
    /// One of two tools that use the same names.
    Either(&'static str, &'static str),
}

impl Tool {
    /// The name of the tool, or of the first of two.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Format(format) => format.tool(),
            Self::Unsupported(tool) | Self::Either(tool, _) => tool,
        }
    }
}

/// Something in a directory that identifies its tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) tool: Tool,
    /// What was found, as error messages show it.
    pub(super) found: String,
}

/// Whether SQL applies a migration or reverts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
    /// Some of it applies the migration, and some of it does not.
    Mixed,
}

/// Rejects a text in which a tool's mark begins a section that reverts the migration. Such a
/// section must never run, regardless of the format.
pub(super) fn check_sections(file: &str, first_line: usize, text: &str) -> Result<(), FormatError> {
    for (mark, line) in marks(text).chain(bare_marks(text)) {
        let tool = mark.tool.name();
        let problem = match mark.direction {
            Direction::Up => continue,
            Direction::Down => SqlProblem::DownSection { tool },
            Direction::Mixed => SqlProblem::Archive { tool },
        };
        let origin = Origin { file: file.to_owned(), line: first_line + line - 1 };
        return Err(FormatError::line(origin, problem));
    }
    Ok(())
}

/// The first mark of each file.
pub(super) fn of_files(listing: &Listing) -> Vec<Evidence> {
    let first_mark = |text: &str| marks(text).next();
    let files = listing.sql.iter();
    files
        .filter_map(|source| {
            let (mark, line) = first_mark(source.text.as_ref().ok()?)?;
            let found = format!("{} at {}:{line}", mark.words, source.file);
            Some(Evidence { tool: mark.tool, found })
        })
        .collect()
}

/// The marks in a text with their lines.
fn marks(text: &str) -> impl Iterator<Item = (&'static Mark, usize)> {
    line_comments(text).filter_map(|comment| {
        let words =
            comment.text.trim_start_matches(['-', '#', '/', ' ', '\t']).to_ascii_lowercase();
        let changeset = || is_changeset(&words).then_some(&CHANGESET);
        let mark = MARKS.iter().find(|mark| mark.begins(&words));
        let mark = mark.or_else(|| anywhere(comment.text)).or_else(changeset)?;
        Some((mark, comment.line))
    })
}

/// Whether a comment is `changeset author:id`.
fn is_changeset(words: &str) -> bool {
    let mut words = words.split_whitespace();
    let identifies = |word: &str| {
        word.split_once(':').is_some_and(|(author, id)| !author.is_empty() && !id.is_empty())
    };
    words.next() == Some("changeset") && words.next().is_some_and(identifies)
}
