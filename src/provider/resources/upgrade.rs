//! States that earlier versions of the schemas have stored.

use super::computed::{STATEMENTS, joined};
use crate::provider::contract::EarlierSchema;
use crate::schema::Schema;
use crate::value::{Type, Value};

/// The version of the schemas of both resources.
pub(super) const SCHEMA_VERSION: i64 = 1;

/// The schema of both resources in an earlier version. In version 0, `statements` was a list.
pub(super) fn earlier(schema: &Schema, version: i64) -> Option<EarlierSchema> {
    if version != 0 {
        return None;
    }
    let mut ty = schema.implied_type();
    list_statements(&mut ty);
    Some(EarlierSchema { ty, upgrade: join_statements })
}

/// Makes every attribute `statements` in a type a list.
fn list_statements(ty: &mut Type) {
    match ty {
        Type::Object(attributes) => {
            attributes.values_mut().for_each(list_statements);
            if let Some(statements) = attributes.get_mut(STATEMENTS) {
                *statements = Type::list(Type::String);
            }
        }
        Type::List(element) | Type::Set(element) | Type::Map(element) => list_statements(element),
        Type::String | Type::Number | Type::Bool => {}
    }
}

/// Joins the lines of every attribute `statements` in a value.
fn join_statements(mut value: Value) -> Value {
    if let Value::Map(entries) = &mut value {
        for (name, value) in entries {
            let inner = std::mem::replace(value, Value::Null);
            *value = match inner {
                Value::List(lines) if name == STATEMENTS => {
                    let lines = lines.iter().filter_map(|line| line.string().known());
                    joined(lines.map(str::to_owned))
                }
                inner => join_statements(inner),
            };
        }
    }
    value
}
