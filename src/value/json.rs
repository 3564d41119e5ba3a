//! Decodes JSON, the form in which Terraform stores a state.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{AttributePath, CodecError, Problem, Step, Type, Value, wanted};

/// Decodes a stored value of type `ty`.
///
/// Attributes that are missing from the JSON are null: they are newer than the state. JSON cannot
/// represent an unknown value.
///
/// # Errors
/// [`CodecError`] if the bytes are not JSON, or not a value of the type. Attributes that the type
/// does not have are named.
pub fn decode_json(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    let json = serde_json::from_slice(bytes)
        .map_err(|error| CodecError::Malformed { format: "JSON", reason: error.to_string() })?;
    decode_value(json, ty, &mut AttributePath::root())
}

fn decode_value(json: Json, ty: &Type, path: &mut AttributePath) -> Result<Value, CodecError> {
    match (ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::String, Json::String(text)) => Ok(Value::String(text)),
        (Type::Bool, Json::Bool(bool)) => Ok(Value::Bool(bool)),
        (Type::Number, Json::Number(number)) => decode_number(&number.to_string(), path),
        (Type::Number, Json::String(number)) => decode_number(&number, path),
        (Type::List(element) | Type::Set(element), Json::Array(elements)) => {
            decode_elements(elements, element, path)
        }
        (Type::Map(element), Json::Object(entries)) => {
            let mut map = BTreeMap::new();
            for (key, json) in entries {
                path.enter(Step::Key(key.clone()));
                let value = decode_value(json, element, path)?;
                path.leave();
                map.insert(key, value);
            }
            Ok(Value::Map(map))
        }
        (Type::Object(attributes), Json::Object(mut entries)) => {
            let mut object = BTreeMap::new();
            for (name, ty) in attributes {
                path.enter(Step::Attribute(name.clone()));
                let json = entries.remove(name).unwrap_or(Json::Null);
                object.insert(name.clone(), decode_value(json, ty, path)?);
                path.leave();
            }
            if !entries.is_empty() {
                let unsupported = entries.into_iter().map(|(name, _)| name).collect();
                return Err(Problem::UnsupportedAttributes(unsupported).at(path));
            }
            Ok(Value::Map(object))
        }
        (_, json) => Err(Problem::Kind { wanted: wanted(ty), found: kind(&json) }.at(path)),
    }
}

fn decode_elements(
    elements: Vec<Json>,
    ty: &Type,
    path: &mut AttributePath,
) -> Result<Value, CodecError> {
    let mut values = Vec::with_capacity(elements.len());
    for (index, json) in elements.into_iter().enumerate() {
        path.enter(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        values.push(decode_value(json, ty, path)?);
        path.leave();
    }
    Ok(Value::List(values))
}

fn decode_number(text: &str, path: &AttributePath) -> Result<Value, CodecError> {
    match text.parse() {
        Ok(number) => Ok(Value::Number(number)),
        Err(error) => Err(Problem::Number(error).at(path)),
    }
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
