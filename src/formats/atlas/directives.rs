//! The comments at the top of a file that Atlas reads as directives.

use crate::formats::read;

/// A comment such as `-- atlas:txmode none`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Directive {
    /// The file contains the whole schema up to its version.
    Checkpoint,
    /// `txmode none`.
    NoTransaction,
    /// The text that ends a statement in addition to a semicolon.
    Delimiter(String),
    /// A directive that does not affect how the file runs, for example `nolint`.
    Other,
}

/// The directives of a file. They are in the comments before the first empty line; a comment
/// directly above the first statement belongs to the statement.
pub(super) fn at_top(text: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    for line in read::lines(text) {
        if line.text.trim().is_empty() {
            return found;
        }
        if !line.text.starts_with("--") {
            break;
        }
        found.extend(directive(line.text));
    }
    Vec::new()
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
    Some(match split(line)? {
        ("checkpoint", _) => Directive::Checkpoint,
        ("txmode", "none") => Directive::NoTransaction,
        ("delimiter", text) if !text.is_empty() => Directive::Delimiter(unescaped(text)),
        _ => Directive::Other,
    })
}

fn split(line: &str) -> Option<(&str, &str)> {
    let words = line.strip_prefix("--")?.trim_start().strip_prefix("atlas:")?;
    let (name, argument) = words.split_once(' ').unwrap_or((words, ""));
    Some((name, argument.trim()))
}

/// Replaces escapes: Atlas reads the delimiter as the inside of a Go string literal.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match (character, characters.as_str().chars().next()) {
            ('\\', Some(escaped @ ('n' | 'r' | 't' | '\\'))) => {
                characters.next();
                match escaped {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                }
            }
            (other, _) => other,
        });
    }
    plain
}
