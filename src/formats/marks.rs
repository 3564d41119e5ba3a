//! Comments by which tools mark the sections of a file, such as `-- +goose Up`.

use super::Format;
use super::error::{FormatError, SqlProblem};
use super::listing::Listing;
use crate::migration::Origin;
use crate::sql::{headings, line_comments};

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

/// A comment that begins a section.
#[derive(Debug)]
struct Mark {
    tool: Tool,
    direction: Direction,
    /// The beginning of the comment without its dashes, in lower case. Blanks do not count, because
    /// a mark with a blank too many still shows where a section was meant to begin.
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
const MYBATIS: Tool = Tool::Unsupported("MyBatis Migrations");
const PLAY: Tool = Tool::Unsupported("Play evolutions");
const MICRATE: Tool = Tool::Unsupported("micrate");
const RAMBLER: Tool = Tool::Unsupported("rambler");
const ANOTHER: Tool = Tool::Unsupported("another tool");

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
    mark(MYBATIS, Direction::Down, "@undo"),
    mark(MICRATE, Direction::Down, "+micrate down"),
    mark(MICRATE, Direction::Up, "+micrate"),
    mark(RAMBLER, Direction::Down, "rambler down"),
    mark(RAMBLER, Direction::Up, "rambler up"),
    // Play finds these anywhere in the comment.
    mark(PLAY, Direction::Down, "!downs"),
    mark(PLAY, Direction::Up, "!ups"),
];

/// Liquibase needs its first line only if it has to recognize the file by itself.
static CHANGESET: Mark = mark(LIQUIBASE, Direction::Up, "changeset");

/// Comments that consist of these letters are marks if a statement that could revert something is
/// below them. sqlite for Node.js and shmig write `-- Down` and `-- ==== DOWN ====`; the others are
/// misspelled. They do not identify a tool.
static BARE_MARKS: &[Mark] = &[
    mark(GOOSE, Direction::Down, "goosedown"),
    mark(DBMATE, Direction::Down, "migratedown"),
    mark(MICRATE, Direction::Down, "micratedown"),
    mark(ANOTHER, Direction::Down, "down"),
    mark(ANOTHER, Direction::Down, "downs"),
];

/// The first words of statements that could revert something.
static REVERTING: &[&str] = &["ALTER", "DELETE", "DROP", "REVOKE", "TRUNCATE"];

/// The marks in a text with their lines.
fn marks(text: &str) -> impl Iterator<Item = (&'static Mark, usize)> {
    line_comments(text).filter_map(|comment| {
        let words =
            comment.text.trim_start_matches(['-', '#', '/', ' ', '\t']).to_ascii_lowercase();
        let squeezed = without_blanks(&words);
        let is_found = |mark: &&Mark| {
            let expected = without_blanks(mark.words);
            let is_anywhere = expected.starts_with('!') && squeezed.contains(&expected);
            is_anywhere || squeezed.starts_with(&expected)
        };
        let changeset = || is_changeset(&words).then_some(&CHANGESET);
        let mark = MARKS.iter().find(is_found).or_else(changeset)?;
        Some((mark, comment.line))
    })
}

fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Whether a comment is `changeset author:id`.
fn is_changeset(words: &str) -> bool {
    let mut words = words.split_whitespace();
    let identifies = |word: &str| {
        word.split_once(':').is_some_and(|(author, id)| !author.is_empty() && !id.is_empty())
    };
    words.next() == Some("changeset") && words.next().is_some_and(identifies)
}

/// The marks in a text that could also be plain words, with their lines.
fn bare_marks(text: &str) -> impl Iterator<Item = (&'static Mark, usize)> {
    headings(text).into_iter().filter_map(|(comment, first_word)| {
        if !REVERTING.iter().any(|word| first_word.eq_ignore_ascii_case(word)) {
            return None;
        }
        let letters: String = comment.text.chars().filter(|c| c.is_alphanumeric()).collect();
        let mark = BARE_MARKS.iter().find(|mark| letters.eq_ignore_ascii_case(mark.words))?;
        Some((mark, comment.line))
    })
}
