//! `lint`: what DSQL would refuse in a text, and what a reviewer should know of it.

use super::super::contract::{Function, FunctionError, Parameter, Signature};
use super::super::diagnostics;
use super::text;
use crate::sql::{self, FindingSeverity, StatementKind};
use crate::value::{Type, Value};

/// The function.
pub(in super::super) struct LintFunction;

impl Function for LintFunction {
    fn name(&self) -> &'static str {
        "lint"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "What Aurora DSQL would refuse in an SQL text",
            description: "Splits a text as `split` does and looks at each statement as a plan \
                          does, with `rewrite` off and without variables. Tables count as tables \
                          with rows, except those that the text itself creates before.",
            parameters: vec![Parameter {
                name: "sql",
                ty: Type::String,
                description: "The text, for example `file(\"0001_a.sql\")`.",
            }],
            returns: Type::list(finding()),
            answer: "The findings in the order of the statements: `line`, counted from 1; `rule`, \
                     as `lint_ignore` names it; `kind`: `refused` (DSQL is known to refuse it), \
                     `unreadable` (the linter cannot read it) or `hazard` (valid, but worth a \
                     look); `message`, `suggestion`, and `summary`, the statement in one line.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let mut pieces = Vec::new();
        for piece in sql::pieces(text(arguments, 0)?, 1) {
            let piece = piece.map_err(|error| diagnostics::text_error(&error).of_argument(0))?;
            match sql::classify(piece.text) {
                StatementKind::TransactionBegin | StatementKind::TransactionEnd => {}
                StatementKind::Disallowed(disallowed) => {
                    return Err(diagnostics::refused(piece.line, &disallowed).of_argument(0));
                }
                StatementKind::Run(_) => pieces.push(piece),
            }
        }
        let texts: Vec<&str> = pieces.iter().map(|piece| piece.text).collect();
        let mut found = Vec::new();
        for ((piece, findings), hazards) in
            pieces.iter().zip(sql::lint(&texts)).zip(sql::hazards(&texts))
        {
            for finding in findings {
                let kind = match finding.severity {
                    FindingSeverity::Rejected => "refused",
                    FindingSeverity::Unparsed => "unreadable",
                };
                let (message, suggestion) = (&finding.message, &finding.suggestion);
                let line = piece.line + finding.line;
                found.push(shown(piece.text, line, kind, finding.rule, message, suggestion));
            }
            for hazard in hazards {
                let (line, text) = (piece.line, piece.text);
                found.push(shown(text, line, "hazard", hazard.name, hazard.message, hazard.help));
            }
        }
        Ok(Value::List(found))
    }
}

fn shown(
    statement: &str,
    line: usize,
    kind: &str,
    rule: &str,
    message: &str,
    suggestion: &str,
) -> Value {
    Value::object([
        ("kind", kind.into()),
        ("line", super::line_number(line)),
        ("message", message.into()),
        ("rule", rule.into()),
        ("suggestion", suggestion.into()),
        ("summary", sql::summary(statement).into()),
    ])
}

fn finding() -> Type {
    Type::object([
        ("kind", Type::String),
        ("line", Type::Number),
        ("message", Type::String),
        ("rule", Type::String),
        ("suggestion", Type::String),
        ("summary", Type::String),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Number;

    #[test]
    fn findings_and_hazards_come_with_line_rule_and_kind() {
        let sql = "CREATE TABLE t (\n  id serial);\nDROP TABLE u;\nCRATE TABLE v;\nSELECT 1";

        let Ok(Value::List(found)) = LintFunction.call(&[sql.into()]) else { panic!("no list") };

        let part = |name: &str| -> Vec<Value> {
            found.iter().filter_map(|finding| finding.get(name)).cloned().collect()
        };
        assert_eq!(part("rule"), ["serial_type", "drop_table", "parse_error"].map(Value::from));
        assert_eq!(part("kind"), ["refused", "hazard", "unreadable"].map(Value::from));
        assert_eq!(part("line"), [2_u64, 3, 4].map(|line| Value::from(Number::from(line))));
        assert_eq!(part("summary")[1], Value::from("DROP TABLE u"));
    }

    #[test]
    fn what_is_broken_is_an_error_of_the_argument() {
        let error = LintFunction.call(&["SELECT 'it".into()]).expect_err("it is broken");
        assert_eq!(error.argument, Some(0));
        assert_eq!(LintFunction.call(&["".into()]), Ok(Value::List(Vec::new())));
    }
}
