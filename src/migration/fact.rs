//! Facts that a catalog can report about the objects that a statement names.
//!
//! `sql` finds the facts that a statement changes, `database` reads them from the catalog, and the
//! engine decides from them whether a statement was applied. Knows no SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::quoting::{quoted_identifier, read_identifier};

/// The name of an object as a statement refers to it, without quotes and with case folded as the
/// server does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// Its schema, if the statement specifies it; otherwise, the search path decides.
    pub schema: Option<String>,
    /// Name within the schema.
    pub name: String,
}

impl QualifiedName {
    /// Parses what [`Display`](fmt::Display) prints.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, rest) = read_identifier(text)?;
        let Some(rest) = rest.strip_prefix('.') else {
            return rest.is_empty().then_some(Self { schema: None, name: first });
        };
        let (name, rest) = read_identifier(rest)?;
        rest.is_empty().then_some(Self { schema: Some(first), name })
    }

    /// Another name in the same schema, for example of an index or a renamed object.
    #[must_use]
    pub fn sibling(&self, name: String) -> Self {
        Self { schema: self.schema.clone(), name }
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => {
                write!(f, "{}.{}", quoted_identifier(schema), quoted_identifier(&self.name))
            }
            None => f.write_str(&quoted_identifier(&self.name)),
        }
    }
}

/// The object that a fact is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactSubject {
    /// A schema.
    Schema(String),
    /// A table, view, sequence or index, which share one namespace.
    Relation(QualifiedName),
    /// A column of a table.
    Column(QualifiedName, String),
    /// A constraint of a table.
    Constraint(QualifiedName, String),
    /// A domain.
    Domain(QualifiedName),
    /// All functions with one name.
    Routine(QualifiedName),
    /// A role.
    Role(String),
}

impl FactSubject {
    /// Its name without that of its schema or table.
    #[must_use]
    pub fn own_name(&self) -> &str {
        match self {
            Self::Schema(name)
            | Self::Role(name)
            | Self::Column(_, name)
            | Self::Constraint(_, name) => name,
            Self::Relation(name) | Self::Domain(name) | Self::Routine(name) => &name.name,
        }
    }

    /// The name of a relation, a domain or a function, or of the table of a part.
    #[must_use]
    pub fn qualified_name(&self) -> Option<&QualifiedName> {
        match self {
            Self::Relation(name)
            | Self::Domain(name)
            | Self::Routine(name)
            | Self::Column(name, _)
            | Self::Constraint(name, _) => Some(name),
            Self::Schema(_) | Self::Role(_) => None,
        }
    }
}

impl fmt::Display for FactSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(name) => write!(f, "schema {}", quoted_identifier(name)),
            Self::Relation(name) => write!(f, "relation {name}"),
            Self::Column(table, name) => write!(f, "column {table}.{}", quoted_identifier(name)),
            Self::Constraint(table, name) => {
                write!(f, "constraint {} of {table}", quoted_identifier(name))
            }
            Self::Domain(name) => write!(f, "domain {name}"),
            Self::Routine(name) => write!(f, "function {name}"),
            Self::Role(name) => write!(f, "role {}", quoted_identifier(name)),
        }
    }
}

/// A fact whose value is a text, or missing. The ledger stores its `Display` text, which must not
/// change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// The identity of the object, if it exists. It changes if the object is dropped and created
    /// again, but not if it is renamed.
    Identity(FactSubject),
    /// The parts of the definition that an `ALTER` can change.
    Definition(FactSubject),
    /// The owner.
    Owner(FactSubject),
    /// The privileges on the object and, for a table, on its columns.
    Privileges(FactSubject),
    /// The comment.
    Comment(FactSubject),
    /// The columns of a table, in order.
    Columns(QualifiedName),
    /// Whether an index is valid, so that queries use it.
    Valid(QualifiedName),
    /// The identities of all constraints of a table, for a statement that leaves the name to the
    /// server.
    ConstraintIds(QualifiedName),
    /// The identities of all indexes of a table, for a statement that leaves the name to the
    /// server.
    IndexIds(QualifiedName),
    /// The name of the table whose part a relation is, without its schema: of the table of an
    /// index, of the table of a column's sequence, of a table itself. Empty for other relations.
    PartOf(QualifiedName),
    /// Present if a constraint is validated.
    Validated(QualifiedName, String),
    /// The privileges on all relations of a schema.
    PrivilegesIn(String),
    /// The AWS identities that may log in as a role.
    Identities(String),
    /// The identity of the role of the session.
    CurrentRole,
}

impl Fact {
    /// The name of the object that it is about, or of the table to which the object belongs.
    #[must_use]
    pub fn qualified_name(&self) -> Option<&QualifiedName> {
        match self {
            Self::Identity(object)
            | Self::Definition(object)
            | Self::Owner(object)
            | Self::Privileges(object)
            | Self::Comment(object) => object.qualified_name(),
            Self::Columns(name)
            | Self::Valid(name)
            | Self::ConstraintIds(name)
            | Self::IndexIds(name)
            | Self::PartOf(name)
            | Self::Validated(name, _) => Some(name),
            Self::PrivilegesIn(_) | Self::Identities(_) | Self::CurrentRole => None,
        }
    }

