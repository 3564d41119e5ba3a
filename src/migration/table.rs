//! A table of the database as text, such as the history table of another tool.
//!
//! `database` finds and reads it, and `formats` interprets it. Knows no SQL.

use super::fact::QualifiedName;

/// A table with some of its columns and, after it was read, its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, with its schema.
    pub name: QualifiedName,
    /// Names of its columns, in any order.
    pub columns: Vec<String>,
    /// The values of each row in the order of `columns`, as the server prints them.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// Whether it has all of these columns.
    #[must_use]
    pub fn has(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.columns.iter().any(|name| name == column))
    }

    /// The rows, with access to their values by column name.
    pub fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        self.rows.iter().map(|values| TableRow { columns: &self.columns, values })
    }
}

/// One row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct TableRow<'a> {
    columns: &'a [String],
    values: &'a [Option<String>],
}

impl<'a> TableRow<'a> {
    /// The value of a column; `None` if it is null or the table does not have the column.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&'a str> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.values.get(index)?.as_deref()
    }

    /// Whether a column is true, as a boolean or as a number.
    #[must_use]
    pub fn is_true(&self, column: &str) -> bool {
        matches!(self.text(column), Some("t" | "true" | "1"))
    }
}
