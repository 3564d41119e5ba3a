//! The rules for schemas that the core enforces, for the tests of everything that has one.
//!
//! A schema that breaks a rule of the core ends every command of every practitioner, so it must
//! not leave the tests.

use std::collections::BTreeSet;

use super::{Attribute, AttributeType, Nesting, Schema};
use crate::value::Type;

/// Whose schema it is: some names are taken at the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The `provider` block.
    Provider,
    /// A resource or a data source.
    Resource,
}

impl Owner {
    fn reserved(self) -> &'static [&'static str] {
        match self {
            Self::Provider => &["alias", "version"],
            // `connection` is left out although Terraform has a block of that name: written as an
            // attribute it works. In a `.tf.json` file the two look alike, and the core takes the
            // attribute for its own block and drops it without a word.
            Self::Resource => {
                &["count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"]
            }
        }
    }
}

impl Schema {
    /// All that is wrong with the schema, one sentence each.
    ///
    /// Tests call it as `assert_eq!(schema.check(Owner::Resource), [] as [&str; 0])`. Besides the
    /// core's rules it keeps two of our own: names follow the convention, and everything is
    /// described.
    #[must_use]
    pub fn check(&self, owner: Owner) -> Vec<String> {
        let mut found = Vec::new();
        if self.version < 0 {
            found.push(format!("the version is {}, which is negative", self.version));
        }
        if self.block.description.is_empty() {
            found.push("the schema has no description".to_owned());
        }
        for attribute in &self.block.attributes {
            if owner.reserved().contains(&attribute.name.as_str()) {
                found.push(format!("{} is reserved by Terraform", attribute.name));
            }
        }
        check_attributes(&self.block.attributes, "", false, &mut found);
        found
    }
}

fn check_attributes(attributes: &[Attribute], prefix: &str, in_set: bool, found: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for attribute in attributes {
        let path = format!("{prefix}{}", attribute.name);
        if !names.insert(&attribute.name) {
            found.push(format!("{path} is there twice"));
        }
        check_attribute(attribute, &path, in_set, found);
        if let AttributeType::Nested { nesting, attributes } = &attribute.kind {
            let in_set = in_set || *nesting == Nesting::Set;
            check_attributes(attributes, &format!("{path}."), in_set, found);
        }
    }
}

fn check_attribute(attribute: &Attribute, path: &str, in_set: bool, found: &mut Vec<String>) {
    let Attribute { required, optional, computed, .. } = *attribute;
    if !is_conventional(&attribute.name) {
        found.push(format!("{path} is not a lower-case name with underscores"));
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
    if attribute.description.is_empty() {
        found.push(format!("{path} has no description"));
    }
    if let AttributeType::Plain(ty) = &attribute.kind
        && holds_dynamic(ty, in_set)
    {
        found.push(format!("{path} is dynamic inside of a set"));
    }
}

fn is_conventional(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Is there a dynamic type in a set?
fn holds_dynamic(ty: &Type, in_set: bool) -> bool {
    match ty {
        Type::Dynamic => in_set,
        Type::String | Type::Number | Type::Bool => false,
        Type::List(element) | Type::Map(element) => holds_dynamic(element, in_set),
        Type::Set(element) => holds_dynamic(element, true),
        Type::Tuple(elements) => elements.iter().any(|element| holds_dynamic(element, in_set)),
        Type::Object(attributes) => {
            attributes.values().any(|attribute| holds_dynamic(attribute, in_set))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(name: &str) -> Attribute {
        Attribute::string(name).optional().description("Something.")
    }

    fn check(attributes: Vec<Attribute>) -> Vec<String> {
        Schema::new(attributes).description("A thing.").check(Owner::Resource)
    }

    #[test]
    fn a_valid_schema_has_no_findings() {
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
    fn the_rules_hold_inside_of_nested_attributes() {
        let inner = vec![valid("a"), valid("a"), Attribute::of("any", Type::Dynamic).optional()];
        let outer = Attribute::nested("outer", Nesting::Set, inner).optional();
        assert_eq!(
            check(vec![outer.description("Outside.")]),
            [
                "outer.a is there twice",
                "outer.any has no description",
                "outer.any is dynamic inside of a set",
            ]
        );
    }

    #[test]
    fn names_are_conventional_and_not_taken() {
        let attributes = vec![valid("camelCase"), valid("1st"), valid("count")];
        assert_eq!(
            check(attributes),
            [
                "count is reserved by Terraform",
                "camelCase is not a lower-case name with underscores",
                "1st is not a lower-case name with underscores",
            ]
        );
        let schema = Schema::new(vec![valid("alias")]).description("A provider.").version(-1);
        assert_eq!(
            schema.check(Owner::Provider),
            ["the version is -1, which is negative", "alias is reserved by Terraform"]
        );
    }

    #[test]
    fn a_plain_set_may_not_hold_dynamic_values() {
        let attribute = Attribute::set_of("any", Type::list(Type::Dynamic)).optional();
        let found = check(vec![attribute.description("Anything.")]);
        assert_eq!(found, ["any is dynamic inside of a set"]);
    }
}