    /// The fact about the relation with the same name in a schema, if it names none.
    #[must_use]
    pub fn within(self, schema: &str) -> Self {
        let within = |name: QualifiedName| QualifiedName {
            schema: name.schema.or_else(|| Some(schema.to_owned())),
            ..name
        };
        match self {
            Self::Identity(FactSubject::Relation(name)) => {
                Self::Identity(FactSubject::Relation(within(name)))
            }
            Self::Columns(name) => Self::Columns(within(name)),
            Self::IndexIds(name) => Self::IndexIds(within(name)),
            fact => fact,
        }
    }
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
            Self::Valid(index) => write!(f, "validity of index {index}"),
            Self::ConstraintIds(table) => write!(f, "identities of the constraints of {table}"),
            Self::IndexIds(table) => write!(f, "identities of the indexes of {table}"),
            Self::PartOf(relation) => write!(f, "table of {relation}"),
            Self::Validated(table, name) => {
                write!(f, "validity of constraint {} of {table}", quoted_identifier(name))
            }
            Self::PrivilegesIn(schema) => {
                write!(f, "privileges on the relations of {}", quoted_identifier(schema))
            }
            Self::Identities(role) => {
                write!(f, "AWS identities of role {}", quoted_identifier(role))
            }
            Self::CurrentRole => f.write_str("current role"),
        }
    }
}

/// The values of facts. An absent value has no entry.
///
/// Facts are identified by their texts, because a newer version of the provider may have written
/// facts to the ledger that this one does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Returns the value of a fact.
    #[must_use]
    pub fn get(&self, fact: &Fact) -> Option<&str> {
        self.0.get(&fact.to_string()).map(String::as_str)
    }

    /// Returns the value of a fact that only earlier versions of the provider have stored.
    #[must_use]
    pub fn former(&self, text: &str) -> Option<&str> {
        self.0.get(text).map(String::as_str)
    }

    /// Adds the values of other facts.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}

impl FromIterator<(String, String)> for Facts {
    /// Collects pairs of a fact's text and its value.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// What the catalog holds about the rows of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableFacts {
    /// The number of its rows by the last statistics; `None` before the first ones.
    pub estimated_rows: Option<u64>,
    /// The columns of each of its unique indexes. One value for each of them names at most one row.
    pub keys: Vec<Vec<String>>,
}

/// What the catalog has answered about objects. Nothing is known about others.
#[derive(Debug, Clone, Default)]
pub struct LookedUpObjects<'a> {
    looked_up: BTreeSet<&'a FactSubject>,
    existing: Option<&'a Facts>,
    tables: Option<&'a BTreeMap<QualifiedName, TableFacts>>,
}

impl<'a> LookedUpObjects<'a> {
    /// Combines the objects that were looked up with the answers.
    #[must_use]
    pub fn new(
        looked_up: &'a [FactSubject],
        existing: &'a Facts,
        tables: &'a BTreeMap<QualifiedName, TableFacts>,
    ) -> Self {
        let looked_up = looked_up.iter().collect();
        Self { looked_up, existing: Some(existing), tables: Some(tables) }
    }

    /// Whether an object exists; `None` if it was not looked up.
    #[must_use]
    pub fn exists(&self, object: &FactSubject) -> Option<bool> {
        let existing = self.existing.filter(|_| self.looked_up.contains(object))?;
        Some(existing.get(&Fact::Identity(object.clone())).is_some())
    }

    /// What the catalog holds about a table that exists and was looked up.
    #[must_use]
    pub fn table(&self, name: &QualifiedName) -> Option<&'a TableFacts> {
        self.tables?.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_different_objects_have_different_texts() {
        let dotted = QualifiedName { schema: None, name: "a.b".into() };
        let qualified = QualifiedName { schema: Some("a".into()), name: "b".into() };
        assert_eq!(Fact::Columns(dotted).to_string(), "columns of \"a.b\"");
        assert_eq!(Fact::Columns(qualified).to_string(), "columns of a.b");
    }

    #[test]
    fn a_printed_name_is_parsed_again() {
        let names = ["a", "A b", "a.b", "a\"b\"", "\"", "ü", "flyway_schema_history"];
        for name in names {
            for schema in [None, Some("public"), Some("my \"schema\".x")] {
                let name = QualifiedName { schema: schema.map(str::to_owned), name: name.into() };
                assert_eq!(QualifiedName::parse(&name.to_string()), Some(name));
            }
        }
        for text in ["", "a.", ".a", "a.b.c", "\"a", "\"a\"b", "A", "0001", "a b"] {
            assert_eq!(QualifiedName::parse(text), None, "{text}");
        }
    }
}
