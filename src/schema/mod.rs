//! Schemas: what a practitioner may write, and what the provider fills in.
//!
//! A leaf: it describes attributes, and knows neither RPCs nor what the attributes are for.
//! Nested attributes take the place of nested blocks, which cannot be computed or null.

mod attribute;
mod check;

use std::collections::BTreeMap;

pub use attribute::{Attribute, AttributeType, Nesting};
pub use check::Owner;

use crate::value::Type;

/// The schema of a resource or of the `provider` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Raised when a stored state of the version before no longer fits.
    pub version: i64,
    /// What it consists of.
    pub block: Block,
}

/// The body of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its attributes, in any order.
    pub attributes: Vec<Attribute>,
    /// What it is, in Markdown.
    pub description: String,
}

impl Schema {
    /// A schema of version 0.
    #[must_use]
    pub fn new(attributes: Vec<Attribute>) -> Self {
        Self { version: 0, block: Block { attributes, description: String::new() } }
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// Sets the description, in Markdown.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.block.description = description.into();
        self
    }

    /// The type of an object of this schema.
    #[must_use]
    pub fn implied_type(&self) -> Type {
        object_type(&self.block.attributes)
    }
}

fn object_type(attributes: &[Attribute]) -> Type {
    let types: BTreeMap<_, _> = attributes
        .iter()
        .map(|attribute| (attribute.name.clone(), attribute.implied_type()))
        .collect();
    Type::Object(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_schema_follows_its_nesting() {
        let port = || vec![Attribute::number("port").optional()];
        let schema = Schema::new(vec![
            Attribute::string("id").computed(),
            Attribute::map_of("tags", Type::String).optional(),
            Attribute::nested("one", Nesting::Single, port()).optional(),
            Attribute::nested("many", Nesting::List, port()).optional(),
            Attribute::nested("each", Nesting::Set, port()).optional(),
            Attribute::nested("named", Nesting::Map, port()).computed(),
        ]);
        let port = || Type::object([("port", Type::Number)]);
        let expected = Type::object([
            ("id", Type::String),
            ("tags", Type::map(Type::String)),
            ("one", port()),
            ("many", Type::list(port())),
            ("each", Type::set(port())),
            ("named", Type::map(port())),
        ]);
        assert_eq!(schema.implied_type(), expected);
    }
}
