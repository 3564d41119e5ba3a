//! How objects are defined, read from statements and from the texts in which the catalog describes
//! objects. Both have the syntax of SQL, so one parser reads both.
//!
//! Expressions remain texts. The server prints them in its own way, so the two texts of one
//! expression may differ. A clause that this parser does not know is noted, so that nobody takes a
//! definition for a complete one.

mod column;
mod constraint;
mod domain;
mod function;
mod index;
mod keys;
mod named;
mod sequence;
mod table;
mod type_name;
mod view;

pub use self::column::{ColumnDefinition, IdentityDefinition};
pub use self::constraint::{ConstraintDefinition, ConstraintKind, ForeignKey};
pub use self::domain::DomainDefinition;
pub(super) use self::function::signature;
pub use self::function::{
    ArgumentDefinition, FunctionDefinition, is_same_signature, signature_of, without_length,
};
pub use self::index::{IndexDefinition, KeyDefinition, KeyPart};
pub use self::named::names_same_objects;
pub use self::sequence::SequenceOptions;
pub use self::table::TableDefinition;
pub use self::type_name::is_same_type;
pub(super) use self::type_name::{canonical, type_name};
pub use self::view::ViewDefinition;
pub(super) use self::view::read_options;
use super::tokens::TokenBuf;
use crate::migration::fact::QualifiedName;

/// How a statement defines an object that it creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// A table with its columns and constraints.
    Table(TableDefinition),
    /// A column that is added to a table.
    Column(ColumnDefinition),
    /// A constraint that is added to a table.
    Constraint(ConstraintDefinition),
    /// An index.
    Index(IndexDefinition),
    /// A view.
    View(ViewDefinition),
    /// A sequence.
    Sequence(SequenceOptions),
    /// A domain.
    Domain(DomainDefinition),
    /// A function.
    Function(FunctionDefinition),
    /// A definition that cannot be compared.
    Unknown,
}

impl Definition {
    /// Applies what an `ALTER` sets in a column; `None` if that cannot be compared.
    pub fn alter(&mut self, altered: Option<Alteration>) {
        match (&mut *self, altered) {
            (Self::Column(column), Some(Alteration::Default(default))) => {
                let of_default = default.iter().map(|default| format!(" DEFAULT {default}"));
                column.text.extend(of_default);
                column.default = default;
            }
            (Self::Column(column), Some(Alteration::NotNull(not_null))) => {
                column.not_null = not_null;
            }
            (Self::Column(column), Some(Alteration::Type(name))) => column.type_name = name,
            (Self::Column(column), Some(Alteration::Identity(identity))) => {
                column.identity = identity;
            }
            (Self::Column(column), Some(Alteration::NoExpression)) => column.generated = None,
            _ => *self = Self::Unknown,
        }
    }

    /// The existing relations that it refers to, whose names depend on the search path.
    #[must_use]
    pub fn relations(&self) -> Vec<&QualifiedName> {
        match self {
            Self::Table(table) => table.relations().collect(),
            Self::Constraint(constraint) => constraint.target().into_iter().collect(),
            Self::Index(index) => vec![&index.table],
            Self::Column(_)
            | Self::View(_)
            | Self::Sequence(_)
            | Self::Domain(_)
            | Self::Function(_)
            | Self::Unknown => Vec::new(),
        }
    }
}

/// What `ALTER` sets in the definition of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// The default, or that there is none.
    Default(Option<String>),
    /// Whether NULL is rejected.
    NotNull(bool),
    /// The type.
    Type(String),
    /// The sequence that generates the values; `None` if the column is no longer an identity.
    Identity(Option<IdentityDefinition>),
    /// Whether an identity column is `GENERATED ALWAYS`.
    Always(bool),
    /// That the values are not generated from an expression.
    NoExpression,
    /// Options of a sequence.
    Sequence(SequenceOptions),
    /// An option of a view; `None` if it is reset.
    Option(String, Option<String>),
    /// That a domain has no constraint with this name.
    NoConstraint(String),
    /// When a constraint is checked.
    Deferrable {
        /// Whether it may be at the end of a transaction.
        deferrable: bool,
        /// Whether it is by default.
        initially_deferred: bool,
    },
}

/// Whether two texts have the same tokens, so that they are the same SQL wherever they are used.
#[must_use]
pub fn is_same_text(one: &str, other: &str) -> bool {
    let (one, other) = (TokenBuf::of(one), TokenBuf::of(other));
    let (one, other) = (one.all(), other.all());
    one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| one.equals(other))
}

/// Whether a text contains more than one statement.
#[must_use]
pub fn has_semicolon(text: &str) -> bool {
    TokenBuf::of(text).all().has(&[";"])
}

/// Where a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// From a statement, which may have clauses in any order.
    Written,
    /// From a description of the catalog, in which a default comes last.
    Printed,
}

impl Notation {
    /// The words that end an expression outside parentheses.
    fn ends(self) -> &'static [&'static str] {
        match self {
            Self::Written => &[
                "CONSTRAINT",
                "NOT",
                "NULL",
                "DEFAULT",
                "GENERATED",
                "UNIQUE",
                "PRIMARY",
                "CHECK",
                "REFERENCES",
                "COLLATE",
                "STORAGE",
                "DEFERRABLE",
                "INITIALLY",
            ],
            Self::Printed => &["CONSTRAINT"],
        }
    }
}
