//! The comments at the top of a file that Atlas reads as directives.

use crate::formats::read;
use crate::sql;

/// A comment such as `-- atlas:txmode none`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Directive {
    /// The file contains the whole schema up to its version.
    Checkpoint,
    /// `txmode none`.
    NoTransaction,
    /// A directive that does not affect how the file runs, for example `nolint`.
    Other,
}

/// The directives of a file. They are in the comments before the first empty line; a comment
/// directly above the first statement belongs to the statement. If the file contains nothing but
/// comments, all of them count.
pub(super) fn at_top(text: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    for line in read::lines(text) {
        if line.text.starts_with("--") || line.text.starts_with('#') {
            found.extend(directive(line.text));
        } else if line.text.trim().is_empty() {
            break;
        } else {
            return Vec::new();
        }
    }
    found
}

/// The delimiter that the first line of a file sets, and the text below that line.
pub(super) fn delimiter(text: &str) -> Option<(String, &str)> {
    let first = read::lines(text).next()?;
    match split(first.text.strip_prefix("-- ")?)? {
        ("delimiter", written) if first.text.starts_with("-- atlas:") && !written.is_empty() => {
            Some((sql::unescaped(written), &text[first.end..]))
        }
        _ => None,
    }
}

/// Whether a file holds several files. Unlike other directives, this one counts even directly above
/// other text: if it were overlooked, SQL that reverts the migration would run.
pub(super) fn is_archive(text: &str) -> bool {
    let comments = read::lines(text).map(|line| line.text).take_while(|line| {
        let words = line.trim_start();
        words.is_empty() || words.starts_with("--")
    });
    comments.filter_map(split).any(|(name, _)| name == "txtar")
}

/// Whether the first line of a file excludes it from `atlas.sum`.
pub(super) fn is_unsealed(text: &str) -> bool {
    let first = read::lines(text).next();
    first.is_some_and(|line| split(line.text).is_some_and(|parts| parts == ("sum", "ignore")))
}

fn directive(line: &str) -> Option<Directive> {
    Some(match split(line.trim())? {
        ("checkpoint", _) => Directive::Checkpoint,
        ("txmode", "none") => Directive::NoTransaction,
        _ => Directive::Other,
    })
}

/// The name and the argument of a directive. Atlas accepts any text before the last `atlas:`.
fn split(line: &str) -> Option<(&str, &str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (before, words) = line
        .rmatch_indices("atlas:")
        .map(|(at, it)| (&line[..at], &line[at + it.len()..]))
        .find(|(_, words)| words.starts_with(is_word))?;
    if !before.chars().all(|c| (' '..='~').contains(&c)) {
        return None;
    }
    let (name, rest) = words.split_at(words.find(|c| !is_word(c)).unwrap_or(words.len()));
    let argument = if rest.starts_with(' ') { rest.trim_start_matches(' ') } else { "" };
    Some((name, argument))
}
