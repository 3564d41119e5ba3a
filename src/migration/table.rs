//! A table of the database as text, such as the history table of another tool.
//!
//! `database` finds and reads it, and `formats` interprets it. Knows no SQL.

use super::fact::QualifiedName;

/// A table with some of its columns and, after it was read, its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, with its schema.
    pub name: QualifiedName,
    /// Its columns, in any order.
    pub columns: Vec<TableColumn>,
    /// The values of each row in the order of `columns`, as the server prints them.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name, without quotes.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
}

/// The types that are distinguished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// `boolean`.
    Boolean,
    /// A number of any type.
    Number,
    /// A text of any type.
    Text,
    /// A point in time, or a date.
    Time,
    /// `bytea`.
    Bytes,
    /// Any other type.
    Other,
}

impl ColumnKind {
    /// Classifies a type by its name in the catalog, without a length or a precision.
    #[must_use]
    pub fn of(type_name: &str) -> Self {
        match type_name {
            "boolean" => Self::Boolean,
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => {
                Self::Number
            }
            "text" | "character varying" | "character" | "bpchar" => Self::Text,
            "date" | "timestamp without time zone" | "timestamp with time zone" => Self::Time,
            "bytea" => Self::Bytes,
            _ => Self::Other,
        }
    }
}

impl Table {
    /// Whether it has all of these columns.
    #[must_use]
    pub fn has(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.kind(column).is_some())
    }

    /// What the values of a column are; `None` if the table does not have the column.
    #[must_use]
    pub fn kind(&self, column: &str) -> Option<ColumnKind> {
        self.columns.iter().find(|it| it.name == column).map(|it| it.kind)
    }

    /// The rows, with access to their values by column name.
    pub fn rows(&self) -> impl Iterator<Item = TableRow<'_>> {
        self.rows.iter().map(|values| TableRow { columns: &self.columns, values })
    }
}

/// One row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct TableRow<'a> {
    columns: &'a [TableColumn],
    values: &'a [Option<String>],
}

impl<'a> TableRow<'a> {
    /// The value of a column; `None` if it is null or the table does not have the column.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&'a str> {
        let index = self.columns.iter().position(|it| it.name == column)?;
        self.values.get(index)?.as_deref()
    }

    /// Whether a column is true, as a boolean or as a number.
    #[must_use]
    pub fn is_true(&self, column: &str) -> bool {
        matches!(self.text(column), Some("t" | "true" | "1"))
    }
}
