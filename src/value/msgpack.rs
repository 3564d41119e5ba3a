//! Decodes and encodes `MessagePack`, the form in which Terraform and providers exchange values.

use std::collections::BTreeMap;

use rmpv::{Utf8String, Value as MessagePack};

use super::number::NumberEncoding;
use super::{AttributePath, CodecError, Number, Problem, Step, Type, Value, wanted};

/// Extension type of an unknown value without refinements.
const UNKNOWN: i8 = 0;

/// How deeply a value may nest: deeper than any type of the provider. Each level needs stack, and
/// the private bytes of a state file may be damaged.
const MAX_DEPTH: usize = 64;

/// Decodes a value of type `ty`.
///
/// Every extension is an unknown value. Refinements (extension 12) describe a value that is still
/// unknown, and the provider does not use them.
///
/// # Errors
/// [`CodecError`] if the bytes are not exactly one `MessagePack` value of the type.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    let malformed = |reason: String| CodecError::Malformed { format: "MessagePack", reason };
    let mut rest = bytes;
    let raw = rmpv::decode::read_value_with_max_depth(&mut rest, MAX_DEPTH)
        .map_err(|error| malformed(error.to_string()))?;
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes follow the value", rest.len())));
    }
    decode_value(raw, ty, &mut AttributePath::root())
}

fn decode_value(
    raw: MessagePack,
    ty: &Type,
    path: &mut AttributePath,
) -> Result<Value, CodecError> {
    let problem = |found: &MessagePack| Problem::Kind { wanted: wanted(ty), found: kind(found) };
    match (ty, raw) {
        (_, MessagePack::Nil) => Ok(Value::Null),
        (_, MessagePack::Ext(..)) => Ok(Value::Unknown),
        (Type::String, MessagePack::String(text)) => Ok(Value::String(utf8(text)?)),
        (Type::Bool, MessagePack::Boolean(bool)) => Ok(Value::Bool(bool)),
        (Type::Number, raw) => match decode_number(&raw) {
            Some(number) => number.map(Value::Number).map_err(|problem| problem.at(path)),
            None => Err(problem(&raw).at(path)),
        },
        (Type::List(element) | Type::Set(element), MessagePack::Array(elements)) => {
            decode_elements(elements, element, path)
        }
        (Type::Map(element), MessagePack::Map(entries)) => {
            let mut map = BTreeMap::new();
            for (key, raw) in entries {
                let key = decode_key(key, path)?;
                path.enter(Step::Key(key.clone()));
                let value = decode_value(raw, element, path)?;
                path.leave();
                map.insert(key, value);
            }
            Ok(Value::Map(map))
        }
        (Type::Object(attributes), MessagePack::Map(entries)) => {
            let mut object: BTreeMap<_, _> =
                attributes.keys().map(|name| (name.clone(), Value::Null)).collect();
            let mut unsupported = Vec::new();
            for (key, raw) in entries {
                let name = decode_key(key, path)?;
                let Some(ty) = attributes.get(&name) else {
                    unsupported.push(name);
                    continue;
                };
                path.enter(Step::Attribute(name.clone()));
                let value = decode_value(raw, ty, path)?;
                path.leave();
                object.insert(name, value);
            }
            if !unsupported.is_empty() {
                return Err(Problem::UnsupportedAttributes(unsupported).at(path));
            }
            Ok(Value::Map(object))
        }
        (_, raw) => Err(problem(&raw).at(path)),
    }
}

