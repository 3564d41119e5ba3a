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
//! `gaps.rs`, `columns.rs`, `keys.rs` and `queries.rs` find what DSQL is known to reject and
//! dsql-lint accepts, and `dialects.rs` finds words of other databases. `disputed.rs` lists
//! statements about which sources disagree. A test compares all of this with the facts that are
//! recorded for the emulator.

mod accepted;
mod advice;
mod columns;
mod continued;
mod decided;
mod dialects;
mod disputed;
mod earlier;
mod elements;
#[cfg(test)]
mod facts;
mod form;
mod gaps;
mod input;
mod keys;
mod names;
mod postgres;
mod queries;
mod repair;
mod suggest;

use std::collections::BTreeSet;
use std::thread;

use self::earlier::EarlierObjects;
use self::input::LintInput;
use super::tokens::{StatementToken, TokenBuf, Tokens};

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
    /// The statements to write in place of the statement, with the author's names. Empty if they do
    /// not follow from it. All findings of a statement have the same.
    pub replacement: Vec<String>,
}

/// How certain a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingSeverity {
    /// DSQL is known to reject the statement.
    Rejected,
    /// A cluster rejected the statement, and a newer source lists it as supported.
    Disputed,
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

/// Lints statements that run one after the other. Returns a list of findings for each, in the order
/// of their positions.
///
/// A statement that is too large for dsql-lint has no findings from it. Such a statement is an
/// `INSERT` of many rows, about which it has no rules.
#[must_use]
pub fn lint<S: AsRef<str>>(statements: &[S]) -> Vec<Vec<Finding>> {
    let mut earlier = EarlierObjects::default();
    let mut all: Vec<Vec<Finding>> = Vec::new();
    for sql in statements {
        let sql = sql.as_ref();
        let statement = TokenBuf::of(sql);
        let parts = elements::parts(statement.all());
        all.push(parts.iter().flat_map(|part| ours(*part, &earlier, Location { sql })).collect());
        parts.into_iter().for_each(|part| earlier.advance(part));
    }
    for (index, findings) in from_dsql_lint(statements) {
        let statement = TokenBuf::of(statements[index].as_ref());
        let ours = &mut all[index];
        let known: Vec<_> = findings
            .into_iter()
            .filter(|finding| !accepted::accepts(finding.rule, statement.all()))
            // A finding of ours is more specific than one of the same rule, and than an unknown
            // statement.
            .filter(|finding| ours.iter().all(|our| our.rule != finding.rule))
            .filter(|finding| !is_about_unknown(finding) || ours.is_empty())
            .collect();
        ours.extend(known);
        ours.sort_by_key(|finding| (finding.line, finding.character));
        for finding in ours.iter_mut().filter(|finding| finding.suggestion.contains("{name}")) {
            let name = suggest::subject(statement.all());
            finding.suggestion = finding.suggestion.replace("{name}", &name);
        }
    }
    suggest_replacements(statements, &mut all);
    all
}

/// Adds the statements to write in place of rejected ones, if they are not rejected themselves.
fn suggest_replacements<S: AsRef<str>>(statements: &[S], all: &mut [Vec<Finding>]) {
    let mut earlier = EarlierObjects::default();
    let mut suggested: Vec<(usize, String)> = Vec::new();
    let mut wrong = BTreeSet::new();
    for (index, (sql, findings)) in statements.iter().zip(all.iter()).enumerate() {
        let sql = sql.as_ref();
        if findings.iter().any(is_rejection) {
            for text in suggest::instead(sql, &earlier) {
                let statement = TokenBuf::of(&text);
                let ours = ours(statement.all(), &earlier, Location { sql: &text });
                wrong.extend(ours.iter().any(is_rejection).then_some(index));
                suggested.push((index, text));
            }
        }
        let statement = TokenBuf::of(sql);
        elements::parts(statement.all()).into_iter().for_each(|part| earlier.advance(part));
    }
    let texts: Vec<&str> = suggested.iter().map(|(_, text)| text.as_str()).collect();
    for (number, findings) in from_dsql_lint(&texts) {
        let statement = TokenBuf::of(texts[number]);
        let is_right =
            |it: &Finding| !is_rejection(it) || accepted::accepts(it.rule, statement.all());
        wrong.extend((!findings.iter().all(is_right)).then_some(suggested[number].0));
    }
    for (index, text) in suggested.into_iter().filter(|(index, _)| !wrong.contains(index)) {
        all[index].iter_mut().for_each(|finding| finding.replacement.push(text.clone()));
    }
}

fn is_rejection(finding: &Finding) -> bool {
    finding.severity == FindingSeverity::Rejected
}

/// Returns what the rules of this folder find.
fn ours(statement: Tokens<'_>, earlier: &EarlierObjects, location: Location<'_>) -> Vec<Finding> {
    let mut findings = gaps::findings(statement, location);
    findings.extend(disputed::finding(statement, location));
    findings.extend(columns::findings(statement, earlier, location));
    findings.extend(keys::findings(statement, earlier, location));
    findings.extend(queries::findings(statement, earlier, location));
    findings.extend(dialects::findings(statement, earlier, location));
    findings
}

/// The statement in which findings have a position.
#[derive(Clone, Copy)]
struct Location<'a> {
    sql: &'a str,
}

impl Location<'_> {
    /// Returns a finding about a token.
    fn finding(
        self,
        rule: &'static str,
        severity: FindingSeverity,
        at: &StatementToken<'_>,
        message: String,
        suggestion: String,
    ) -> Finding {
        let before = &self.sql[..at.start];
        let suggestion = match advice::advice(rule) {
            Some(advice) if suggestion.is_empty() => advice.to_owned(),
            _ => suggestion,
        };
        let (line, character) = (before.matches('\n').count(), before.chars().count() + 1);
        let (character, replacement) = (Some(character), Vec::new());
        Finding { rule, severity, line, character, message, suggestion, replacement }
    }

    /// Returns a finding about a token that makes DSQL reject the statement.
    fn rejected(
        self,
        rule: &'static str,
        at: &StatementToken<'_>,
        message: String,
        suggestion: String,
    ) -> Finding {
        self.finding(rule, FindingSeverity::Rejected, at, message, suggestion)
    }
}

fn is_about_unknown(finding: &Finding) -> bool {
    use FindingSeverity::{Disputed, Rejected, Unlisted, Unparsed};
    match finding.severity {
        Rejected | Disputed => false,
        Unlisted | Unparsed => true,
    }
}

/// Whether there is a rule with this name.
#[must_use]
pub fn is_rule(name: &str) -> bool {
    let ours = [columns::NAMES, disputed::NAMES, gaps::NAMES, keys::NAMES, queries::NAMES];
    names::NAMES.contains(&name)
        || ours.iter().any(|names| names.contains(&name))
        || [decided::UNLISTED, dialects::NAME].contains(&name)
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
            replacement: Vec::new(),
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
