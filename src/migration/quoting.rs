//! Names and strings as SQL writes them.

/// Quotes a name, if SQL would otherwise read another one.
#[must_use]
pub fn quoted_identifier(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Reads a name that [`quoted_identifier`] has written, and returns it with the rest of the text.
pub(super) fn read_identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (name, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
        let is_plain = !name.is_empty() && quoted_identifier(name) == name;
        return is_plain.then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        if character != '"' {
            name.push(character);
            continue;
        }
        let rest = &quoted[at + 1..];
        if !rest.starts_with('"') {
            return Some((name, rest));
        }
        name.push('"');
        characters.next();
    }
    None
}

/// Returns a string constant for a message. A query needs one that is safe whatever the settings of
/// the session are.
#[must_use]
pub fn quoted_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
