//! Compares the linter with the facts about DSQL that are recorded for the emulator.

use super::*;
use crate::sql::{StatementKind, classify};

const FACTS: &str = include_str!("../../../dsql-local/tests/conformance/facts.txt");

/// A fact that was recorded on a cluster or that AWS documents.
#[derive(Default)]
struct RecordedFact {
    name: &'static str,
    setup: Vec<&'static str>,
    /// Each statement with the error that it gets.
    steps: Vec<(&'static str, Option<&'static str>)>,
}

/// Refusals that the text of the statement does not decide, and why.
const NOT_IN_THE_TEXT: &[(&str, &str)] = &[
    ("two ddl in one transaction", "the provider opens transactions"),
    ("ddl then dml", "the provider opens transactions"),
    ("two grants in one transaction", "the provider opens transactions"),
    ("grant then revoke", "the provider opens transactions"),
    ("two ddl in one message", "the provider sends statements one by one"),
    ("ddl and dml in one message", "the provider sends statements one by one"),
    ("a table and its index in one message", "the provider sends statements one by one"),
    ("an unknown type", "it may be a domain in the catalog"),
    ("a cast to an unknown type", "it may be a domain in the catalog"),
    ("query memory", "it depends on the rows"),
    ("ten schemas", "it depends on the catalog"),
    ("twenty-four indexes", "it depends on the catalog"),
    ("five extended statistics", "it depends on the catalog"),
];

/// Facts whose statements are accepted only after another one that a migration must not contain.
const ONLY_AFTER_OTHERS: &[(&str, &str)] =
    &[("a plain index on an empty table", "it needs SET disable_sync_create_index = off")];

/// Errors of data, of transactions and of objects that do not exist.
const OF_THE_DATABASE: &[&str] =
    &["22P02", "23503", "23514", "25006", "25P02", "40001", "42710", "42P01"];

fn facts() -> Vec<RecordedFact> {
    let mut facts: Vec<RecordedFact> = Vec::new();
    let mut is_certain = false;
    for line in FACTS.lines().map(str::trim) {
        if let Some((name, rest)) = line.strip_prefix('[').and_then(|head| head.split_once("] ")) {
            is_certain = rest.starts_with(['R', 'D']);
            facts.push(RecordedFact { name, ..RecordedFact::default() });
        }
        let Some(fact) = facts.last_mut().filter(|_| is_certain) else { continue };
        if let Some(sql) = line.strip_prefix("+ ") {
            fact.setup.push(sql);
        } else if let Some(error) = line.strip_prefix("! ") {
            fact.steps.last_mut().expect("a statement").1 = Some(error);
        } else if line.starts_with(|first: char| first.is_ascii_uppercase())
            && let Some((session, sql)) = line.split_once(": ")
            && !session.contains(' ')
        {
            fact.steps.push((sql, None));
        }
    }
    facts
}

/// Whether a statement is reported as wrong, by the linter or because no migration may have it.
fn is_reported(earlier: &[&str], sql: &str) -> bool {
    let statements: Vec<&str> = earlier.iter().copied().chain([sql]).collect();
    let findings = lint(&statements).pop().unwrap_or_default();
    let is_known = |finding: &Finding| finding.severity != FindingSeverity::Unparsed;
    findings.iter().any(is_known) || matches!(classify(sql), StatementKind::Disallowed(_))
}

#[test]
fn every_recorded_or_documented_refusal_of_a_statement_is_reported() {
    let (mut missed, mut checked) = (Vec::new(), 0);
    for fact in facts() {
        let mut earlier = fact.setup.clone();
        for (sql, error) in fact.steps {
            let Some(error) = error else {
                earlier.push(sql);
                continue;
            };
            let of_database = OF_THE_DATABASE.iter().any(|code| error.starts_with(code));
            // What a write exceeds depends on the rows.
            let head = sql.split(' ').next().unwrap_or_default();
            let of_rows = error.starts_with("54000")
                && ["INSERT", "UPDATE", "DELETE", "COMMIT"].contains(&head);
            let is_exempt = NOT_IN_THE_TEXT.iter().any(|(name, _)| *name == fact.name);
            if of_database || of_rows || is_exempt {
                continue;
            }
            checked += 1;
            if !is_reported(&earlier, sql) {
                missed.push(format!("[{}] {sql}: {error}", fact.name));
            }
        }
    }
    assert!(missed.is_empty(), "{} of {checked}:\n{}", missed.len(), missed.join("\n"));
    assert!(checked > 150, "{checked}");
}

#[test]
fn no_recorded_or_documented_acceptance_of_a_statement_is_reported() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    let needs_others = |name: &str| ONLY_AFTER_OTHERS.iter().any(|(of, _)| *of == name);
    for fact in facts().into_iter().filter(|fact| !needs_others(fact.name)) {
        let mut accepted = fact.setup.clone();
        accepted.extend(fact.steps.iter().filter(|(_, error)| error.is_none()).map(|it| it.0));
        for (sql, findings) in accepted.iter().zip(lint(&accepted)) {
            checked += 1;
            let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
            if !rules.is_empty() {
                wrong.push(format!("[{}] {sql}: {}", fact.name, rules.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 400, "{checked}");
}

#[test]
fn every_exemption_is_of_a_refusal_that_is_not_reported() {
    for (name, why) in NOT_IN_THE_TEXT {
        let all = facts();
        let fact = all.iter().find(|fact| fact.name == *name).expect(name);
        let refused = fact.steps.iter().filter(|(_, error)| error.is_some());
        let reported = refused.filter(|(sql, _)| is_reported(&fact.setup, sql)).count();
        assert_eq!(reported, 0, "{name}: {why}");
    }
}
