//! Names and strings as SQL writes them.

/// Quotes a name, if SQL would otherwise read another one.
#[must_use]
pub fn quoted_identifier(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Returns a string constant for a message. A query needs one that is safe whatever the settings of
/// the session are.
#[must_use]
pub fn quoted_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
