//! `checksum`: what the ledger keeps of a migration's text.

use super::super::contract::{Function, FunctionError, Parameter, Signature};
use super::text;
use crate::migration::Checksum;
use crate::value::{Type, Value};

/// The function.
pub(in super::super) struct ChecksumFunction;

impl Function for ChecksumFunction {
    fn name(&self) -> &'static str {
        "checksum"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Checksum of a migration, as the ledger and the plan have it",
            description: "SHA-256 of a text, as `checksum` of `dsql_migration` and of the \
                          migrations of a set: without a byte order mark and with LF line ends, so \
                          that a checkout with other line ends has the same one.",
            parameters: vec![Parameter {
                name: "sql",
                ty: Type::String,
                description: "The whole text of the file, for example `file(\"0001_a.sql\")`.",
            }],
            returns: Type::String,
            answer: "`sha256:` and 64 hexadecimal digits.",
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
    fn line_ends_and_byte_order_mark_do_not_count() {
        let checksum = |sql: &str| ChecksumFunction.call(&[sql.into()]).expect("it is a text");

        assert_eq!(
            checksum("SELECT 1;\n"),
            "sha256:b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd".into()
        );
        assert_eq!(checksum("\u{feff}SELECT 1;\r\n"), checksum("SELECT 1;\n"));
    }
}
