//! The function `parse_version`: version and description in a file name.

use super::text;
use crate::formats;
use crate::provider::contract::{Function, FunctionError, Parameter, Signature};
use crate::provider::diagnostics;
use crate::value::{Type, Value};

/// The function `parse_version`.
pub(super) struct ParseVersionFunction;

impl Function for ParseVersionFunction {
    fn name(&self) -> &'static str {
        "parse_version"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Version and description in a file name",
            description: "Parses a file name such as `0001_users.sql`, as the format \
                          `plain` does. Folders are ignored, and the extension may be missing. A \
                          name without a version is an error.",
            parameters: vec![Parameter {
                name: "file",
                ty: Type::String,
                description: "Name or path of the file. The file is not read.",
            }],
            returns: Type::object([("description", Type::String), ("version", Type::String)]),
            returns_description: "\
                The `version`, with its digits as written, and the `description`, the rest of \
                the name in words.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        match formats::parse_name(text(arguments, 0)?) {
            Ok((version, description)) => Ok(Value::object([
                ("description", description.into()),
                ("version", version.0.into()),
            ])),
            Err(error) => Err(diagnostics::name_error(&error).of_argument(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_version_or_is_an_error_of_the_argument() {
        let parse = |file: &str| ParseVersionFunction.call(&[file.into()]);

        assert_eq!(
            parse("db/migrations/0001_create_users.sql"),
            Ok(Value::object([("description", "create users".into()), ("version", "0001".into())]))
        );
        let error = parse("db/seed.sql").expect_err("no version");
        assert_eq!(
            error.text,
            "db/seed.sql has no version in its name: expected <digits>_<name>.sql."
        );
        assert_eq!(error.argument, Some(0));
    }
}
