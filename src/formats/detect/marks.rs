//! What tools write into files: the comments by which they tell their parts.

use super::{Format, FormatError, Listing, Says, Sign};
use crate::migration::Origin;
use crate::sql::line_comments;

/// Refuses a text in which a tool's mark begins a part that undoes the migration.
pub(in super::super) fn check_down_sections(
    file: &str,
    first_line: usize,
    text: &str,
) -> Result<(), FormatError> {
    match marks(text).find(|(mark, _)| mark.direction == Direction::Down) {
        None => Ok(()),
        Some((mark, line)) => Err(FormatError::DownSection {
            origin: Origin { file: file.to_owned(), line: first_line + line - 1 },
            tool: mark.says.tool(),
        }),
    }
}

/// The first mark of each file.
pub(super) fn of_files(listing: &Listing) -> Vec<Sign> {
    let sources = listing.sql.iter();
    sources
        .filter_map(|source| {
            let (mark, line) = marks(source.text.as_ref().ok()?).next()?;
            let found = format!("`{}` at {}:{line}", mark.words, source.file);
            Some(Sign { says: mark.says, found })
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// A comment by which a tool tells the parts of a file.
#[derive(Debug)]
struct Mark {
    says: Says,
    direction: Direction,
    /// Lower case; the comment begins with it after its dashes and blanks.
    words: &'static str,
}

const fn mark(says: Says, direction: Direction, words: &'static str) -> Mark {
    Mark { says, direction, words }
}

const GOOSE: Says = Says::Format(Format::Goose);
const DBMATE: Says = Says::Format(Format::Dbmate);
const SQL_MIGRATE: Says = Says::Unsupported("sql-migrate");
const LIQUIBASE: Says = Says::Unsupported("Liquibase");
const TERN: Says = Says::Unsupported("tern");
const NODE_PG_MIGRATE: Says = Says::Unsupported("node-pg-migrate");

static MARKS: &[Mark] = &[
    mark(GOOSE, Direction::Down, "+goose down"),
    mark(GOOSE, Direction::Up, "+goose"),
    mark(DBMATE, Direction::Down, "migrate:down"),
    mark(DBMATE, Direction::Up, "migrate:up"),
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
