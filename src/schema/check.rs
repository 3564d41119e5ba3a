//! The rules for schemas that Terraform enforces, as a check that tests run over every schema.
//!
//! Terraform ends every command if a schema breaks one of its rules, so such a schema must not get
//! past the tests.

use std::collections::BTreeSet;

use super::{Attribute, AttributeType, Schema};

/// The kind of block that a schema describes, which decides the reserved names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The `provider` block.
    Provider,
    /// A resource, a data source or an ephemeral resource.
    Resource,
}

impl Owner {
    /// Names that Terraform uses itself at the root of the block.
    ///
    /// `connection` is the name of a block, so an attribute of that name works in HCL. In a
    /// `.tf.json` file, however, the two look alike: Terraform reads the attribute as its own block
    /// and drops it without an error. Therefore the name is reserved here as well.
    fn reserved(self) -> &'static [&'static str] {
        match self {
            Self::Provider => &["alias", "version"],
            Self::Resource => &[
                "connection",
                "count",
                "depends_on",
                "for_each",
                "lifecycle",
                "provider",
                "provisioner",
            ],
        }
    }
}

impl Schema {
    /// Lists all problems of the schema, one sentence each.
    ///
    /// Two rules are the provider's own: a schema has attributes, and everything has a description.
    #[must_use]
    pub(crate) fn check(&self, owner: Owner) -> Vec<String> {
        let mut found = Vec::new();
        if self.version < 0 {
            found.push(format!("the version is {}, which is negative", self.version));
        }
        if self.block.description.is_empty() {
            found.push("the schema has no description".to_owned());
        }
        if self.block.attributes.is_empty() {
            found.push("the schema has no attributes".to_owned());
        }
        for attribute in &self.block.attributes {
            if owner.reserved().contains(&attribute.name.as_str()) {
                found.push(format!("{} is reserved by Terraform", attribute.name));
            }
        }
        check_attributes(&self.block.attributes, "", &mut found);
        found
    }
}

fn check_attributes(attributes: &[Attribute], prefix: &str, found: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for attribute in attributes {
        let path = format!("{prefix}{}", attribute.name);
        if !names.insert(&attribute.name) {
            found.push(format!("{path} is defined twice"));
        }
        check_attribute(attribute, &path, found);
        check_attributes(attribute.inner(), &format!("{path}."), found);
    }
}

fn check_attribute(attribute: &Attribute, path: &str, found: &mut Vec<String>) {
    let Attribute { required, optional, computed, .. } = *attribute;
    if !is_conventional(&attribute.name) {
        found.push(format!("{path} is not a lowercase name with underscores"));
    }
    if !required && !optional && !computed {
        found.push(format!("{path} is neither required nor optional nor computed"));
    }
    if required && optional {
        found.push(format!("{path} is both required and optional"));
    }
    if required && computed {
        found.push(format!("{path} is both required and computed"));
    }
    if let AttributeType::Objects { fields, .. } = &attribute.kind
        && (required || optional || fields.iter().any(|field| field.required || field.optional))
    {
        found.push(format!("{path} consists of plain objects, which only the provider can set"));
    }
    if attribute.description.is_empty() {
        found.push(format!("{path} has no description"));
    }
}

fn is_conventional(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::Nesting;
    use super::*;

    fn valid(name: &str) -> Attribute {
        Attribute::string(name).optional().description("Something.")
    }

    fn check(attributes: Vec<Attribute>) -> Vec<String> {
        Schema::new(attributes).description("A thing.").check(Owner::Resource)
    }

    #[test]
    fn a_valid_schema_has_no_problems() {
        let nested = Attribute::nested("inner", Nesting::Single, vec![valid("a").computed()]);
        let attributes = vec![valid("b"), nested.required().description("Inside.")];
        assert_eq!(check(attributes), [] as [&str; 0]);
    }

    #[test]
    fn an_attribute_is_required_or_optional_or_computed() {
        let described = |attribute: Attribute| attribute.description("Something.");
        assert_eq!(
            check(vec![
                described(Attribute::string("a")),
                described(Attribute::string("b").required().optional()),
                described(Attribute::string("c").required().computed()),
            ]),
            [
                "a is neither required nor optional nor computed",
                "b is both required and optional",
                "c is both required and computed",
            ]
        );
    }

    #[test]
    fn the_rules_apply_to_nested_attributes() {
        let inner = vec![valid("a"), valid("a"), Attribute::string("b").optional()];
        let outer = Attribute::nested("outer", Nesting::List, inner).optional();
        assert_eq!(
            check(vec![outer.description("Outside.")]),
            ["outer.a is defined twice", "outer.b has no description"]
        );
    }

    #[test]
    fn names_are_conventional_and_not_reserved() {
        let attributes =
            vec![valid("camelCase"), valid("1st"), valid("count"), valid("connection")];
        assert_eq!(
            check(attributes),
            [
                "count is reserved by Terraform",
                "connection is reserved by Terraform",
                "camelCase is not a lowercase name with underscores",
                "1st is not a lowercase name with underscores",
            ]
        );
        let schema = Schema::new(vec![valid("alias")]).description("A provider.").version(-1);
        assert_eq!(
            schema.check(Owner::Provider),
            ["the version is -1, which is negative", "alias is reserved by Terraform"]
        );
        assert_eq!(
            Schema::new(Vec::new()).check(Owner::Provider),
            ["the schema has no description", "the schema has no attributes"]
        );
    }
}
