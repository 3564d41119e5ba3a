//! `parse_version`: what the name of a file says.

use super::super::contract::{Function, FunctionError, Parameter, Signature};
use super::super::diagnostics;
use super::text;
use crate::formats;
use crate::value::{Type, Value};

/// The function.
pub(in super::super) struct ParseVersionFunction;

impl Function for ParseVersionFunction {
    fn name(&self) -> &'static str {
        "parse_version"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Version and description that a file name tells",
            description: "Reads the name of a file such as `0001_create_users.sql`, as \
                          `dsql_migration` and the format `plain` do. What stands before the last \
                          slash does not count, and `.sql` may be absent. A name that tells no \
                          version is an error.",
            parameters: vec![Parameter {
                name: "file",
                ty: Type::String,
                description: "Name or path of the file. It is not read.",
            }],
            returns: Type::object([("description", Type::String), ("version", Type::String)]),
            answer: "`version`, the digits as written, and `description`, the rest in words.",
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
    fn a_path_tells_its_version_or_an_error_of_the_argument() {
        let parse = |file: &str| ParseVersionFunction.call(&[file.into()]);

        assert_eq!(
            parse("db/migrations/0001_create_users.sql"),
            Ok(Value::object([("description", "create users".into()), ("version", "0001".into())]))
        );
        let error = parse("db/seed.sql").expect_err("it has no version");
        assert_eq!(
            error.text,
            "`db/seed.sql` has no version in its name: expected `<digits>_<name>.sql`."
        );
        assert_eq!(error.argument, Some(0));
    }
}
