//! `split`: the statements of a text.

use super::super::contract::{Function, FunctionError, Parameter, Signature};
use super::super::diagnostics;
use super::text;
use crate::migration::Class;
use crate::sql::{self, StatementKind};
use crate::value::{Type, Value};

/// The function.
pub(in super::super) struct SplitFunction;

impl Function for SplitFunction {
    fn name(&self) -> &'static str {
        "split"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Statements of an SQL text",
            description: "Splits a text into its statements, as an apply would run them: at \
                          semicolons that stand in no literal, comment, parenthesis or function \
                          body. `BEGIN` and `COMMIT` only group and are left out. A text that is \
                          not complete, and a statement that has no index in a migration, are \
                          errors that name the line.",
            parameters: vec![Parameter {
                name: "sql",
                ty: Type::String,
                description: "The text, for example `file(\"0001_a.sql\")`.",
            }],
            returns: Type::list(statement()),
            answer: "The statements in order: `sql` without the semicolon, `class` (`ddl`, \
                     `async-index`, `validate`, `dml`, `batch` or `grant`), `line`, counted from 1, \
                     and `summary`, the statement in one line.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let mut statements = Vec::new();
        let text = text(arguments, 0)?;
        let batches = sql::batches(text, 1).map_err(|misplaced| {
            diagnostics::refused(misplaced.line, &misplaced.disallowed).of_argument(0)
        })?;
        for (index, piece) in sql::pieces(text, 1).enumerate() {
            let piece = piece.map_err(|error| diagnostics::text_error(&error).of_argument(0))?;
            match sql::classify(piece.text) {
                StatementKind::TransactionBegin | StatementKind::TransactionEnd => {}
                StatementKind::Disallowed(disallowed) => {
                    return Err(diagnostics::refused(piece.line, &disallowed).of_argument(0));
                }
                StatementKind::Run(class) => {
                    let class = if batches.contains(&index) { Class::Batch } else { class };
                    statements.push(Value::object([
                        ("class", class.as_str().into()),
                        ("line", super::line_number(piece.line)),
                        ("sql", piece.text.into()),
                        ("summary", sql::summary(piece.text).into()),
                    ]));
                }
            }
        }
        Ok(Value::List(statements))
    }
}

fn statement() -> Type {
    Type::object([
        ("class", Type::String),
        ("line", Type::Number),
        ("sql", Type::String),
        ("summary", Type::String),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sql: &str) -> Result<Value, FunctionError> {
        SplitFunction.call(&[sql.into()])
    }

    #[test]
    fn statements_come_with_class_line_and_summary() {
        let found = split("BEGIN;\nCREATE TABLE a\n  (id int); -- ;\nCOMMIT; SELECT ';'");

        let statement = |class: &str, line: u64, sql: &str, summary: &str| {
            Value::object([
                ("class", class.into()),
                ("line", line.into()),
                ("sql", sql.into()),
                ("summary", summary.into()),
            ])
        };
        assert_eq!(
            found,
            Ok(Value::List(vec![
                statement("ddl", 2, "CREATE TABLE a\n  (id int)", "CREATE TABLE a (id int)"),
                statement("dml", 4, "SELECT ';'", "SELECT ';'"),
            ]))
        );
        assert_eq!(split("-- nothing"), Ok(Value::List(Vec::new())));
    }

    #[test]
    fn a_statement_that_runs_in_batches_says_so() {
        let update = "UPDATE t SET a = 1 WHERE a = 0";
        let found = split(&format!("-- dsql:batch\n{update};\n{update}")).expect("statements");
        let Value::List(found) = found else { panic!("{found:?}") };
        assert_eq!(found[0].get("class"), Some(&"batch".into()));
        assert_eq!(found[1].get("class"), Some(&"dml".into()));
        let error = split("-- dsql:batch\nSELECT 1").expect_err("nothing to repeat");
        assert!(error.text.starts_with("Line 1 holds `-- dsql:batch`"), "{}", error.text);
    }

    #[test]
    fn what_is_broken_or_refused_is_an_error_of_the_argument_with_its_line() {
        let error = split("SELECT 1;\nSELECT 'it").expect_err("it is broken");
        assert_eq!(error.text, "Line 2: string literal is not terminated.");
        assert_eq!(error.argument, Some(0));

        let error = split("SELECT 1;\n\nROLLBACK;").expect_err("it is refused");
        assert_eq!(
            error.text,
            "Line 3 holds ROLLBACK: a migration is forward-only, so there is nothing to roll back. \
             Remove the statement."
        );
        assert_eq!(error.argument, Some(0));
    }
}
