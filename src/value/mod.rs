//! Terraform's values: types, values that may be null or unknown, and their encodings.
//!
//! A leaf: it knows the wire format of a value, but neither RPCs nor schemas.

mod build;
mod input;
mod json;
mod msgpack;
mod number;
mod path;
mod types;

use std::collections::BTreeMap;

pub use input::{Input, NotAWholeNumber, Object, Undecided};
pub use json::decode_json;
pub use msgpack::{decode, encode};
pub use number::{Number, ParseNumberError};
pub use path::{AttributePath, Step};
pub use types::{ParseTypeError, Type};

/// A value as Terraform has it. Its [`Type`] is kept elsewhere, in the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Not set.
    Null,
    /// Not known before apply. Never in a state.
    Unknown,
    /// `true` or `false`.
    Bool(bool),
    /// Any number, exactly.
    Number(Number),
    /// Text.
    String(String),
    /// A list, a set or a tuple.
    List(Vec<Self>),
    /// A map or an object.
    Map(BTreeMap<String, Self>),
    /// A value whose schema type is [`Type::Dynamic`], with the type that it has.
    Dynamic(Box<(Type, Self)>),
}

impl Value {
    /// Is this [`Value::Null`]?
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Is the value itself unknown? What is inside of it may be unknown all the same, see
    /// [`Value::is_wholly_known`].
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Is nothing in it unknown, at any depth?
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The attribute of an object or the element of a map; `None` where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.get(name),
            _ => None,
        }
    }

    /// Sets an attribute of an object and gives what it was; does nothing to a value of another
    /// kind.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Self>) -> Option<Self> {
        debug_assert!(matches!(self, Self::Map(_)), "attributes are set on objects only");
        match self {
            Self::Map(entries) => entries.insert(name.into(), value.into()),
            _ => None,
        }
    }
}

impl Value {
    /// The kind of the value, in words, without what it holds: it may be a secret.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map or an object",
            Self::Dynamic(_) => "a value with its type",
        }
    }
}

/// Why bytes are not a value of the wanted type, or a value cannot be encoded as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The value at `path` is wrong.
    #[error("{problem} at {path}")]
    At {
        /// Where, from the root of the value.
        path: AttributePath,
        /// What.
        problem: Problem,
    },
    /// The bytes are not `MessagePack` or JSON at all.
    #[error("malformed {format}: {reason}")]
    Malformed {
        /// `MessagePack` or `JSON`.
        format: &'static str,
        /// What the parser says.
        reason: String,
    },
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is of another kind.
    #[error("{wanted} is required, found {found}")]
    Kind {
        /// What the type asks for, with its article.
        wanted: &'static str,
        /// What is there, with its article.
        found: &'static str,
    },
    /// An object has attributes that its type has not.
    #[error("unsupported {}", list_of_attributes(.0))]
    UnsupportedAttributes(Vec<String>),
    /// A tuple has the wrong number of elements.
    #[error("a tuple of {wanted} elements is required, found {found}")]
    TupleLength {
        /// Length of the type.
        wanted: usize,
        /// Length of the value.
        found: usize,
    },
    /// A number that is not one, for example an infinity.
    #[error("{0}")]
    Number(#[from] ParseNumberError),
    /// The type beside a dynamic value is not one.
    #[error("invalid type of a dynamic value: {0}")]
    Type(#[from] ParseTypeError),
}

impl Problem {
    fn at(self, path: &AttributePath) -> CodecError {
        CodecError::At { path: path.clone(), problem: self }
    }
}

fn list_of_attributes(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    let noun = if names.len() == 1 { "attribute" } else { "attributes" };
    format!("{noun} {}", quoted.join(", "))
}

/// The kind that a type asks for, in words.
fn wanted(ty: &Type) -> &'static str {
    match ty {
        Type::String => "a string",
        Type::Number => "a number",
        Type::Bool => "a bool",
        Type::Dynamic => "a value with its type",
        Type::List(_) => "a list",
        Type::Set(_) => "a set",
        Type::Map(_) => "a map",
        Type::Tuple(_) => "a tuple",
        Type::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
