//! Versions and names of files as a custom runner writes them, alone or together: `0002`,
//! `create_users`, `V2__create_users.sql`.

use super::columns::{self, Meaning};
use crate::formats::adopt::files::Key;
use crate::formats::listing::{base, stem};
use crate::migration::Migration;
use crate::migration::table::{Table, TableRow};

/// A version and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) number: Option<Key>,
    /// What follows the number.
    pub(super) name: String,
    /// Both.
    pub(super) whole: String,
}

impl Label {
    /// Parses the version or the name in a row.
    pub(super) fn of(text: &str) -> Self {
        let text = stem(base(text));
        let whole = normalized(text);
        let rest = text.strip_prefix(['V', 'v', 'U', 'u', 'B', 'b']);
        let rest = rest.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        // Flyway writes a point as an underscore.
        let split = rest.and_then(|rest| rest.split_once("__"));
        let (number, name) = match split {
            Some((number, name)) => (number.replace('_', "."), name),
            None => {
                let text = rest.unwrap_or(text);
                let is_number = |c: char| c.is_ascii_digit() || c == '.';
                let (number, name) =
                    text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
                (number.trim_end_matches('.').to_owned(), name)
            }
        };
        match Key::number(&number) {
            Some(number) => Self { number: Some(number), name: normalized(name), whole },
            None => Self { number: None, name: whole.clone(), whole },
        }
    }

    /// The label of a file. `number` is its version, if all versions are numbers.
    pub(super) fn of_file(migration: &Migration, number: Option<Key>) -> Self {
        // A version that is a name is that of a directory, whose files have other names.
        let text = if number.is_some() { &migration.file } else { &migration.version.0 };
        Self { number, ..Self::of(text) }
    }

    /// Whether a text in a row can be for this file.
    pub(super) fn is_named(&self, row: &Self) -> bool {
        let is_numbered = row.number.is_none() || row.number == self.number;
        row.whole == self.whole
            || row.whole == self.name
            || is_numbered && (row.name.is_empty() || row.name == self.name)
    }

    /// Whether a text in a row has the name of this file, under any number.
    pub(super) fn has_name_of(&self, row: &Self) -> bool {
        !self.name.is_empty() && (row.name == self.name || row.whole == self.name)
    }
}

/// The texts of a row that identify its file.
pub(super) struct RowNames<'a> {
    pub(super) version: &'a str,
    /// The columns with names, and their values.
    pub(super) columns: Vec<(&'a str, &'a str)>,
}

impl<'a> RowNames<'a> {
    pub(super) fn of(table: &'a Table, row: TableRow<'a>) -> Self {
        let names = columns::with(table, Meaning::Name).map(|column| column.name.as_str());
        let columns = names.filter_map(|name| Some((name, row.text(name)?)));
        // A column such as `script` may have the SQL instead.
        let is_name = |name: &str| !name.is_empty() && !name.contains(['\n', ';']);
        let columns = columns.filter(|(_, name)| is_name(name)).collect();
        Self { version: row.text("version").unwrap_or_default(), columns }
    }

    /// The columns and their values, the version first.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        [("version", self.version)].into_iter().chain(self.columns.iter().copied())
    }
}

/// Ignores what people and runners write differently.
fn normalized(stem: &str) -> String {
    let stem = stem.strip_suffix(".up").unwrap_or(stem).to_ascii_lowercase();
    let words = stem.split(['_', '-', ' ', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_name_are_found_in_any_spelling() {
        for (text, number, name) in [
            ("0002", Some("2"), ""),
            ("0002_create-users.sql", Some("2"), "create_users"),
            ("V2__Create users.sql", Some("2"), "create_users"),
            ("V2_1__x", Some("2.1"), "x"),
            ("2.1_x", Some("2.1"), "x"),
            ("v2", Some("2"), ""),
            ("db/000002_a.up.sql", Some("2"), "a"),
            ("users", None, "users"),
            ("vendors", None, "vendors"),
            ("0002.sql", Some("2"), ""),
        ] {
            let label = Label::of(text);
            let number = number.and_then(Key::number);
            assert_eq!((label.number, label.name.as_str()), (number, name), "{text}");
        }
    }
}
