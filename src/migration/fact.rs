//! What can be asked of a catalog about the objects that a statement names.
//!
//! `sql` reads from a statement which facts it changes, `database` asks the catalog for them, the
//! engine judges from the answers whether a statement was applied. Knows no SQL.

use std::collections::BTreeMap;
use std::fmt;

/// The name of an object as a statement writes it, without quotes and folded as the server does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// Its schema, where the statement says it; otherwise the search path decides.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

impl QualifiedName {
    /// The same schema, another name: where an index or a renamed object lives.
    #[must_use]
    pub fn beside(&self, name: String) -> Self {
        Self { schema: self.schema.clone(), name }
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{}.{}", quoted(schema), quoted(&self.name)),
            None => f.write_str(&quoted(&self.name)),
        }
    }
}

/// An object of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactSubject {
    /// A schema.
    Schema(String),
    /// A table, view, sequence or index: they share their names.
    Relation(QualifiedName),
    /// A column of a table.
    Column(QualifiedName, String),
    /// A constraint of a table.
    Constraint(QualifiedName, String),
    /// A domain.
    Domain(QualifiedName),
    /// All functions of one name.
    Routine(QualifiedName),
    /// A role.
    Role(String),
}

impl fmt::Display for FactSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(name) => write!(f, "schema {}", quoted(name)),
            Self::Relation(name) => write!(f, "relation {name}"),
            Self::Column(table, name) => write!(f, "column {table}.{}", quoted(name)),
            Self::Constraint(table, name) => write!(f, "constraint {} of {table}", quoted(name)),
            Self::Domain(name) => write!(f, "domain {name}"),
            Self::Routine(name) => write!(f, "function {name}"),
            Self::Role(name) => write!(f, "role {}", quoted(name)),
        }
    }
}

/// One question to the catalog, answered with a text, or with nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// Whether the object is there, answered with what identifies it: an object that was dropped
    /// and made again is another one, a renamed one is the same.
    Identity(FactSubject),
    /// How it is defined, as far as an `ALTER` can change it.
    Definition(FactSubject),
    /// Who owns it.
    Owner(FactSubject),
    /// Who may do what with it; of a table also with its columns.
    Privileges(FactSubject),
    /// Its comment.
    Comment(FactSubject),
    /// The columns of a table, in their order.
    Columns(QualifiedName),
    /// The table, the uniqueness and the key columns of an index, if they are plain columns.
    Key(QualifiedName),
    /// Whether an index is complete, so that queries use it.
    Valid(QualifiedName),
    /// All constraints of a table: the server invents a name where a statement gives none.
    Constraints(QualifiedName),
    /// All indexes of a table, for the same reason.
    Indexes(QualifiedName),
    /// Whether a constraint is validated.
    Validated(QualifiedName, String),
    /// The privileges on all relations of a schema.
    PrivilegesIn(String),
    /// The AWS identities that may log in as a role.
    Identities(String),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(object) => write!(f, "{object}"),
            Self::Definition(object) => write!(f, "definition of {object}"),
            Self::Owner(object) => write!(f, "owner of {object}"),
            Self::Privileges(object) => write!(f, "privileges on {object}"),
            Self::Comment(object) => write!(f, "comment on {object}"),
            Self::Columns(table) => write!(f, "columns of {table}"),
            Self::Key(index) => write!(f, "key of {index}"),
            Self::Valid(index) => write!(f, "validity of index {index}"),
            Self::Constraints(table) => write!(f, "constraints of {table}"),
            Self::Indexes(table) => write!(f, "indexes of {table}"),
            Self::Validated(table, name) => {
                write!(f, "validity of constraint {} of {table}", quoted(name))
            }
            Self::PrivilegesIn(schema) => {
                write!(f, "privileges on the relations of {}", quoted(schema))
            }
            Self::Identities(role) => write!(f, "AWS identities of role {}", quoted(role)),
        }
    }
}

/// The catalog's answers: fact, as it displays, to text. What is not there has no entry.
pub type Facts = BTreeMap<String, String>;

fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_different_objects_never_read_the_same() {
        let dotted = QualifiedName { schema: None, name: "a.b".into() };
        let qualified = QualifiedName { schema: Some("a".into()), name: "b".into() };
        assert_eq!(Fact::Columns(dotted).to_string(), "columns of \"a.b\"");
        assert_eq!(Fact::Columns(qualified).to_string(), "columns of a.b");
    }
}