fn decode_elements(
    elements: Vec<MessagePack>,
    ty: &Type,
    path: &mut AttributePath,
) -> Result<Value, CodecError> {
    let mut values = Vec::with_capacity(elements.len());
    for (index, raw) in elements.into_iter().enumerate() {
        path.enter(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        values.push(decode_value(raw, ty, path)?);
        path.leave();
    }
    Ok(Value::List(values))
}

/// Decodes integers, floats and decimal text. Returns `None` for anything else.
fn decode_number(raw: &MessagePack) -> Option<Result<Number, Problem>> {
    let number = match raw {
        MessagePack::Integer(integer) => match (integer.as_i64(), integer.as_u64()) {
            (Some(integer), _) => Ok(Number::from(integer)),
            (None, Some(integer)) => Ok(Number::from(integer)),
            (None, None) => return None,
        },
        MessagePack::F32(float) => Number::from_f64(f64::from(*float)),
        MessagePack::F64(float) => Number::from_f64(*float),
        MessagePack::String(text) => text.as_str()?.parse(),
        _ => return None,
    };
    Some(number.map_err(Problem::from))
}

fn decode_key(key: MessagePack, path: &AttributePath) -> Result<String, CodecError> {
    match key {
        MessagePack::String(key) => utf8(key),
        other => Err(Problem::Kind { wanted: "a string as key", found: kind(&other) }.at(path)),
    }
}

fn utf8(text: Utf8String) -> Result<String, CodecError> {
    text.into_str().ok_or_else(|| CodecError::Malformed {
        format: "MessagePack",
        reason: "a string is not UTF-8".to_owned(),
    })
}

fn kind(raw: &MessagePack) -> &'static str {
    match raw {
        MessagePack::Nil => "null",
        MessagePack::Boolean(_) => "a bool",
        MessagePack::Integer(_) | MessagePack::F32(_) | MessagePack::F64(_) => "a number",
        MessagePack::String(_) => "a string",
        MessagePack::Binary(_) => "bytes",
        MessagePack::Array(_) => "an array",
        MessagePack::Map(_) => "a map",
        MessagePack::Ext(..) => "an unknown value",
    }
}

/// Encodes a value as type `ty`.
///
/// An object is encoded with every attribute of its type; attributes that the value does not have
/// are null. If one were left out, Terraform would reject the whole object and lose track of a
/// resource that exists.
///
/// # Errors
/// [`CodecError`] if the value is of another kind, or has attributes that the type does not have.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, CodecError> {
    let raw = encode_value(value, ty, &mut AttributePath::root())?;
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &raw).map_err(|error| CodecError::Malformed {
        format: "MessagePack",
        reason: error.to_string(),
    })?;
    Ok(bytes)
}

fn encode_value(
    value: &Value,
    ty: &Type,
    path: &mut AttributePath,
) -> Result<MessagePack, CodecError> {
    match (ty, value) {
        (_, Value::Null) => Ok(MessagePack::Nil),
        (_, Value::Unknown) => Ok(MessagePack::Ext(UNKNOWN, vec![0])),
        (Type::String, Value::String(text)) => Ok(text.as_str().into()),
        (Type::Bool, Value::Bool(bool)) => Ok((*bool).into()),
        (Type::Number, Value::Number(number)) => Ok(encode_number(number)),
        (Type::List(element) | Type::Set(element), Value::List(elements)) => {
            encode_elements(elements, element, path)
        }
        (Type::Map(element), Value::Map(entries)) => {
            let mut raw = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                path.enter(Step::Key(key.clone()));
                raw.push((key.as_str().into(), encode_value(value, element, path)?));
                path.leave();
            }
            Ok(MessagePack::Map(raw))
        }
        (Type::Object(attributes), Value::Map(values)) => {
            let unsupported: Vec<_> =
                values.keys().filter(|name| !attributes.contains_key(*name)).cloned().collect();
            if !unsupported.is_empty() {
                return Err(Problem::UnsupportedAttributes(unsupported).at(path));
            }
            let mut raw = Vec::with_capacity(attributes.len());
            for (name, ty) in attributes {
                path.enter(Step::Attribute(name.clone()));
                let value = values.get(name).unwrap_or(&Value::Null);
                raw.push((name.as_str().into(), encode_value(value, ty, path)?));
                path.leave();
            }
            Ok(MessagePack::Map(raw))
        }
        _ => Err(Problem::Kind { wanted: wanted(ty), found: value.kind() }.at(path)),
    }
}

fn encode_elements(
    elements: &[Value],
    ty: &Type,
    path: &mut AttributePath,
) -> Result<MessagePack, CodecError> {
    let mut raw = Vec::with_capacity(elements.len());
    for (index, value) in elements.iter().enumerate() {
        path.enter(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        raw.push(encode_value(value, ty, path)?);
        path.leave();
    }
    Ok(MessagePack::Array(raw))
}

fn encode_number(number: &Number) -> MessagePack {
    match number.encoding() {
        // As text, Terraform reads it with the precision with which it reads the state. Otherwise
        // the two differ for `plan -refresh-only`, although they are the same number.
        NumberEncoding::Integer(integer) => integer.to_string().into(),
        NumberEncoding::Float(float) => MessagePack::F64(float),
        NumberEncoding::Text(text) => text.into(),
    }
}
