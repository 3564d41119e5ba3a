//! The function `checksum`: the checksum of a migration, as the ledger records it.

use super::text;
use crate::migration::Checksum;
use crate::provider::contract::{Function, FunctionError, Parameter, Signature};
use crate::value::{Type, Value};

/// The function `checksum`.
pub(super) struct ChecksumFunction;

impl Function for ChecksumFunction {
    fn name(&self) -> &'static str {
        "checksum"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Checksum of a migration",
            description: "Computes the SHA-256 checksum that the ledger and the attribute \
                          `checksum` contain. A byte order mark and the kind of line ending do not \
                          affect it, so every checkout of a file has the same checksum.",
            parameters: vec![Parameter {
                name: "sql",
                ty: Type::String,
                description: "SQL of the migration, such as `file(\"0001_a.sql\")`.",
            }],
            returns: Type::String,
            returns_description: "Checksum, as `sha256:` followed by 64 hexadecimal digits.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        Ok(Checksum::of(text(arguments, 0)?).0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_endings_and_byte_order_mark_do_not_matter() {
        let checksum = |sql: &str| ChecksumFunction.call(&[sql.into()]).expect("a string");

        assert_eq!(
            checksum("SELECT 1;\n"),
            "sha256:b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd".into()
        );
        assert_eq!(checksum("\u{feff}SELECT 1;\r\n"), checksum("SELECT 1;\n"));
    }
}
