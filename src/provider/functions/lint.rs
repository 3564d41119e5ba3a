//! The function `lint`: statements that DSQL would reject, and hazards.

use super::text;
use crate::provider::contract::{Function, FunctionError, Parameter, Signature};
use crate::provider::diagnostics;
use crate::sql::{self, FindingSeverity, Keys, RunStatement, StatementKind, Surroundings};
use crate::value::{Type, Value};

/// The function `lint`.
pub(super) struct LintFunction;

impl Function for LintFunction {
    fn name(&self) -> &'static str {
        "lint"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Lint findings and hazards in SQL",
            description: "Checks each statement of a migration as a plan does, with `rewrite` off \
                          and without variables. A table that the SQL does not create itself is \
                          assumed to contain rows.",
            parameters: vec![Parameter {
                name: "sql",
                ty: Type::String,
                description: "SQL to check, such as `file(\"0001_a.sql\")`.",
            }],
            returns: Type::list(finding()),
            returns_description: "\
                Findings in the order of the statements. Each has a `line`, counted from 1; a \
                `rule`, which `lint_ignore` accepts; a `kind`, which is `refused` (DSQL is known \
                to reject the statement), `disputed` (a cluster rejected it, and a newer source \
                lists it as supported), `unlisted` (no source lists it as supported by DSQL), \
                `unreadable` (it is not valid in PostgreSQL, as far as the linter knows) or \
                `hazard` (it is valid, but risky); a `message`; a `suggestion`; and a `summary`, the \
                statement in one line.",
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionError> {
        let mut pieces = Vec::new();
        for piece in sql::pieces(text(arguments, 0)?, 1) {
            let piece = piece.map_err(|error| diagnostics::text_error(&error).of_argument(0))?;
            match sql::classify(piece.text) {
                StatementKind::TransactionBegin | StatementKind::TransactionEnd => {}
                StatementKind::Disallowed(disallowed) => {
                    return Err(diagnostics::disallowed(piece.line, &disallowed).of_argument(0));
                }
                StatementKind::Run(_) => pieces.push(piece),
            }
        }
        let texts: Vec<&str> = pieces.iter().map(|piece| piece.text).collect();
        let statements: Vec<_> = texts.iter().map(|text| RunStatement { text, file: "" }).collect();
        let keys = Keys::default();
        let around = Surroundings { awaits_jobs: true, keys: &keys, catalog: None };
        let hazards = sql::hazards(&statements, around);
        let mut found = Vec::new();
        for ((piece, findings), hazards) in pieces.iter().zip(sql::lint(&texts)).zip(hazards) {
            for finding in findings {
                let kind = match finding.severity {
                    FindingSeverity::Rejected => "refused",
                    FindingSeverity::Disputed => "disputed",
                    FindingSeverity::Unlisted => "unlisted",
                    FindingSeverity::Unparsed => "unreadable",
                };
                let mut suggestion = finding.suggestion.clone();
                if !finding.replacement.is_empty() {
                    suggestion = format!("{suggestion} {}", diagnostics::replacement(&finding));
                }
                let message = &finding.message;
                let line = piece.line + finding.line;
                found.push(shown(piece.text, line, kind, finding.rule, message, &suggestion));
            }
            for hazard in hazards.into_iter().map(|found| found.hazard) {
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
    fn findings_and_hazards_have_line_rule_and_kind() {
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
    fn invalid_sql_is_an_error_of_the_argument() {
        let error = LintFunction.call(&["SELECT 'it".into()]).expect_err("invalid SQL");
        assert_eq!(error.argument, Some(0));
        assert_eq!(LintFunction.call(&["".into()]), Ok(Value::List(Vec::new())));
    }
}
