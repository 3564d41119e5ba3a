//! Messages about lint findings, hazards, and variables.
//!
//! All findings of a resource are one diagnostic: of several warnings with the same summary,
//! Terraform shows only the first.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subject, sentence};
use crate::diagnostic::{Diagnostic, Title};
use crate::migration::{Position, Statement, VariableSyntax, Version};
use crate::sql::{self, Collision, Finding, Hazard, RenderError, UsedName};
use crate::value::AttributePath;

/// Further findings are counted, not shown: fixing the first ones often fixes the others.
const SHOWN: usize = 20;

/// A finding and its statement.
pub(in crate::provider) struct StatementFinding<'a> {
    pub(in crate::provider) statement: &'a Statement,
    pub(in crate::provider) finding: Finding,
}

/// A hazard of a statement that a run sends.
#[derive(Debug, Clone)]
pub(in crate::provider) struct StatementHazard<'a> {
    pub(in crate::provider) version: &'a Version,
    pub(in crate::provider) statement: &'a Statement,
    pub(in crate::provider) hazard: &'static Hazard,
    /// The name of the object, with the names of variables in place of hidden values.
    pub(in crate::provider) object: Option<String>,
    /// The same for the role that gains or loses a privilege.
    pub(in crate::provider) grantee: Option<String>,
}

/// Returns the error about hazards that `deny_hazards` denies.
pub(in crate::provider) fn denied_hazards(
    found: &[StatementHazard<'_>],
    denied: &BTreeSet<String>,
) -> Option<Diagnostic> {
    let mut by_kind: BTreeMap<&str, Vec<&StatementHazard<'_>>> = BTreeMap::new();
    for hazard in found.iter().filter(|found| denied.contains(found.hazard.name)) {
        by_kind.entry(hazard.hazard.name).or_default().push(hazard);
    }
    if by_kind.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (kind, found) in by_kind {
        text.push_str(&format!("{kind}: {}\n", found[0].hazard.message));
        let lines = found.iter().map(|StatementHazard { statement, object, .. }| {
            let object = object.as_ref().map(|object| format!(" ({object})")).unwrap_or_default();
            format!("{}{object}", line(statement))
        });
        text.push_str(&first_lines(lines));
        text.push('\n');
    }
    text.push_str(
        "Nothing was run. Change the statements, or have the hazard reviewed and remove its kind \
         from deny_hazards.",
    );
    Some(Diagnostic::error(Title::DeniedHazards).detail(text).at("deny_hazards"))
}

/// Returns the error about statements that DSQL is known to reject.
pub(in crate::provider) fn lint_errors(
    found: &[StatementFinding<'_>],
    path: AttributePath,
) -> Diagnostic {
    let left = left_by_rewrite(found);
    let fixed = found.len() - left.values().sum::<usize>();
    let advice = match fixed {
        0 => "Fix the statements.".to_owned(),
        _ if left.is_empty() => {
            "Fix the statements, or set rewrite = \"safe\", which rewrites all \
                                 of them to syntax of DSQL."
                .to_owned()
        }
        fixed => {
            let count = |(rule, count): (&&str, &usize)| format!("{rule} ({count})");
            let rules: Vec<String> = left.iter().map(count).collect();
            format!(
                "rewrite = \"safe\" fixes {fixed} of {} findings. To be fixed by hand: {}.",
                found.len(),
                rules.join(", ")
            )
        }
    };
    Diagnostic::error(Title::UnsupportedSql)
        .detail(format!(
            "{}Nothing was run. {advice} If DSQL accepts what the linter reports, list the rule in \
             lint_ignore, or set lint = \"warn\".",
            report(found)
        ))
        .at(path)
}

/// The place and the text of a statement.
fn line(statement: &Statement) -> String {
    format!("{}: {}", statement.origin, sql::summary(statement.shown()))
}

/// An indented list of the first lines, and how many follow.
fn first_lines(lines: impl ExactSizeIterator<Item = String>) -> String {
    let more = lines.len().saturating_sub(SHOWN);
    let mut text: String = lines.take(SHOWN).map(|line| format!("  {line}\n")).collect();
    if more > 0 {
        text.push_str(&format!("  … and {more} more\n"));
    }
    text
}

/// The number of findings of each rule that remain with `rewrite = "safe"`.
fn left_by_rewrite<'a>(found: &[StatementFinding<'a>]) -> BTreeMap<&'static str, usize> {
    let mut left = BTreeMap::new();
    // The rules of the statement before, whose findings precede those of the next.
    let mut rewritten: Option<(&'a Statement, Vec<Finding>)> = None;
    for StatementFinding { statement, finding } in found {
        if rewritten.as_ref().is_none_or(|(of, _)| !std::ptr::eq(*of, *statement)) {
            let findings = sql::rewrite(statement.shown())
                .map(|text| sql::lint(&[text]).pop().unwrap_or_default());
            rewritten = findings.map(|findings| (*statement, findings));
        }
        let remains = rewritten.as_ref().is_none_or(|(_, findings)| {
            findings.iter().any(|remaining| remaining.rule == finding.rule)
        });
        if remains {
            *left.entry(finding.rule).or_default() += 1;
        }
    }
    left
}

