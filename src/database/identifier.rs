//! Names as SQL writes them.

/// Quotes a name, if SQL would otherwise read another one.
#[must_use]
pub fn quoted_identifier(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { name.to_owned() } else { postgres_protocol::escape::escape_identifier(name) }
}
