//! Comments that consist of plain words such as `-- Down`, and are marks because of what is above
//! and below them.

use super::known::Mark;
use crate::sql::{self, Heading, headings};

/// Words for the direction that applies a migration.
const UP: &str = "up ups upgrade apply forward forwards deploy change migrate do";
/// Words for the other direction.
const DOWN: &str = "down downs";
/// Words that could also describe a step of a migration.
const REVERT: &str = "rollback undo revert downgrade unapply";
/// Words that could also describe rows, such as those of a link in both directions.
const REVERSE: &str = "reverse backward backwards";
/// Words that may accompany them.
const OTHER: &str = "migration migrations script scripts sql section step steps statement \
                     statements name direction for this goose migrate micrate";

/// A direction that the words of a heading name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Up,
    Down,
    Revert,
    Reverse,
}

impl Named {
    /// `None` if a comment has words of a sentence, too.
    fn of(words: &[String]) -> Option<Self> {
        let is = |list: &str, word: &str| list.split_whitespace().any(|it| it == word);
        let has = |list: &str| words.iter().any(|word| is(list, word));
        let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit());
        let consists_of = |lists: &[&str]| {
            let is_any = |word: &str| lists.iter().any(|list| is(list, word));
            words.iter().all(|word| is_any(word) || is(OTHER, word) || is_number(word))
        };
        if consists_of(&[UP]) && has(UP) {
            Some(Self::Up)
        } else if !consists_of(&[DOWN, REVERT, REVERSE]) {
            None
        } else if has(DOWN) {
            Some(Self::Down)
        } else if has(REVERT) {
            Some(Self::Revert)
        } else {
            has(REVERSE).then_some(Self::Reverse)
        }
    }

    /// Whether a heading begins a section that reverts the migration. `follows_up` and `has_up`
    /// mean that another heading names the opposite direction.
    fn is_mark(self, heading: &Heading<'_>, follows_up: bool, has_up: bool) -> bool {
        let Heading { statement, follows_statement, .. } = heading;
        match self {
            Self::Up => false,
            Self::Down => has_up || may_revert(statement) || begins_with(statement, &["ALTER"]),
            Self::Revert if follows_up => true,
            // At the top of a file, they may describe a migration that reverts an earlier one, or
            // one that first removes what it creates.
            Self::Revert => *follows_statement && may_revert(statement),
            Self::Reverse => {
                let changes_rows = begins_with(statement, &["DELETE", "UPDATE", "DO", "CALL"]);
                *follows_statement && may_revert(statement) && !changes_rows
            }
        }
    }
}

/// The marks in a text that could also be plain words, with their lines.
pub(super) fn bare_marks(text: &str) -> impl Iterator<Item = (&'static Mark, usize)> {
    let headings = headings(text).into_iter().filter_map(|heading| {
        let words = words(heading.comment.text);
        Some((heading, Named::of(&words)?, words))
    });
    let headings: Vec<_> = headings.collect();
    let first_up = headings.iter().position(|(_, named, _)| *named == Named::Up);
    headings.into_iter().enumerate().filter_map(move |(nth, (heading, named, words))| {
        let follows_up = first_up.is_some_and(|first| first < nth);
        named
            .is_mark(&heading, follows_up, first_up.is_some())
            .then(|| (Mark::of_heading(&words), heading.comment.line))
    })
}

/// The words of a comment in lower case.
fn words(comment: &str) -> Vec<String> {
    let comment = comment.to_lowercase().replace("roll back", "rollback");
    let words = comment.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let words = words.strip_prefix(&["to"]).unwrap_or(&words);
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whether a statement may revert what a migration has done. `ALTER TABLE … ENABLE TRIGGER` ends
/// what another statement of the same migration has begun.
fn may_revert(statement: &str) -> bool {
    let mut words = statement.split(|c: char| !c.is_alphanumeric() && c != '_');
    let mut removes = || {
        words
            .any(|word| ["DROP", "RENAME", "COLUMN"].iter().any(|it| word.eq_ignore_ascii_case(it)))
    };
    begins_with(statement, &["DROP", "DELETE", "UPDATE", "TRUNCATE", "REVOKE", "DO", "CALL"])
        || begins_with(statement, &["ALTER"]) && removes()
}

fn begins_with(statement: &str, words: &[&str]) -> bool {
    words.iter().any(|word| sql::begins_with(statement, word))
}
