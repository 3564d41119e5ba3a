//! The function `split`: the statements of a migration.

use super::text;
use crate::migration::{Class, VariableSyntax};
use crate::provider::contract::{Function, FunctionError, Parameter, Signature};
use crate::provider::diagnostics;
use crate::sql::{self, StatementDirective, StatementKind};
use crate::value::{Type, Value};

/// The function `split`.
pub(super) struct SplitFunction;

impl Function for SplitFunction {
    fn name(&self) -> &'static str {
        "split"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Statements of a migration",
            description: "Splits SQL into the statements that an apply would run. Semicolons in \
                          literals, comments, parentheses and function bodies do not end a \
                          statement, and `BEGIN` and `COMMIT` are left out. Incomplete SQL and \
                          statements that are not allowed in a migration are errors.",
            parameters: vec![Parameter {
                name: "sql",
                ty: Type::String,
                description: "SQL to split, such as `file(\"0001_a.sql\")`.",
            }],
            returns: Type::list(statement()),
            returns_description: "\
                Statements in order. Each has its `sql` without the semicolon; a `class`, which \
                is `ddl`, `async-index`, `validate`, `dml`, `batch` or `grant`; a `line`, \
                counted from 1; and a `summary`, the statement in one line.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let mut statements = Vec::new();
        let text = text(arguments, 0)?;
        let directives = sql::directives(text, 1, VariableSyntax::Own).map_err(|misplaced| {
            diagnostics::disallowed(misplaced.line, &misplaced.disallowed).of_argument(0)
        })?;
        for (index, piece) in sql::pieces(text, 1).enumerate() {
            let piece = piece.map_err(|error| diagnostics::text_error(&error).of_argument(0))?;
            match sql::classify(piece.text) {
                StatementKind::TransactionBegin | StatementKind::TransactionEnd => {}
                StatementKind::Disallowed(disallowed) => {
                    return Err(diagnostics::disallowed(piece.line, &disallowed).of_argument(0));
                }
                StatementKind::Run(class) => {
                    let is_batch = directives.get(&index) == Some(&StatementDirective::Batch);
                    let class = if is_batch { Class::Batch } else { class };
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
    fn statements_have_class_line_and_summary() {
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
    fn a_statement_that_runs_in_batches_has_its_own_class() {
        let update = "UPDATE t SET a = 1 WHERE a = 0";
        let found = split(&format!("-- dsql:batch\n{update};\n{update}")).expect("statements");
        let Value::List(found) = found else { panic!("{found:?}") };
        assert_eq!(found[0].get("class"), Some(&"batch".into()));
        assert_eq!(found[1].get("class"), Some(&"dml".into()));
        let error = split("-- dsql:batch\nSELECT 1").expect_err("not allowed");
        assert!(error.text.starts_with("Line 1 contains `-- dsql:batch`"), "{}", error.text);
    }

    #[test]
    fn invalid_and_disallowed_sql_is_an_error_of_the_argument_with_its_line() {
        let error = split("SELECT 1;\nSELECT 'it").expect_err("invalid SQL");
        assert_eq!(error.text, "Line 2: string literal is not terminated.");
        assert_eq!(error.argument, Some(0));

        let error = split("SELECT 1;\n\nROLLBACK;").expect_err("not allowed");
        assert_eq!(
            error.text,
            "Line 3 contains ROLLBACK: a migration is forward-only, so there is nothing to roll back. \
             Remove the statement."
        );
        assert_eq!(error.argument, Some(0));
    }
}
