//! What DSQL would refuse: the adapter over the crate dsql-lint, AWS's own linter.
//!
//! Advice, not judgement. The server decides, and it learns new statements faster than any linter:
//! DSQL widened its SQL six times between July and September 2026 (release notes in its user
//! guide). So each finding passes three filters before it may stop a plan:
//!
//! - what dsql-lint cannot *read* is no evidence of anything, because its parser is not the
//!   server's (see [`FindingSeverity::Unparsed`]);
//! - what it refuses although DSQL accepts it is dropped, see `accepted.rs`;
//! - what it says of transactions does not concern a migration, because the provider opens the
//!   transactions itself. Statements go in one by one, so it never sees one.
//!
//! The other way round, what DSQL is known to refuse and dsql-lint lets pass is in `gaps.rs`.

mod accepted;
mod form;
mod gaps;
mod input;
mod names;

use std::thread;

use self::input::LintInput;
use super::tokens::TokenBuf;

/// What a linter has found in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule, in snake case: what `lint_ignore` names.
    pub rule: &'static str,
    /// How much it counts.
    pub severity: FindingSeverity,
    /// How many lines below the first line of its statement.
    pub line: usize,
    /// What is wrong, in sentences.
    pub message: String,
    /// What to do instead, in sentences.
    pub suggestion: String,
}

/// How much a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingSeverity {
    /// DSQL is known to refuse the statement.
    Rejected,
    /// The linter cannot read the statement; DSQL may well accept it.
    Unparsed,
}

/// The rule of what the linter cannot read.
const PARSE_ERROR: &str = "parse_error";

/// The statements are linted on a thread with this stack. dsql-lint walks and drops its syntax
/// tree recursively, and an overflow is not a panic: it would end the process.
const STACK: usize = 64 << 20;

/// Lints statements one by one; a list of findings for each, in the order of their lines.
///
/// A statement that is too large for dsql-lint has no findings from it: such a statement is an
/// `INSERT` of many rows, in which there is nothing for it to find.
#[must_use]
pub fn lint<S: AsRef<str>>(statements: &[S]) -> Vec<Vec<Finding>> {
    let mut all: Vec<Vec<Finding>> =
        statements.iter().map(|sql| gaps::findings(TokenBuf::of(sql.as_ref()).all())).collect();
    for (index, findings) in from_dsql_lint(statements) {
        let statement = TokenBuf::of(statements[index].as_ref());
        let known: Vec<_> = findings
            .into_iter()
            .filter(|finding| !accepted::accepts(finding.rule, statement.all()))
            // A known disallowed says more than that the linter could not read the statement.
            .filter(|finding| finding.rule != PARSE_ERROR || all[index].is_empty())
            .collect();
        all[index].extend(known);
        all[index].sort_by_key(|finding| finding.line);
    }
    all
}

/// Whether a name is that of a rule.
#[must_use]
pub fn is_rule(name: &str) -> bool {
    names::NAMES.contains(&name) || gaps::NAMES.contains(&name)
}

/// The findings of dsql-lint by the place of their statement.
///
/// If it panics, or if there is no memory for its thread, the rest of the statements stays
/// without findings: a linter that fails must not stop a migration.
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

fn findings(input: &LintInput) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for diagnostic in dsql_lint::lint_sql(&input.text) {
        let rule = names::name(diagnostic.rule);
        let unreadable = rule == PARSE_ERROR;
        let finding = Finding {
            rule,
            severity: if unreadable {
                FindingSeverity::Unparsed
            } else {
                FindingSeverity::Rejected
            },
            line: input.line(diagnostic.line),
            message: without_place(&diagnostic.message).to_owned(),
            suggestion: if unreadable {
                "If DSQL accepts it, nothing is to be done.".to_owned()
            } else {
                diagnostic.suggestion
            },
        };
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// The message of dsql-lint's parser ends with a place in the statement, which is not the place in
/// the file.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at Line: ").map_or(message, |(message, _)| message)
}

#[cfg(test)]
mod tests;
