//! Finds statements that DSQL rejects: the adapter for dsql-lint, the linter from AWS.
//!
//! To warn about a statement that DSQL accepts, add a hazard; `hazards/README.md` describes how.
//!
//! Findings are advice. The server decides, and it learns new statements faster than any linter:
//! DSQL extended its SQL six times between July and September 2026 (release notes in its user
//! guide). So each finding passes three filters before it can fail a plan:
//!
//! - A statement that dsql-lint cannot *parse* may still be valid, because its parser is not that
//!   of the server. PostgreSQL's grammar decides (`postgres.rs`). What DSQL rejects in it is found
//!   from its words (`decided.rs`) and in the rest, which dsql-lint can parse (`repair.rs`).
//! - A statement that it rejects although DSQL accepts it is not reported, see `accepted.rs`.
//! - Its rules about transactions do not apply, because the provider opens transactions itself.
//!   dsql-lint receives statements one by one, so it never sees a transaction.
//!
//! `advice.rs` replaces suggestions that do not apply to migrations of this provider. Conversely,
//! `gaps.rs` lists statements that DSQL is known to reject and dsql-lint accepts.

mod accepted;
mod advice;
mod continued;
mod decided;
mod elements;
mod form;
mod gaps;
mod input;
mod names;
mod postgres;
mod repair;

use std::thread;

use self::input::LintInput;
use super::tokens::{TokenBuf, Tokens};

/// A problem in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule in snake case, as `lint_ignore` names it.
    pub rule: &'static str,
    /// How certain it is.
    pub severity: FindingSeverity,
    /// Number of lines below the first line of the statement.
    pub line: usize,
    /// The number of its character in the statement, from 1. `None` if only the line is known.
    pub character: Option<usize>,
    /// What is wrong, in sentences.
    pub message: String,
    /// What to do instead, in sentences.
    pub suggestion: String,
}

/// How certain a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingSeverity {
    /// DSQL is known to reject the statement.
    Rejected,
    /// PostgreSQL has the statement, and no source lists it as supported by DSQL.
    Unlisted,
    /// The linter cannot parse the statement, but DSQL may accept it.
    Unparsed,
}

/// The rule that reports statements that dsql-lint cannot parse.
const PARSE_ERROR: &str = "parse_error";

/// Stack size of the thread that lints. dsql-lint walks and drops its syntax tree recursively, and
/// a stack overflow is not a panic: it aborts the process.
const STACK: usize = 64 << 20;

/// Lints statements one by one. Returns a list of findings for each, in the order of their lines.
///
/// A statement that is too large for dsql-lint has no findings from it. Such a statement is an
/// `INSERT` of many rows, about which it has no rules.
#[must_use]
pub fn lint<S: AsRef<str>>(statements: &[S]) -> Vec<Vec<Finding>> {
    let mut all: Vec<Vec<Finding>> =
        statements.iter().map(|sql| from_gaps(TokenBuf::of(sql.as_ref()).all())).collect();
    for (index, findings) in from_dsql_lint(statements) {
        let statement = TokenBuf::of(statements[index].as_ref());
        let known: Vec<_> = findings
            .into_iter()
            .filter(|finding| !accepted::accepts(finding.rule, statement.all()))
            // A gap is more specific than an unknown statement.
            .filter(|finding| !is_about_unknown(finding) || all[index].is_empty())
            .collect();
        all[index].extend(known);
        all[index].sort_by_key(|finding| finding.line);
    }
    all
}

fn from_gaps(statement: Tokens<'_>) -> Vec<Finding> {
    elements::parts(statement).into_iter().flat_map(gaps::findings).collect()
}

fn is_about_unknown(finding: &Finding) -> bool {
    finding.severity != FindingSeverity::Rejected
}

/// Whether there is a rule with this name.
#[must_use]
pub fn is_rule(name: &str) -> bool {
    names::NAMES.contains(&name) || gaps::NAMES.contains(&name) || name == decided::UNLISTED
}

/// Returns the findings of dsql-lint, each list with the index of its statement.
///
/// If dsql-lint panics, or if its thread cannot be started, there are no findings: a linter that
/// fails must not stop a migration.
fn from_dsql_lint<S: AsRef<str>>(statements: &[S]) -> Vec<(usize, Vec<Finding>)> {
    let inputs: Vec<(usize, LintInput)> = statements
        .iter()
        .enumerate()
        .filter_map(|(index, sql)| Some((index, LintInput::of(sql.as_ref())?)))
        .collect();
    let worker = thread::Builder::new().name("dsql-lint".to_owned()).stack_size(STACK);
    let spawned = worker
        .spawn(move || inputs.iter().map(|(index, input)| (*index, findings(input))).collect());
    spawned.ok().and_then(|running| running.join().ok()).unwrap_or_default()
}

/// Returns what dsql-lint finds, or what is known about a statement that it cannot parse.
fn findings(input: &LintInput) -> Vec<Finding> {
    let statement = TokenBuf::of(&input.text);
    let parts = elements::parts(statement.all());
    if parts.len() > 1 {
        return parts.iter().flat_map(|part| findings(&input.only(*part))).collect();
    }
    let read = shown(dsql_lint::lint_sql(&input.text), input);
    let is_parsed = read.iter().all(|finding| finding.rule != PARSE_ERROR);
    if is_parsed {
        return read;
    }
    let is_small = statement.all().len() <= repair::LARGEST;
    let rest = if is_small { repair::diagnostics(&input.text) } else { None };
    let mut findings = shown(rest.unwrap_or_default(), input);
    for decided in decided::findings(statement.all()) {
        if findings.iter().all(|finding| finding.rule != decided.rule) {
            findings.push(decided);
        }
    }
    if findings.is_empty() {
        findings.extend(decided::unlisted(statement.all()));
    }
    let is_valid = || is_small && postgres::accepts(&input.text);
    if findings.is_empty() && !is_valid() { read } else { findings }
}

/// Converts findings of dsql-lint. Equal ones are returned once.
fn shown(diagnostics: Vec<dsql_lint::Diagnostic>, input: &LintInput) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for diagnostic in diagnostics {
        let rule = names::name(diagnostic.rule);
        let unparsed = rule == PARSE_ERROR;
        let (message, position) = split_position(&diagnostic.message);
        let character = position.and_then(|(line, column)| input.character(line, column));
        let message = match message.rsplit_once("sql parser error: ") {
            Some((_, problem)) => format!("The linter cannot parse the statement: {problem}"),
            None => message.to_owned(),
        };
        let finding = Finding {
            rule,
            severity: if unparsed { FindingSeverity::Unparsed } else { FindingSeverity::Rejected },
            line: input.line(diagnostic.line),
            character,
            message,
            suggestion: match advice::advice(rule) {
                _ if unparsed => "If DSQL accepts the statement, no change is needed.".to_owned(),
                Some(advice) => advice.to_owned(),
                None => diagnostic.suggestion,
            },
        };
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// Splits the line and the column off the end of a message of dsql-lint's parser. They are those in
/// the text that it received.
fn split_position(message: &str) -> (&str, Option<(usize, usize)>) {
    let Some((message, position)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let numbers = position.split_once(", Column: ");
    let parsed =
        numbers.and_then(|(line, column)| Some((line.parse().ok()?, column.parse().ok()?)));
    (message, parsed)
}

#[cfg(test)]
mod tests;
