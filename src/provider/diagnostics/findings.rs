//! The words of lint findings, hazards and variables.
//!
//! One diagnostic for all findings of a resource, not one for each: Terraform shows of several
//! warnings with the same summary only the first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Subject, sentence};
use crate::diagnostic::Diagnostic;
use crate::migration::{Origin, Statement};
use crate::sql::{self, Finding, Hazard, RenderError};
use crate::value::AttributePath;

/// More findings than this are counted, not shown: nobody reads on, and mending the first ones
/// often mends the rest.
const SHOWN: usize = 20;

/// A finding and its statement.
pub(in crate::provider) struct StatementFinding<'a> {
    pub(in crate::provider) statement: &'a Statement,
    pub(in crate::provider) finding: Finding,
}

/// Statements that DSQL is known to refuse, where that ends a plan.
pub(in crate::provider) fn lint_errors(
    found: &[StatementFinding<'_>],
    path: AttributePath,
) -> Diagnostic {
    let mended = found.iter().any(|found| {
        let rewrites = sql::REWRITES.iter().any(|rewrite| rewrite.rule == found.finding.rule);
        rewrites && sql::rewrite(found.statement.shown()).is_some()
    });
    let mend = if mended {
        "Mend the statements, or set rewrite = \"safe\", which mends those that DSQL only spells \
         in another way."
    } else {
        "Mend the statements."
    };
    Diagnostic::error("SQL not supported by Aurora DSQL")
        .detail(format!(
            "{}Nothing was run. {mend} If DSQL accepts by now what the linter refuses, name the \
             rule in lint_ignore, or set lint = \"warn\".",
            report(found)
        ))
        .at(path)
}

/// The same, and statements that the linter cannot read, where that ends nothing.
pub(in crate::provider) fn lint_warnings(
    found: &[StatementFinding<'_>],
    subject: &Subject,
    path: AttributePath,
) -> Diagnostic {
    Diagnostic::warning(format!("Possibly unsupported SQL in {subject}"))
        .detail(format!(
            "{}The plan goes on; DSQL itself decides at apply. A rule that is wrong here can be \
             named in lint_ignore.",
            report(found)
        ))
        .at(path)
}

/// Statements in which a linter has seen names of variables instead of their values.
pub(in crate::provider) fn linted_without_values(
    statements: &[&Statement],
    subject: &Subject,
    path: AttributePath,
) -> Diagnostic {
    let mut text =
        "Values of variables are known only at apply, so the linter has read the names of \
                    the variables in their place:\n\n"
            .to_owned();
    for statement in statements.iter().take(SHOWN) {
        let line = sql::summary(statement.shown());
        writeln!(text, "  {}: {line}", statement.origin).unwrap_or_default();
    }
    if let Some(more @ 1..) = statements.len().checked_sub(SHOWN) {
        writeln!(text, "  … and {more} more").unwrap_or_default();
    }
    text.push_str(
        "\nWhat it finds there is a warning. The apply lints them with the values, before it runs \
         anything.",
    );
    Diagnostic::warning(format!("Statements were linted without variable values in {subject}"))
        .detail(text)
        .at(path)
}

fn report(found: &[StatementFinding<'_>]) -> String {
    let mut text = String::new();
    for StatementFinding { statement, finding } in found.iter().take(SHOWN) {
        let Origin { file, line } = &statement.origin;
        // Lines that begin with a blank are not broken by Terraform.
        text.push_str(&format!(
            "{file}:{}: {}\n  {}\n{}\n{}\n\n",
            line + finding.line,
            finding.rule,
            sql::summary(statement.shown()),
            sentence(finding.message.trim()),
            sentence(finding.suggestion.trim()),
        ));
    }
    if let Some(more @ 1..) = found.len().checked_sub(SHOWN) {
        text.push_str(&format!("… and {more} more.\n\n"));
    }
    text
}

/// What pending statements may do that a reviewer should know of.
pub(in crate::provider) fn hazards(
    found: &[(&Statement, &'static Hazard)],
    subject: &Subject,
    path: AttributePath,
) -> Diagnostic {
    let mut by_rule: BTreeMap<&str, Vec<&Statement>> = BTreeMap::new();
    for (statement, hazard) in found {
        by_rule.entry(hazard.name).or_default().push(statement);
    }
    let mut text = String::new();
    for rule in sql::RULES {
        let Some(statements) = by_rule.get(rule.name) else { continue };
        text.push_str(&format!("{}: {} {}\n", rule.name, rule.message, rule.help));
        for statement in statements.iter().take(SHOWN) {
            let line = sql::summary(statement.shown());
            writeln!(text, "  {}: {line}", statement.origin).unwrap_or_default();
        }
        if let Some(more @ 1..) = statements.len().checked_sub(SHOWN) {
            text.push_str(&format!("  … and {more} more\n"));
        }
        text.push('\n');
    }
    text.push_str(
        "These statements are valid; this is for the review. A kind that needs no mention can be \
         named in lint_ignore.",
    );
    let count = match found.len() {
        1 => "1 hazard".to_owned(),
        n => format!("{n} hazards"),
    };
    Diagnostic::warning(format!("{count} in {subject}")).detail(text).at(path)
}

/// Variables that cannot be put into a statement. `known` are the names that are set.
pub(in crate::provider) fn render_error(
    error: &RenderError,
    statement: &Statement,
    known: &[&str],
) -> Diagnostic {
    let Origin { file, line } = &statement.origin;
    let position = format!("{file}:{}", line + error.line());
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let (summary, advice) = match error {
        RenderError::Unknown { .. } => (
            "Undefined variable in a migration",
            format!("Set it in variables (set are: {known}), or write $${{ for a literal ${{."),
        ),
        RenderError::Malformed { .. } => {
            ("Malformed variable reference", "Write $${ for a literal ${.".to_owned())
        }
        RenderError::BreaksOut { .. } => (
            "Variable value changes the statement",
            "A value may be a part of a name or of a literal, or whole words between others, but \
             not end what it stands in. In a literal write a quote twice: replace(value, \"'\", \
             \"''\")."
                .to_owned(),
        ),
    };
    Diagnostic::error(summary)
        .detail(format!("{position}: {}\n\n{advice}", sentence(&error.to_string())))
        .at("variables")
}

/// A value that makes a statement another kind of statement.
pub(in crate::provider) fn another_kind(statement: &Statement) -> Diagnostic {
    Diagnostic::error("Variable value changes the statement")
        .detail(format!(
            "{}: with the values put in, this is not a statement of the class {} any more, as the \
             plan shows it.\n\nWrite the words that a statement begins with into the file.",
            statement.origin, statement.class
        ))
        .at("variables")
}
