//! Comments by which tools mark the sections of a file, such as `-- +goose Up`.

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
    for (mark, line) in marks(text) {
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

/// A comment that begins a section.
#[derive(Debug)]
struct Mark {
    tool: Tool,
    direction: Direction,
    /// The beginning of the comment without its dashes and leading blanks, in lower case.
    words: &'static str,
}

const fn mark(tool: Tool, direction: Direction, words: &'static str) -> Mark {
    Mark { tool, direction, words }
}

const GOOSE: Tool = Tool::Format(Format::Goose);
const DBMATE: Tool = Tool::Format(Format::Dbmate);
const ATLAS: Tool = Tool::Format(Format::Atlas);
const SQL_MIGRATE: Tool = Tool::Unsupported("sql-migrate");
const LIQUIBASE: Tool = Tool::Unsupported("Liquibase");
const TERN: Tool = Tool::Unsupported("tern");
const NODE_PG_MIGRATE: Tool = Tool::Unsupported("node-pg-migrate");

/// The first row whose words match counts, so a longer mark precedes its own beginning.
static MARKS: &[Mark] = &[
    mark(GOOSE, Direction::Down, "+goose down"),
    mark(GOOSE, Direction::Up, "+goose"),
    mark(DBMATE, Direction::Down, "migrate:down"),
    mark(DBMATE, Direction::Up, "migrate:up"),
    mark(ATLAS, Direction::Mixed, "atlas:txtar"),
    mark(SQL_MIGRATE, Direction::Down, "+migrate down"),
    mark(SQL_MIGRATE, Direction::Up, "+migrate"),
    mark(LIQUIBASE, Direction::Up, "liquibase formatted sql"),
    mark(TERN, Direction::Down, "create above / drop below"),
    mark(NODE_PG_MIGRATE, Direction::Down, "down migration"),
    mark(NODE_PG_MIGRATE, Direction::Up, "up migration"),
];

/// The marks in a text with their lines.
fn marks(text: &str) -> impl Iterator<Item = (&'static Mark, usize)> {
    line_comments(text).filter_map(|comment| {
        let words = comment.text.trim_start_matches('-').trim_start().to_ascii_lowercase();
        let mark = MARKS.iter().find(|mark| words.starts_with(mark.words))?;
        Some((mark, comment.line))
    })
}
