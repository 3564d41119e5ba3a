//! Terraform's values: types, values that may be null or unknown, and their encodings.
//!
//! A leaf: it knows how a value is encoded, but neither RPCs nor schemas.

mod build;
mod input;
mod json;
mod msgpack;
mod number;
mod path;
mod types;

use std::collections::BTreeMap;

pub use input::{Input, Object, Undecided};
pub use json::decode_json;
pub use msgpack::{decode, encode};
pub use number::{Number, ParseNumberError};
pub use path::{AttributePath, Step};
pub use types::Type;

/// A value of Terraform's. Its [`Type`] is part of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Not set.
    Null,
    /// Unknown until apply. A state never contains it.
    Unknown,
    /// `true` or `false`.
    Bool(bool),
    /// A number of any size.
    Number(Number),
    /// Text.
    String(String),
    /// A list or a set.
    List(Vec<Self>),
    /// A map or an object.
    Map(BTreeMap<String, Self>),
}

impl Value {
    /// Reports whether this is [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Reports whether the value itself is unknown. A known list, map or object may contain unknown
    /// values; see [`Value::is_wholly_known`].
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Reports whether the value contains nothing unknown, at any depth.
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// Returns the attribute of an object or the element of a map, if there is one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.get(name),
            _ => None,
        }
    }

    /// Sets an attribute of an object and returns its former value. Values of another kind stay
    /// unchanged.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Self>) -> Option<Self> {
        debug_assert!(matches!(self, Self::Map(_)), "attributes are set on objects only");
        match self {
            Self::Map(entries) => entries.insert(name.into(), value.into()),
            _ => None,
        }
    }
}

impl Value {
    /// Returns the kind of the value for messages. The content may be a secret.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map or an object",
        }
    }
}

/// The error for bytes that are not a value of the expected type, and for a value that cannot be
/// encoded as that type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The value at `path` does not fit its type.
    #[error("{problem} at {path}")]
    At {
        /// Path from the root of the value.
        path: AttributePath,
        /// How it differs from its type.
        problem: Problem,
    },
    /// The bytes are not valid `MessagePack` or JSON.
    #[error("malformed {format}: {reason}")]
    Malformed {
        /// `MessagePack` or `JSON`.
        format: &'static str,
        /// Message of the parser.
        reason: String,
    },
}

/// How one value differs from its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The value is of another kind.
    #[error("{wanted} is required, found {found}")]
    Kind {
        /// Kind that the type requires, with its article.
        wanted: &'static str,
        /// Kind of the value, with its article.
        found: &'static str,
    },
    /// An object has attributes that its type does not have.
    #[error("unsupported {}", list_of_attributes(.0))]
    UnsupportedAttributes(Vec<String>),
    /// A token that is not a number, such as an infinity.
    #[error("{0}")]
    Number(#[from] ParseNumberError),
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

/// Returns the kind that a type requires, for messages.
fn wanted(ty: &Type) -> &'static str {
    match ty {
        Type::String => "a string",
        Type::Number => "a number",
        Type::Bool => "a bool",
        Type::List(_) => "a list",
        Type::Set(_) => "a set",
        Type::Map(_) => "a map",
        Type::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
