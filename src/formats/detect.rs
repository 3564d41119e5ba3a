//! Which tool a directory was made for.
//!
//! Numbered files are what most tools have, so plain is only what no other tool has marked. A
//! directory that another tool has marked is an error: read as plain, its down parts would run.

use super::listing::Listing;
use super::{Format, FormatError};
use crate::migration::Origin;
use crate::sql::line_comments;

/// A file that only one tool writes.
struct Marker {
    file: &'static str,
    tool: &'static str,
    /// The format, if it can be read.
    format: Option<Format>,
}

static MARKERS: &[Marker] = &[
    Marker { file: "meta/_journal.json", tool: "Drizzle", format: Some(Format::Drizzle) },
    Marker { file: "atlas.sum", tool: "Atlas", format: None },
    Marker { file: "migration_lock.toml", tool: "Prisma", format: None },
];

/// Tells the format of a directory.
///
/// Files that name their tool count more than names of SQL files, and these more than what is
/// written inside.
pub(super) fn format(listing: &Listing) -> Result<Format, FormatError> {
    if let Some(format) = format_of_marker_files(listing)? {
        return Ok(format);
    }
    let foreign = tool_of_nested_files(listing)
        .or_else(|| tool_of_file_names(listing))
        .or_else(|| tool_of_marks(listing));
    match foreign {
        None => Ok(Format::Plain),
        Some((tool, sign)) => {
            Err(FormatError::UnsupportedFormat { dir: listing.dir.clone(), tool, sign })
        }
    }
}

/// Refuses a file in which another tool's mark begins a part that undoes the migration.
pub(super) fn check_down_sections(file: &str, text: &str) -> Result<(), FormatError> {
    match marks(text).find(|(mark, _)| mark.direction == Direction::Down) {
        None => Ok(()),
        Some((mark, line)) => Err(FormatError::DownSection {
            origin: Origin { file: file.to_owned(), line },
            tool: mark.tool,
        }),
    }
}

/// Whether a file undoes a migration, by its name.
pub(super) fn is_down_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".down.sql") || name == "down.sql"
}

fn format_of_marker_files(listing: &Listing) -> Result<Option<Format>, FormatError> {
    let dir = || listing.dir.clone();
    let mut found = MARKERS.iter().filter(|marker| listing.holds(marker.file));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => {
            Err(FormatError::AmbiguousFormat { dir: dir(), first: first.tool, second: second.tool })
        }
        (Some(Marker { format: Some(format), .. }), None) => Ok(Some(*format)),
        (Some(Marker { tool, file, format: None }), None) => {
            Err(FormatError::UnsupportedFormat { dir: dir(), tool, sign: quoted(file) })
        }
        // Snapshots without a journal: Drizzle, whose reader says what is missing.
        (None, _) if listing.nested.iter().any(|path| is_drizzle_snapshot(path)) => {
            Ok(Some(Format::Drizzle))
        }
        (None, _) => Ok(None),
    }
}

fn is_drizzle_snapshot(path: &str) -> bool {
    path.starts_with("meta/") && path.ends_with("_snapshot.json")
}

/// A tool and what gave it away.
type Foreign = (&'static str, String);

/// Drizzle v1 and Prisma have a directory for each migration.
fn tool_of_nested_files(listing: &Listing) -> Option<Foreign> {
    listing.nested.iter().find_map(|path| {
        let (folder, file) = path.rsplit_once('/')?;
        let tool = match file {
            "ops.json" => "Prisma Next",
            "migration.sql" if !begins_with_timestamp(folder) => "Prisma",
            "migration.sql" if listing.holds(&format!("{folder}/snapshot.json")) => "Drizzle v1",
            "migration.sql" => "Drizzle v1 or Prisma",
            _ => return None,
        };
        Some((tool, quoted(path)))
    })
}

fn tool_of_file_names(listing: &Listing) -> Option<Foreign> {
    listing.files.iter().find_map(|file| Some((tool_of_name(file)?, quoted(file))))
}

fn tool_of_marks(listing: &Listing) -> Option<Foreign> {
    listing.sql.iter().find_map(|source| {
        let (mark, line) = marks(source.text.as_ref().ok()?).next()?;
        Some((mark.tool, format!("`{}` at {}:{line}", mark.words, source.file)))
    })
}

fn quoted(path: &str) -> String {
    format!("`{path}`")
}

fn begins_with_timestamp(folder: &str) -> bool {
    let digits = folder.bytes().take_while(u8::is_ascii_digit).count();
    digits == 14 && folder[digits..].starts_with('_')
}

fn tool_of_name(name: &str) -> Option<&'static str> {
    let stem = name.strip_suffix(".sql")?;
    if stem.ends_with(".up") || stem.ends_with(".down") {
        return Some("golang-migrate or sqlx");
    }
    let (prefix, _) = stem.split_once("__")?;
    let mut version = prefix.strip_prefix(['V', 'U', 'R', 'B'])?.chars();
    let is_version = version.all(|part| part.is_ascii_digit() || part == '_' || part == '.');
    is_version.then_some("Flyway or refinery")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// A comment by which a tool tells the parts of a file.
#[derive(Debug)]
struct Mark {
    tool: &'static str,
    direction: Direction,
    /// Lower case; the comment begins with it after its dashes and blanks.
    words: &'static str,
}

const fn mark(tool: &'static str, direction: Direction, words: &'static str) -> Mark {
    Mark { tool, direction, words }
}

static MARKS: &[Mark] = &[
    mark("goose", Direction::Down, "+goose down"),
    mark("goose", Direction::Up, "+goose"),
    mark("dbmate", Direction::Down, "migrate:down"),
    mark("dbmate", Direction::Up, "migrate:up"),
    mark("sql-migrate", Direction::Down, "+migrate down"),
    mark("sql-migrate", Direction::Up, "+migrate"),
    mark("Liquibase", Direction::Up, "liquibase formatted sql"),
    mark("tern", Direction::Down, "create above / drop below"),
    mark("node-pg-migrate", Direction::Down, "down migration"),
    mark("node-pg-migrate", Direction::Up, "up migration"),
];

/// The marks in a file with their lines.
fn marks(text: &str) -> impl Iterator<Item = (&'static Mark, usize)> {
    line_comments(text).filter_map(|comment| {
        let words = comment.text.trim_start_matches('-').trim_start().to_ascii_lowercase();
        let mark = MARKS.iter().find(|mark| words.starts_with(mark.words))?;
        Some((mark, comment.line))
    })
}

#[cfg(test)]
mod tests;
