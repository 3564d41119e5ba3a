//! Converts protocol messages to native types.

use super::wire::tfplugin6 as wire;
use crate::chain::chain;
use crate::diagnostic::{Diagnostic, Title};
use crate::value::{CodecError, Type, Value, decode, decode_json};

/// Decodes a value of type `ty`. Terraform sends `MessagePack` and may send JSON. A message without
/// bytes is null.
pub(super) fn value(message: Option<&wire::DynamicValue>, ty: &Type) -> Result<Value, Diagnostic> {
    let Some(message) = message else { return Ok(Value::Null) };
    let decoded = if !message.msgpack.is_empty() {
        decode(&message.msgpack, ty)
    } else if !message.json.is_empty() {
        decode_json(&message.json, ty)
    } else {
        Ok(Value::Null)
    };
    decoded.map_err(|error| {
        Diagnostic::error(Title::UndecodableValue).detail(format!(
            "{}.\n\nThe value does not match the schema of the provider. Either Terraform used the \
             schema of another provider version, or this is a bug in the provider.",
            chain(&error)
        ))
    })
}

/// Decodes a state in the form in which Terraform stores it.
pub(super) fn stored_state(
    state: Option<&wire::RawState>,
    ty: &Type,
) -> Result<Value, StoredStateError> {
    match state {
        Some(state) if !state.json.is_empty() => Ok(decode_json(&state.json, ty)?),
        Some(state) if !state.flatmap.is_empty() => Err(StoredStateError::Flatmap),
        _ => Err(StoredStateError::Missing),
    }
}

/// The error of a stored state that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum StoredStateError {
    #[error(
        "the state has the format of Terraform 0.11, which no version of this provider has written"
    )]
    Flatmap,
    #[error("Terraform sent no state")]
    Missing,
    #[error(transparent)]
    Codec(#[from] CodecError),
}
