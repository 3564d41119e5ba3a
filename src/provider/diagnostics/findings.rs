//! Messages about lint findings, hazards, and variables.
//!
//! All findings of a resource are one diagnostic: of several warnings with the same summary,
//! Terraform shows only the first.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subject, sentence};
use crate::diagnostic::{Diagnostic, Title};
use crate::migration::{Position, Statement, VariableSyntax, Version};
use crate::sql::{self, Collision, Finding, Hazard, HazardSubject, RenderError, UsedName};
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
    /// The object as the catalog knows it.
    pub(in crate::provider) subject: HazardSubject,
    /// The number of rows of the table by the last statistics, where the catalog was asked.
    pub(in crate::provider) estimated_rows: Option<u64>,
}

impl StatementHazard<'_> {
    /// The number of rows that the statement concerns, for a message.
    fn rows(&self) -> Option<String> {
        let (object, rows) = (self.subject.table()?, self.estimated_rows?);
        // A privilege concerns no rows.
        let unit = if rows == 1 { "row" } else { "rows" };
        self.grantee.is_none().then(|| format!("{object}: about {rows} {unit}"))
    }
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
    let total: usize = by_kind.values().map(Vec::len).sum();
    let mut text = String::new();
    for (kind, found) in by_kind {
        text.push_str(&format!("{kind}: {}\n", found[0].hazard.message));
        let lines = found.iter().map(|hazard| {
            let known = hazard.rows().or_else(|| hazard.object.clone());
            let known = known.map(|known| format!(" ({known})")).unwrap_or_default();
            format!("{}{known}", line(hazard.statement))
        });
        text.push_str(&some_lines(lines, if total <= SHOWN { SHOWN } else { 1 }));
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
    some_lines(lines, SHOWN)
}

