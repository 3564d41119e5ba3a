//! Names as the server stores them: at most 63 bytes long.
//!
//! PostgreSQL truncates a longer name, also in references to an object. Code that compares a name
//! of a statement with a name of the catalog therefore truncates it first, which
//! `StatementToken::identifier` does for all of it.

/// Length of the longest name in bytes: `NAMEDATALEN - 1` of PostgreSQL.
pub(super) const MAX_BYTES: usize = 63;

/// Truncates a name as `truncate_identifier` of PostgreSQL does, at the end of a character.
pub(super) fn truncated(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(MAX_BYTES));
    name
}

/// Joins a table, its columns and a label to the name of an index or a constraint, as
/// `makeObjectName` of PostgreSQL does. If the name is too long, the longer part is shortened. The
/// server appends a number to the label if the name is not free.
pub(super) fn generated(table: &str, columns: Option<&str>, label: &str) -> String {
    let separators = 1 + usize::from(columns.is_some());
    let available = MAX_BYTES.saturating_sub(label.len() + separators);
    let (mut first, mut second) = (table.len(), columns.map_or(0, str::len));
    while first + second > available {
        if first > second { first -= 1 } else { second -= 1 }
    }
    let table = &table[..table.floor_char_boundary(first)];
    match columns {
        Some(columns) => {
            format!("{table}_{}_{label}", &columns[..columns.floor_char_boundary(second)])
        }
        None => format!("{table}_{label}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_truncated_to_63_bytes_at_the_end_of_a_character() {
        let short = "a".repeat(63);
        assert_eq!(truncated(short.clone()), short);
        assert_eq!(truncated(format!("{short}b")), short);
        assert_eq!(truncated("ä".repeat(40)), "ä".repeat(31));
        assert_eq!(truncated(format!("a{}", "ä".repeat(40))), format!("a{}", "ä".repeat(31)));
        assert_eq!(truncated("😀".repeat(16)), "😀".repeat(15));
    }

    #[test]
    fn a_generated_name_shortens_the_longer_part() {
        assert_eq!(generated("t", Some("a_b"), "idx"), "t_a_b_idx");
        assert_eq!(generated("t", None, "pkey"), "t_pkey");
        let (table, column) = ("t".repeat(60), "c".repeat(40));
        assert_eq!(
            generated(&table, Some(&column), "idx"),
            format!("{}_{}_idx", "t".repeat(29), "c".repeat(29))
        );
        assert_eq!(generated(&table, Some("id"), "key"), format!("{}_id_key", "t".repeat(56)));
        assert_eq!(generated(&table, None, "pkey"), format!("{}_pkey", "t".repeat(58)));
        assert_eq!(generated(&"ä".repeat(31), None, "pkey"), format!("{}_pkey", "ä".repeat(29)));
    }
}
