//! Converts native types to protocol messages.

use super::wire::tfplugin6 as wire;
use crate::chain::chain;
use crate::diagnostic::{Diagnostic, Severity, Title};
use crate::provider::contract::{FunctionError, Parameter, Signature};
use crate::schema::{Attribute, AttributeType, Nesting, Schema};
use crate::value::{AttributePath, Step, Type, Value, encode};

/// Encodes a value of type `ty`.
///
/// A value of another type is a bug in the provider, which becomes a diagnostic.
pub(super) fn value(value: &Value, ty: &Type) -> Result<wire::DynamicValue, Diagnostic> {
    match encode(value, ty) {
        Ok(msgpack) => Ok(wire::DynamicValue { msgpack, json: Vec::new() }),
        Err(error) => Err(Diagnostic::error(Title::WrongTypeFromProvider).detail(format!(
            "{}.\n\nThis is a bug in the provider. Please report it.",
            chain(&error)
        ))),
    }
}

pub(super) fn diagnostics(diagnostics: Vec<Diagnostic>) -> Vec<wire::Diagnostic> {
    diagnostics.into_iter().map(diagnostic).collect()
}

pub(super) fn diagnostic(diagnostic: Diagnostic) -> wire::Diagnostic {
    use wire::diagnostic::Severity as Wire;
    let severity = match diagnostic.severity {
        Severity::Error => Wire::Error,
        Severity::Warning => Wire::Warning,
    };
    wire::Diagnostic {
        severity: severity.into(),
        summary: diagnostic.summary,
        detail: diagnostic.detail,
        attribute: diagnostic.path.as_ref().map(shown_path),
    }
}

/// Returns the part of a path that Terraform can show. It finds the line of an argument and of its
/// elements, but for a path into a nested attribute (`cluster.port`) it shows only the first line
/// of the block (observed with 1.11.4 and 1.15.5). The line of `cluster` is more useful.
fn shown_path(path: &AttributePath) -> wire::AttributePath {
    let mut shown = attribute_path(path);
    let is_name = |step: &wire::attribute_path::Step| {
        matches!(step.selector, Some(wire::attribute_path::step::Selector::AttributeName(_)))
    };
    let inner = shown.steps.iter().skip(1).position(is_name);
    if let Some(inner) = inner {
        shown.steps.truncate(1 + inner);
    }
    shown
}

pub(super) fn attribute_path(path: &AttributePath) -> wire::AttributePath {
    use wire::attribute_path::step::Selector;
    let steps = path.steps().iter().map(|step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index),
        };
        wire::attribute_path::Step { selector: Some(selector) }
    });
    wire::AttributePath { steps: steps.collect() }
}

pub(super) fn schema(schema: &Schema) -> wire::Schema {
    let block = wire::schema::Block {
        attributes: attributes(&schema.block.attributes),
        description: schema.block.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        ..Default::default()
    };
    wire::Schema { version: schema.version, block: Some(block) }
}

pub(super) fn function(signature: &Signature) -> wire::Function {
    wire::Function {
        parameters: signature.parameters.iter().map(parameter).collect(),
        variadic_parameter: None,
        r#return: Some(wire::function::Return { r#type: signature.returns.to_json().into_bytes() }),
        summary: signature.summary.to_owned(),
        description: signature.description.to_owned(),
        description_kind: wire::StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}

/// Without `allow_…`, Terraform rejects null itself, and treats the result of a call with an
/// unknown argument as unknown without calling the function.
fn parameter(parameter: &Parameter) -> wire::function::Parameter {
    wire::function::Parameter {
        name: parameter.name.to_owned(),
        r#type: parameter.ty.to_json().into_bytes(),
        allow_null_value: false,
        allow_unknown_values: false,
        description: parameter.description.to_owned(),
        description_kind: wire::StringKind::Markdown.into(),
    }
}

/// Removes the final full stop, because Terraform appends one (observed with 1.11.4 and 1.15.5).
pub(super) fn function_error(error: FunctionError) -> wire::FunctionError {
    let argument = error.argument.and_then(|position| i64::try_from(position).ok());
    let text = error.text.strip_suffix('.').map(str::to_owned).unwrap_or(error.text);
    wire::FunctionError { text, function_argument: argument }
}

/// Sorts attributes by name, so that the schema is the same in every process.
fn attributes(all: &[Attribute]) -> Vec<wire::schema::Attribute> {
    let mut all: Vec<_> = all.iter().map(attribute).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn attribute(attribute: &Attribute) -> wire::schema::Attribute {
    let (ty, nested) = match &attribute.kind {
        AttributeType::Plain(_) | AttributeType::Objects { .. } => {
            (attribute.implied_type().to_json().into_bytes(), None)
        }
        AttributeType::Nested { nesting, attributes: inner } => {
            (Vec::new(), Some(nested(*nesting, inner)))
        }
    };
    wire::schema::Attribute {
        name: attribute.name.clone(),
        r#type: ty,
        nested_type: nested,
        description: attribute.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        required: attribute.required,
        optional: attribute.optional,
        computed: attribute.computed,
        sensitive: attribute.sensitive,
        ..Default::default()
    }
}

fn nested(nesting: Nesting, inner: &[Attribute]) -> wire::schema::Object {
    use wire::schema::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Map => NestingMode::Map,
    };
    wire::schema::Object {
        attributes: attributes(inner),
        nesting: nesting.into(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_sorted_attributes_with_one_kind_of_type_each() {
        let inner = vec![Attribute::number("port").optional()];
        let native = Schema::new(vec![
            Attribute::nested("cluster", Nesting::Single, inner).optional(),
            Attribute::string("a").required().sensitive(),
        ])
        .version(3)
        .description("A *thing*.");
        let wire = schema(&native);
        assert_eq!(wire.version, 3);
        let block = wire.block.expect("a block");
        assert_eq!(block.description_kind(), wire::StringKind::Markdown);
        let [a, cluster] = block.attributes.as_slice() else { panic!("{block:?}") };
        assert_eq!((a.name.as_str(), a.r#type.as_slice()), ("a", &br#""string""#[..]));
        assert!(a.nested_type.is_none() && a.required && a.sensitive);
        assert!(cluster.r#type.is_empty());
        let nested = cluster.nested_type.as_ref().expect("nested");
        assert_eq!(nested.nesting(), wire::schema::object::NestingMode::Single);
        assert_eq!(nested.attributes[0].name, "port");
    }

    #[test]
    fn a_path_into_a_nested_attribute_ends_at_the_argument() {
        let path = AttributePath::from("cluster").attribute("port");
        let wire = diagnostic(Diagnostic::error("E").at(path));
        assert_eq!(wire.attribute, Some(attribute_path(&"cluster".into())));
    }

    #[test]
    fn a_diagnostic_keeps_its_severity_and_path() {
        let path = AttributePath::from("files").key("a.sql").index(2);
        let wire = diagnostic(Diagnostic::warning("W").detail("D").at(path));
        assert_eq!(wire.severity(), wire::diagnostic::Severity::Warning);
        let steps = wire.attribute.expect("a path").steps;
        use wire::attribute_path::step::Selector;
        let selectors: Vec<_> = steps.into_iter().filter_map(|step| step.selector).collect();
        assert_eq!(
            selectors,
            [
                Selector::AttributeName("files".into()),
                Selector::ElementKeyString("a.sql".into()),
                Selector::ElementKeyInt(2),
            ]
        );
    }
}
