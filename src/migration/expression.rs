//! Expressions that the server is to print.
//!
//! The catalog contains expressions in the form in which the server prints them, not as the author
//! wrote them. To compare the two, the server prints both. Knows no SQL.

/// An expression or a query, as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expression {
    /// What its names refer to.
    pub scope: ExpressionScope,
    /// The text.
    pub text: String,
}

/// What the names in an expression refer to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpressionScope {
    /// It contains no names of columns.
    Constant,
    /// The columns of the table with this name, quoted for SQL.
    Table(String),
    /// A value of the type with this name, called `value`.
    Value(String),
    /// It is a query.
    Query {
        /// The names of its columns, quoted for SQL, if it does not define them.
        columns: Option<String>,
    },
}
