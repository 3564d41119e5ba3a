//! Changes parts of a statement's text and keeps everything else, comments included.

use super::tokens::{StatementToken, Tokens};

/// Replaces a part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    start: usize,
    end: usize,
    new: String,
}

pub(super) fn insert_after(token: &StatementToken<'_>, new: &str) -> Edit {
    Edit { start: token.end(), end: token.end(), new: new.to_owned() }
}

pub(super) fn replace(token: &StatementToken<'_>, new: &str) -> Edit {
    Edit { start: token.start, end: token.end(), new: new.to_owned() }
}

/// Replaces consecutive tokens.
pub(super) fn replace_all(tokens: Tokens<'_>, new: &str) -> Option<Edit> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    Some(Edit { start: first.start, end: last.end(), new: new.to_owned() })
}

/// Removes tokens with the white space before them. A comment before them stays.
pub(super) fn remove(tokens: Tokens<'_>) -> Option<Edit> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    let blank = first.gap.chars().all(char::is_whitespace);
    let start = if blank { first.start - first.gap.len() } else { first.start };
    Some(Edit { start, end: last.end(), new: String::new() })
}

/// Returns the text after the edits. Of two edits of the same part, the first one counts.
pub(super) fn apply(sql: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.start);
    let mut text = String::with_capacity(sql.len());
    let mut end = 0;
    for edit in edits.iter().filter(|edit| edit.start <= edit.end) {
        if edit.start < end {
            continue;
        }
        text.push_str(&sql[end..edit.start]);
        text.push_str(&edit.new);
        end = edit.end;
    }
    text.push_str(&sql[end..]);
    text
}
