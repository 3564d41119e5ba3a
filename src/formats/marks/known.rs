//! The marks of each tool, and how a comment is recognized as one.

use super::{Direction, Tool};
use crate::formats::Format;

/// A comment that begins a section.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) tool: Tool,
    pub(super) direction: Direction,
    /// The beginning of the comment without its dashes, in lower case. Blanks do not count, because
    /// a mark with a blank too many still shows where a section was meant to begin.
    pub(super) words: &'static str,
    after: After,
}

/// What may follow the words of a mark in a comment that is not prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Only punctuation, because the words could be those of a sentence.
    Nothing,
    /// Options such as `transaction:false`.
    Options,
    /// Anything, if the mark is spelled as its tool requires; otherwise, options.
    Anything,
}

const fn mark(tool: Tool, direction: Direction, words: &'static str, after: After) -> Mark {
    Mark { tool, direction, words, after }
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

/// The words that identify the tool of a mark that is misspelled, and the mark.
static MISSPELLED: &[(&str, Mark)] = &[
    ("goose", mark(GOOSE, Direction::Down, "goose down", After::Nothing)),
    ("migrate", mark(DBMATE, Direction::Down, "migrate down", After::Nothing)),
    ("micrate", mark(MICRATE, Direction::Down, "micrate down", After::Nothing)),
];
static OF_ANOTHER_TOOL: Mark = mark(ANOTHER, Direction::Down, "down", After::Nothing);

pub(super) static MARKS: &[Mark] = &[
    mark(GOOSE, Direction::Down, "+goose down", After::Anything),
    mark(GOOSE, Direction::Up, "+goose up", After::Anything),
    mark(GOOSE, Direction::Up, "+goose statementbegin", After::Anything),
    mark(GOOSE, Direction::Up, "+goose statementend", After::Anything),
    mark(GOOSE, Direction::Up, "+goose no transaction", After::Anything),
    mark(GOOSE, Direction::Up, "+goose envsub", After::Anything),
    mark(DBMATE, Direction::Down, "migrate:down", After::Anything),
    mark(DBMATE, Direction::Up, "migrate:up", After::Anything),
    mark(ATLAS, Direction::Mixed, "atlas:txtar", After::Anything),
    mark(SQL_MIGRATE, Direction::Down, "+migrate down", After::Anything),
    mark(SQL_MIGRATE, Direction::Up, "+migrate up", After::Anything),
    mark(SQL_MIGRATE, Direction::Up, "+migrate statementbegin", After::Anything),
    mark(SQL_MIGRATE, Direction::Up, "+migrate statementend", After::Anything),
    mark(LIQUIBASE, Direction::Up, "liquibase formatted sql", After::Options),
    mark(TERN, Direction::Down, "create above / drop below", After::Nothing),
    mark(NODE_PG_MIGRATE, Direction::Down, "down migration", After::Nothing),
    mark(NODE_PG_MIGRATE, Direction::Up, "up migration", After::Nothing),
    mark(MYBATIS, Direction::Down, "@undo", After::Anything),
    mark(MICRATE, Direction::Down, "+micrate down", After::Anything),
    mark(MICRATE, Direction::Up, "+micrate up", After::Anything),
    mark(MICRATE, Direction::Up, "+micrate statementbegin", After::Anything),
    mark(MICRATE, Direction::Up, "+micrate statementend", After::Anything),
    mark(RAMBLER, Direction::Down, "rambler down", After::Nothing),
    mark(RAMBLER, Direction::Up, "rambler up", After::Nothing),
    mark(PLAY, Direction::Down, "!downs", After::Nothing),
    mark(PLAY, Direction::Up, "!ups", After::Nothing),
];

/// The marks that Play finds anywhere in a comment, if they are spelled like this.
static ANYWHERE: &[(&str, Mark)] = &[
    ("!Downs", mark(PLAY, Direction::Down, "!downs", After::Anything)),
    ("!Ups", mark(PLAY, Direction::Up, "!ups", After::Anything)),
];

/// Liquibase needs its first line only if it has to recognize the file by itself.
pub(super) static CHANGESET: Mark = mark(LIQUIBASE, Direction::Up, "changeset", After::Anything);

impl Mark {
    /// The mark that a heading with these words stands for.
    pub(super) fn of_heading(words: &[String]) -> &'static Self {
        let has = |wanted: &str| words.iter().any(|word| word == wanted);
        let misspelled = MISSPELLED.iter().find(|(word, _)| has(word));
        misspelled.map_or(&OF_ANOTHER_TOOL, |(_, mark)| mark)
    }

    /// Whether the words of a comment, in lower case, are those of the mark.
    pub(super) fn begins(&self, words: &str) -> bool {
        let Some(rest) = after_words(words, self.words) else { return false };
        let is_blank = |rest: &str| !rest.contains(char::is_alphanumeric);
        let is_option = |word: &str| word.contains(':') || word == "notransaction";
        let are_options = || rest.split_whitespace().all(is_option);
        // goose and sql-migrate accept several blanks between the words.
        let mut spaced = words.split_whitespace();
        let is_exact = words.starts_with(self.words)
            || self.words.split(' ').all(|word| spaced.next() == Some(word));
        match self.after {
            After::Nothing => is_blank(rest),
            _ if continues_word(rest) => false,
            After::Options => is_blank(rest) || are_options(),
            After::Anything => is_exact || is_blank(rest) || are_options(),
        }
    }
}

/// The text after the expected words, which may have other blanks.
fn after_words<'a>(text: &'a str, expected: &str) -> Option<&'a str> {
    let mut rest = text;
    for expected in expected.chars().filter(|c| !c.is_whitespace()) {
        rest = rest.trim_start().strip_prefix(expected)?;
    }
    Some(rest)
}

/// Whether a text continues the word before it.
fn continues_word(text: &str) -> bool {
    text.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '-'))
}

/// The mark that a comment contains as a word of its own.
pub(super) fn anywhere(comment: &str) -> Option<&'static Mark> {
    let is_found = |words: &str| {
        comment.match_indices(words).any(|(at, _)| {
            let is_own = comment[..at].ends_with(['-', '#', ' ', '\t']);
            is_own && !continues_word(&comment[at + words.len()..])
        })
    };
    ANYWHERE.iter().find(|(words, _)| is_found(words)).map(|(_, mark)| mark)
}