/// Returns the error about statements that give two objects one name. The collisions refer to
/// `statements`.
pub(in crate::provider) fn collisions(
    found: &[Collision],
    statements: &[&Statement],
    path: AttributePath,
) -> Diagnostic {
    let mut text = "The server truncates names to 63 bytes. Afterward, these names are the same, \
                    so the second object cannot be created, or IF NOT EXISTS skips it:\n"
        .to_owned();
    for Collision { name, first, second } in found.iter().take(SHOWN) {
        for UsedName { statement, written } in [first, second] {
            let origin = &statements[*statement].origin;
            text.push_str(&format!("\n  {origin}: {written}"));
        }
        text.push_str(&format!("\n  name in the database: {name}\n"));
    }
    if let Some(more @ 1..) = found.len().checked_sub(SHOWN) {
        text.push_str(&format!("\n… and {more} more.\n"));
    }
    text.push_str("\nNothing was run. Shorten one of the two names.");
    Diagnostic::error(Title::NameCollision).detail(text).at(path)
}

/// Returns the warning about statements that DSQL may reject or that the linter cannot parse.
pub(in crate::provider) fn lint_warnings(
    found: &[StatementFinding<'_>],
    subject: &Subject,
    path: AttributePath,
) -> Diagnostic {
    Diagnostic::warning(Title::PossiblyUnsupportedSql.fill(&[&subject]))
        .detail(format!(
            "{}The plan continues, and DSQL decides at apply. If a rule is wrong in your case, \
             list it in lint_ignore.",
            report(found)
        ))
        .at(path)
}

/// Returns the warning about statements that were linted with the names of variables in place of
/// their values.
pub(in crate::provider) fn linted_without_values(
    statements: &[&Statement],
    subject: &Subject,
    path: AttributePath,
) -> Diagnostic {
    let mut text =
        "Values of variables are known only at apply, so these statements were linted with the \
         names of the variables:\n\n"
            .to_owned();
    text.push_str(&first_lines(statements.iter().map(|statement| line(statement))));
    text.push_str(
        "\nFindings in these statements are warnings. The apply lints them with the values before \
         it runs anything.",
    );
    Diagnostic::warning(Title::LintedWithoutValues.fill(&[&subject])).detail(text).at(path)
}

fn report(found: &[StatementFinding<'_>]) -> String {
    let mut text = String::new();
    for (index, StatementFinding { statement, finding }) in found.iter().enumerate().take(SHOWN) {
        let origin = &statement.origin;
        let position = finding.character.and_then(|character| statement.position_of(character));
        let location = match position {
            Some(Position { line, column }) => origin.at(line, Some(column)),
            None => origin.at(origin.line + finding.line, None),
        };
        // Terraform does not wrap lines that begin with a space.
        text.push_str(&format!(
            "{location}: {}\n  {}\n{}\n{}\n\n",
            finding.rule,
            sql::summary(statement.shown()),
            sentence(finding.message.trim()),
            sentence(finding.suggestion.trim()),
        ));
        // Once for each statement, after its last finding.
        let next = found.get(index + 1).map(|found| found.statement);
        let is_last = next.is_none_or(|next| !std::ptr::eq(next, *statement));
        if is_last && !finding.replacement.is_empty() {
            text.truncate(text.trim_end().len());
            text.push_str(&format!("\n{}\n\n", replacement(finding)));
        }
    }
    if let Some(more @ 1..) = found.len().checked_sub(SHOWN) {
        text.push_str(&format!("… and {more} more.\n\n"));
    }
    text
}

/// The statements to write in place of a statement. They can be pasted as printed.
pub(in crate::provider) fn replacement(finding: &Finding) -> String {
    let statements =
        finding.replacement.iter().map(|sql| format!("{};", sql.replace('\n', "\n  ")));
    format!("Write:\n  {}", statements.collect::<Vec<_>>().join("\n  "))
}

/// Returns the warning about the hazards of pending statements.
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
        text.push_str(&first_lines(statements.iter().map(|statement| line(statement))));
        text.push('\n');
    }
    text.push_str(
        "These statements are valid, but a reviewer should know about them. To stop reporting a \
         hazard, list it in lint_ignore.",
    );
    let title = match found.len() {
        1 => Title::OneHazard.fill(&[&subject]),
        n => Title::Hazards.fill(&[&n, &subject]),
    };
    Diagnostic::warning(title).detail(text).at(path)
}

/// Returns the error for variables that cannot be substituted. `known` are the names that are set.
pub(in crate::provider) fn render_error(
    error: &RenderError,
    statement: &Statement,
    syntax: VariableSyntax,
    known: &[&str],
) -> Diagnostic {
    let origin = &statement.origin;
    let position = origin.at(origin.line + error.line(), None);
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let literal = match syntax {
        VariableSyntax::Flyway => {
            "set placeholderReplacement=false in the .conf file of the script if ${ is literal text"
        }
        VariableSyntax::Own | VariableSyntax::Off => "write $${ for a literal ${",
    };
    let (title, advice) = match error {
        RenderError::Unknown { .. } => (
            Title::UndefinedVariable,
            format!("Set it in variables (currently set: {known}), or {literal}."),
        ),
        RenderError::Malformed { .. } => (Title::MalformedVariable, sentence(literal)),
        RenderError::BreaksOut { .. } => (
            Title::ValueChangesStatement,
            "A value can be part of a name or literal, or one or more whole words. It cannot end \
             the name or literal that contains it. In a literal, double each quotation mark: \
             replace(value, \"'\", \"''\")."
                .to_owned(),
        ),
    };
    Diagnostic::error(title)
        .detail(format!("{position}: {}\n\n{advice}", sentence(&error.to_string())))
        .at("variables")
}

/// Returns the error for a value that changes the class of a statement.
pub(in crate::provider) fn another_kind(statement: &Statement) -> Diagnostic {
    Diagnostic::error(Title::ValueChangesStatement)
        .detail(format!(
            "{}: with the values of the variables, this statement no longer belongs to the class \
             {} that the plan shows.\n\nWrite the keywords with which the statement begins in the \
             file, not in a variable.",
            statement.origin, statement.class
        ))
        .at("variables")
}
