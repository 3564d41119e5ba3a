//! The JSON form of values, in which Terraform stores a state.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{AttributePath, CodecError, Problem, Step, Type, Value, wanted};

/// Decodes a stored value of type `ty`.
///
/// Attributes that the JSON does not have are null: they are newer than the state. JSON has no way
/// to say unknown, and a dynamic value stands in it as `{"type": …, "value": …}`.
///
/// # Errors
/// [`CodecError`] if the bytes are not JSON, or not a value of the type; attributes that the type
/// does not have are named.
pub fn decode_json(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    let json = serde_json::from_slice(bytes)
        .map_err(|error| CodecError::Malformed { format: "JSON", reason: error.to_string() })?;
    take(json, ty, &mut AttributePath::root())
}

fn take(json: Json, ty: &Type, path: &mut AttributePath) -> Result<Value, CodecError> {
    let problem = |found: &Json| Problem::Kind { wanted: wanted(ty), found: kind(found) };
    match (ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::String, Json::String(text)) => Ok(Value::String(text)),
        (Type::Bool, Json::Bool(bool)) => Ok(Value::Bool(bool)),
        (Type::Number, Json::Number(number)) => take_number(&number.to_string(), path),
        (Type::Number, Json::String(number)) => take_number(&number, path),
        (Type::List(element) | Type::Set(element), Json::Array(elements)) => {
            take_elements(elements, |_| element, path)
        }
        (Type::Tuple(types), Json::Array(elements)) => {
            if types.len() != elements.len() {
                let (wanted, found) = (types.len(), elements.len());
                return Err(Problem::TupleLength { wanted, found }.at(path));
            }
            take_elements(elements, |index| &types[index], path)
        }
        (Type::Map(element), Json::Object(entries)) => {
            let mut map = BTreeMap::new();
            for (key, json) in entries {
                path.enter(Step::Key(key.clone()));
                let value = take(json, element, path)?;
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
                object.insert(name.clone(), take(json, ty, path)?);
                path.leave();
            }
            if !entries.is_empty() {
                let unsupported = entries.into_iter().map(|(name, _)| name).collect();
                return Err(Problem::UnsupportedAttributes(unsupported).at(path));
            }
            Ok(Value::Map(object))
        }
        (Type::Dynamic, Json::Object(mut parts)) => {
            let (Some(ty), Some(json)) = (parts.remove("type"), parts.remove("value")) else {
                return Err(problem(&Json::Object(parts)).at(path));
            };
            let ty = Type::parse(&ty).map_err(|error| Problem::from(error).at(path))?;
            let value = take(json, &ty, path)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
        (_, json) => Err(problem(&json).at(path)),
    }
}

fn take_elements<'t>(
    elements: Vec<Json>,
    type_of: impl Fn(usize) -> &'t Type,
    path: &mut AttributePath,
) -> Result<Value, CodecError> {
    let mut values = Vec::with_capacity(elements.len());
    for (index, json) in elements.into_iter().enumerate() {
        path.enter(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        values.push(take(json, type_of(index), path)?);
        path.leave();
    }
    Ok(Value::List(values))
}

fn take_number(text: &str, path: &AttributePath) -> Result<Value, CodecError> {
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
