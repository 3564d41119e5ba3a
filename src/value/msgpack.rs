//! The `MessagePack` form of values, as Terraform and providers exchange it.

use std::collections::BTreeMap;

use rmpv::{Integer, Utf8String, Value as MessagePack};

use super::{AttributePath, CodecError, Number, Problem, Step, Type, Value, wanted};

/// Extension type of an unknown value of which nothing more is said.
const UNKNOWN: i8 = 0;

/// Decodes a value of type `ty`.
///
/// Every extension is an unknown value: refinements (extension 12) say more about a value that is
/// still unknown, and nothing here needs them.
///
/// # Errors
/// [`CodecError`] if the bytes are not exactly one `MessagePack` value of the type.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, CodecError> {
    let malformed = |reason: String| CodecError::Malformed { format: "MessagePack", reason };
    let mut rest = bytes;
    let raw = rmpv::decode::read_value(&mut rest).map_err(|error| malformed(error.to_string()))?;
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes follow the value", rest.len())));
    }
    take(raw, ty, &mut AttributePath::root())
}

fn take(raw: MessagePack, ty: &Type, path: &mut AttributePath) -> Result<Value, CodecError> {
    let problem = |found: &MessagePack| Problem::Kind { wanted: wanted(ty), found: kind(found) };
    match (ty, raw) {
        (_, MessagePack::Nil) => Ok(Value::Null),
        (_, MessagePack::Ext(..)) => Ok(Value::Unknown),
        (Type::String, MessagePack::String(text)) => Ok(Value::String(utf8(text)?)),
        (Type::Bool, MessagePack::Boolean(bool)) => Ok(Value::Bool(bool)),
        (Type::Number, raw) => match take_number(&raw) {
            Some(number) => number.map(Value::Number).map_err(|problem| problem.at(path)),
            None => Err(problem(&raw).at(path)),
        },
        (Type::List(element) | Type::Set(element), MessagePack::Array(elements)) => {
            take_elements(elements, |_| element, path)
        }
        (Type::Tuple(types), MessagePack::Array(elements)) => {
            if types.len() != elements.len() {
                let (wanted, found) = (types.len(), elements.len());
                return Err(Problem::TupleLength { wanted, found }.at(path));
            }
            take_elements(elements, |index| &types[index], path)
        }
        (Type::Map(element), MessagePack::Map(entries)) => {
            let mut map = BTreeMap::new();
            for (key, raw) in entries {
                let key = take_key(key, path)?;
                path.enter(Step::Key(key.clone()));
                let value = take(raw, element, path)?;
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
                let name = take_key(key, path)?;
                let Some(ty) = attributes.get(&name) else {
                    unsupported.push(name);
                    continue;
                };
                path.enter(Step::Attribute(name.clone()));
                let value = take(raw, ty, path)?;
                path.leave();
                object.insert(name, value);
            }
            if !unsupported.is_empty() {
                return Err(Problem::UnsupportedAttributes(unsupported).at(path));
            }
            Ok(Value::Map(object))
        }
        (Type::Dynamic, MessagePack::Array(parts)) => {
            let found = MessagePack::Array(Vec::new());
            let Ok([ty, raw]) = <[MessagePack; 2]>::try_from(parts) else {
                return Err(problem(&found).at(path));
            };
            let json = match &ty {
                MessagePack::Binary(json) => json.as_slice(),
                MessagePack::String(json) => json.as_bytes(),
                other => return Err(problem(other).at(path)),
            };
            let ty = Type::from_json(json).map_err(|error| Problem::from(error).at(path))?;
            let value = take(raw, &ty, path)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
        (_, raw) => Err(problem(&raw).at(path)),
    }
}

fn take_elements<'t>(
    elements: Vec<MessagePack>,
    type_of: impl Fn(usize) -> &'t Type,
    path: &mut AttributePath,
) -> Result<Value, CodecError> {
    let mut values = Vec::with_capacity(elements.len());
    for (index, raw) in elements.into_iter().enumerate() {
        path.enter(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        values.push(take(raw, type_of(index), path)?);
        path.leave();
    }
    Ok(Value::List(values))
}

/// Integers, floats and decimal text are all numbers; `None` for anything else.
fn take_number(raw: &MessagePack) -> Option<Result<Number, Problem>> {
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

fn take_key(key: MessagePack, path: &AttributePath) -> Result<String, CodecError> {
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
/// An object gets every attribute of its type: those that the value has not are null. One left out
/// would make the core refuse the whole object, and with it forget a resource that exists.
///
/// # Errors
/// [`CodecError`] if the value is not of the type: of another kind, or with attributes that the
/// type does not have.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, CodecError> {
    let raw = give(value, ty, &mut AttributePath::root())?;
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &raw).map_err(|error| CodecError::Malformed {
        format: "MessagePack",
        reason: error.to_string(),
    })?;
    Ok(bytes)
}

fn give(value: &Value, ty: &Type, path: &mut AttributePath) -> Result<MessagePack, CodecError> {
    match (ty, value) {
        (_, Value::Null) => Ok(MessagePack::Nil),
        (_, Value::Unknown) => Ok(MessagePack::Ext(UNKNOWN, vec![0])),
        (Type::String, Value::String(text)) => Ok(text.as_str().into()),
        (Type::Bool, Value::Bool(bool)) => Ok((*bool).into()),
        (Type::Number, Value::Number(number)) => Ok(give_number(number)),
        (Type::List(element) | Type::Set(element), Value::List(elements)) => {
            give_elements(elements, |_| element, path)
        }
        (Type::Tuple(types), Value::List(elements)) => {
            if types.len() != elements.len() {
                let (wanted, found) = (types.len(), elements.len());
                return Err(Problem::TupleLength { wanted, found }.at(path));
            }
            give_elements(elements, |index| &types[index], path)
        }
        (Type::Map(element), Value::Map(entries)) => {
            let mut raw = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                path.enter(Step::Key(key.clone()));
                raw.push((key.as_str().into(), give(value, element, path)?));
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
                raw.push((name.as_str().into(), give(value, ty, path)?));
                path.leave();
            }
            Ok(MessagePack::Map(raw))
        }
        (Type::Dynamic, Value::Dynamic(typed)) => {
            let (ty, value) = &**typed;
            match value {
                Value::Null => Ok(MessagePack::Nil),
                Value::Unknown => Ok(MessagePack::Ext(UNKNOWN, vec![0])),
                known => {
                    let raw = give(known, ty, path)?;
                    let ty = MessagePack::Binary(ty.to_json().into_bytes());
                    Ok(MessagePack::Array(vec![ty, raw]))
                }
            }
        }
        _ => Err(Problem::Kind { wanted: wanted(ty), found: value.kind() }.at(path)),
    }
}

fn give_elements<'t>(
    elements: &[Value],
    type_of: impl Fn(usize) -> &'t Type,
    path: &mut AttributePath,
) -> Result<MessagePack, CodecError> {
    let mut raw = Vec::with_capacity(elements.len());
    for (index, value) in elements.iter().enumerate() {
        path.enter(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        raw.push(give(value, type_of(index), path)?);
        path.leave();
    }
    Ok(MessagePack::Array(raw))
}

/// As the core does it: an integer, else an exact float, else decimal text.
fn give_number(number: &Number) -> MessagePack {
    if let Some(integer) = number.to_i64() {
        MessagePack::Integer(Integer::from(integer))
    } else if let Some(float) = number.to_exact_fraction() {
        MessagePack::F64(float)
    } else {
        number.to_string().into()
    }
}
