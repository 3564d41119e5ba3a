//! Strings that are continued on another line.

use std::borrow::Cow;

/// Joins the parts of a string that is continued on another line, which dsql-lint cannot read. All
/// positions stay the same.
pub(super) fn in_one_piece(string: &str) -> Cow<'_, str> {
    let Some(open) = string.find('\'').filter(|_| !string.starts_with('$')) else {
        return string.into();
    };
    let escapes = string.starts_with(['e', 'E']);
    let mut joined = string.as_bytes().to_vec();
    let (mut at, mut end) = (open + 1, None);
    while at < joined.len() {
        match (joined[at], end) {
            // The closing quote of the part before, and the opening one of the next.
            (b'\'', Some(closing)) if at > closing + 1 => {
                joined[closing] = b' ';
                joined[at] = b' ';
                end = None;
            }
            (b'\'', Some(_)) => end = None,
            (b'\'', None) => end = Some(at),
            (b'\\', None) if escapes => at += 1,
            _ => {}
        }
        at += 1;
    }
    String::from_utf8(joined).map_or(string.into(), Cow::Owned)
}