/// As [`first_lines`], with at most `shown` lines.
fn some_lines(lines: impl ExactSizeIterator<Item = String>, shown: usize) -> String {
    let more = lines.len().saturating_sub(shown);
    let mut text: String = lines.take(shown).map(|line| format!("  {line}\n")).collect();
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

/// The findings by rule, with the places of each. All of them are shown if there are few.
fn report(found: &[StatementFinding<'_>]) -> String {
    let mut rules: Vec<(&str, Vec<&StatementFinding<'_>>)> = Vec::new();
    for finding in found {
        match rules.iter_mut().find(|(rule, _)| *rule == finding.finding.rule) {
            Some((_, of_rule)) => of_rule.push(finding),
            None => rules.push((finding.finding.rule, vec![finding])),
        }
    }
    // The rules with the most findings first; they have the order of the files otherwise.
    rules.sort_by_key(|(_, of_rule)| std::cmp::Reverse(of_rule.len()));
    let is_short = found.len() <= SHOWN;
    let mut replaced = Vec::new();
    let mut text: String = rules
        .iter()
        .take(SHOWN_RULES)
        .map(|(rule, of_rule)| match is_short {
            true => whole_rule(rule, of_rule, &mut replaced),
            false => counted_rule(rule, of_rule),
        })
        .collect();
    if let Some(rest @ [_, ..]) = rules.get(SHOWN_RULES..) {
        let rest: Vec<String> =
            rest.iter().map(|(rule, of_rule)| format!("{rule} ({})", of_rule.len())).collect();
        text.push_str(&format!("Other rules: {}.\n\n", rest.join(", ")));
    }
    if !is_short {
        text.push_str(&whole_list(found));
    }
    text
}

/// How many rules are described.
const SHOWN_RULES: usize = 8;

/// How many places of a rule are shown if not all are.
const SHOWN_PLACES: usize = 3;

/// A rule with all of its findings. Findings with the same words share them. `replaced` are the
/// statements for which an earlier rule has printed what to write.
fn whole_rule<'a>(
    rule: &str,
    found: &[&StatementFinding<'a>],
    replaced: &mut Vec<&'a Statement>,
) -> String {
    let mut text = heading(rule, found.len());
    let words = |it: &StatementFinding<'_>| {
        let Finding { message, suggestion, .. } = &it.finding;
        format!("{}\n{}\n", sentence(message.trim()), sentence(suggestion.trim()))
    };
    for (index, found_here) in found.iter().enumerate() {
        let StatementFinding { statement, finding } = found_here;
        // Terraform does not wrap lines that begin with a space.
        let summary = sql::summary(statement.shown());
        text.push_str(&format!("  {}: {summary}\n", location(found_here)));
        let next = found.get(index + 1);
        let is_last = next.is_none_or(|next| words(next) != words(found_here));
        if is_last {
            text.push_str(&words(found_here));
        }
        let is_new = !replaced.iter().any(|it| std::ptr::eq(*it, *statement));
        if is_new && !finding.replacement.is_empty() {
            replaced.push(statement);
            text.push_str(&format!("{}\n", replacement(finding)));
        }
    }
    text.push('\n');
    text
}

/// A rule with the number of its findings and the first of them.
fn counted_rule(rule: &str, found: &[&StatementFinding<'_>]) -> String {
    let first = &found[0].finding;
    let locations: Vec<String> = found.iter().take(SHOWN_PLACES).map(|it| location(it)).collect();
    let more = match found.len().saturating_sub(SHOWN_PLACES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{}{} {}\n  {}{more}\n\n",
        heading(rule, found.len()),
        sentence(first.message.trim()),
        sentence(first.suggestion.trim()),
        locations.join(", "),
    )
}

fn heading(rule: &str, count: usize) -> String {
    match count {
        1 => format!("{rule}:\n"),
        count => format!("{rule} ({count}):\n"),
    }
}

/// The place of a finding in a file.
fn location(found: &StatementFinding<'_>) -> String {
    let StatementFinding { statement, finding } = found;
    let origin = &statement.origin;
    let position = finding.character.and_then(|character| statement.position_of(character));
    match position {
        Some(Position { line, column }) => origin.at(line, Some(column)),
        None => origin.at(origin.line + finding.line, None),
    }
}

/// How many findings there are in how many files, and how to list all of them.
fn whole_list(found: &[StatementFinding<'_>]) -> String {
    let files: BTreeSet<&str> =
        found.iter().map(|found| found.statement.origin.file.as_str()).collect();
    let count = match files.len() {
        1 => format!("{} findings in 1 file", found.len()),
        files => format!("{} findings in {files} files", found.len()),
    };
    let directory = common_directory(&files);
    let list = directory.map_or_else(String::new, |directory| {
        format!(
            " To list all of them, evaluate in terraform console:\n\n  {{ for f in \
             fileset({directory:?}, \"**/*.sql\") : f => \
             try(provider::dsql::lint(file(\"{directory}/${{f}}\")), null) }}"
        )
    });
    format!("{count}.{list}\n\n")
}

/// The directory that contains all of the files; `None` if they are not in one.
fn common_directory<'a>(files: &BTreeSet<&'a str>) -> Option<&'a str> {
    let (first, last) = (files.first()?, files.last()?);
    // They are sorted, so what these two have in common is common to all.
    let common = first.bytes().zip(last.bytes()).take_while(|(one, other)| one == other).count();
    let (directory, _) = first.get(..common)?.rsplit_once('/')?;
    Some(directory)
}

/// The statements to write in place of a statement. They can be pasted as printed.
pub(in crate::provider) fn replacement(finding: &Finding) -> String {
    let statements =
        finding.replacement.iter().map(|sql| format!("{};", sql.replace('\n', "\n  ")));
    format!("Write:\n  {}", statements.collect::<Vec<_>>().join("\n  "))
}

/// Returns the warning about the hazards of pending statements.
pub(in crate::provider) fn hazards(
    found: &[&StatementHazard<'_>],
    subject: &Subject,
    path: AttributePath,
) -> Diagnostic {
    let mut by_rule: BTreeMap<&str, Vec<(&Statement, Vec<String>)>> = BTreeMap::new();
    for hazard in found {
        let statements = by_rule.entry(hazard.hazard.name).or_default();
        // A statement is listed once, however many objects it concerns.
        match statements.last_mut() {
            Some((last, rows)) if std::ptr::eq(*last, hazard.statement) => {
                rows.extend(hazard.rows());
            }
            _ => statements.push((hazard.statement, hazard.rows().into_iter().collect())),
        }
    }
    let count: usize = by_rule.values().map(Vec::len).sum();
    let mut text = String::new();
    let is_short = found.len() <= SHOWN;
    for rule in sql::RULES {
        let Some(statements) = by_rule.get(rule.name) else { continue };
        let with_rows = |(statement, rows): &(&Statement, Vec<String>)| match rows.as_slice() {
            [] => line(statement),
            rows => format!("{} ({})", line(statement), rows.join(", ")),
        };
        let lines = statements.iter().map(with_rows);
        if is_short {
            text.push_str(&format!("{}: {} {}\n", rule.name, rule.message, rule.help));
            text.push_str(&some_lines(lines, SHOWN));
        } else {
            // One sentence: the guide on linting has the rest.
            let (message, _) = rule.message.split_once(". ").unwrap_or((rule.message, ""));
            let count = statements.len();
            text.push_str(&format!("{} ({count}): {}\n", rule.name, sentence(message)));
            text.push_str(&some_lines(lines, 1));
        }
        text.push('\n');
    }
    text.push_str(
        "These statements are valid, but a reviewer should know about them. To stop reporting a \
         hazard, list it in lint_ignore.",
    );
    let title = match count {
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
