//! Schemas: what a configuration may contain, and what the provider computes.
//!
//! A leaf: it describes attributes, but knows neither RPCs nor the purpose of an attribute. Nested
//! attributes replace nested blocks, which cannot be computed or null.

mod attribute;
#[cfg(test)]
mod check;
#[cfg(test)]
pub(crate) mod editor;

use std::collections::BTreeMap;

pub use attribute::{Attribute, AttributeType, Nesting};
#[cfg(test)]
pub(crate) use check::Owner;

use crate::value::Type;

/// The schema of a resource, a data source, an ephemeral resource or the `provider` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Version of the schema, raised when a stored state of the former version no longer fits.
    pub version: i64,
    /// Body of the schema.
    pub block: Block,
}

/// The body of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Attributes in any order.
    pub attributes: Vec<Attribute>,
    /// Description in Markdown.
    pub description: String,
}

impl Schema {
    /// Creates a schema of version 0.
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

    /// Returns the type of an object of this schema.
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
            Attribute::objects("named", Nesting::Map, port()),
        ]);
        let port = || Type::object([("port", Type::Number)]);
        let expected = Type::object([
            ("id", Type::String),
            ("tags", Type::map(Type::String)),
            ("one", port()),
            ("many", Type::list(port())),
            ("named", Type::map(port())),
        ]);
        assert_eq!(schema.implied_type(), expected);
    }
}
