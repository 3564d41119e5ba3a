//! Names that contain values of variables. The ledger does not have the values.

/// Stands for the value of a variable. A letter, so that it is a part of the name.
const WILDCARD: char = '\u{e000}';

/// Whether a summary contains variables.
pub(super) fn has_values(summary: &str) -> bool {
    summary.contains("${")
}

/// The text of a statement with a wildcard in place of each variable.
pub(super) fn with_wildcards(summary: &str) -> String {
    let mut parts = summary.split("${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push(WILDCARD);
        text.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    text
}

/// Whether a name contains a wildcard.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(WILDCARD)
}

/// Whether a pattern consists of wildcards alone.
pub(super) fn matches_all(pattern: &str) -> bool {
    pattern.chars().all(|character| character == WILDCARD)
}

/// Whether a name is one of those that a pattern stands for.
pub(super) fn is_like(name: &str, pattern: &str) -> bool {
    let Some((begin, pattern)) = pattern.split_once(WILDCARD) else { return name == pattern };
    let Some(mut rest) = name.strip_prefix(begin) else { return false };
    let (middle, end) = pattern.rsplit_once(WILDCARD).unwrap_or(("", pattern));
    for part in middle.split(WILDCARD) {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_any_text() {
        let is_like = |name: &str, pattern: &str| is_like(name, &with_wildcards(pattern));
        assert!(is_like("team_orders", "${p}_orders") && is_like("orders_team", "orders_${p}"));
        assert!(is_like("a_team_b_one_c", "a_${p}_b_${q}_c") && is_like("orders", "orders"));
        assert!(!is_like("team_order", "${p}_orders") && !is_like("orders", "${p}_orders"));
        assert!(!is_like("a_team_c_one_c", "a_${p}_b_${q}_c") && !is_like("orders", "order"));
        assert!(is_like("orders", "${p}") && matches_all(&with_wildcards("${p}")));
    }
}
