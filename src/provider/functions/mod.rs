//! Provider functions, a file each: what module authors can ask about SQL and files without a
//! cluster.
//!
//! Pure: the same arguments give the same answer on every machine. They look at texts that they
//! are given, and read no file themselves.

pub(super) mod checksum;
pub(super) mod lint;
pub(super) mod parse_version;
pub(super) mod split;

use super::contract::FunctionError;
use crate::value::{Input, Value};

/// The text of the argument at `position`. Terraform does not call with unknown or null ones.
fn text(arguments: &[Value], position: usize) -> Result<&str, FunctionError> {
    match arguments.get(position).map(Value::string) {
        Some(Input::Known(text)) => Ok(text),
        _ => Err(FunctionError::new("A text is required.").of_argument(position)),
    }
}

/// The number of a line as Terraform sees it.
fn line_number(line: usize) -> Value {
    u64::try_from(line).unwrap_or(u64::MAX).into()
}
