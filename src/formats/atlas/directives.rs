//! What comments at the top of a file tell Atlas.

use super::super::read;

/// A comment such as `-- atlas:txmode none`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Directive {
    /// The file holds the whole schema up to there.
    Checkpoint,
    /// `txmode none`.
    NoTransaction,
    /// What ends a statement instead of a semicolon.
    Delimiter(String),
    /// One that changes nothing here, for example `nolint`.
    Other,
}

/// The directives of a file. They stand in the comments before the first empty
/// line; a comment that touches the first statement belongs to the statement.
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

/// Whether the first line of a file keeps it out of `atlas.sum`.
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

/// Atlas reads the delimiter as the inside of a string of Go.
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
