//! Provider functions, one file each. They analyze SQL and file names without a cluster.
//!
//! They are pure: the same arguments give the same result on every machine, and no function reads a
//! file.

mod checksum;
mod lint;
mod parse_version;
mod split;

use super::contract::{Function, FunctionError};
use crate::value::{Input, Value};

/// Returns all functions.
pub(super) fn all() -> Vec<Box<dyn Function>> {
    vec![
        Box::new(checksum::ChecksumFunction),
        Box::new(lint::LintFunction),
        Box::new(parse_version::ParseVersionFunction),
        Box::new(split::SplitFunction),
    ]
}

/// Returns the string argument at `position`. Terraform passes neither null nor unknown values.
fn text(arguments: &[Value], position: usize) -> Result<&str, FunctionError> {
    match arguments.get(position).map(Value::string) {
        Some(Input::Known(text)) => Ok(text),
        _ => Err(FunctionError::new("A string is required.").of_argument(position)),
    }
}

/// Converts a line number to a Terraform value.
fn line_number(line: usize) -> Value {
    u64::try_from(line).unwrap_or(u64::MAX).into()
}
