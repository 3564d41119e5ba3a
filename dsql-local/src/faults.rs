//! Faults on demand: rules that wait for a statement and then break the connection, the answer or the time it takes.
//!
//! A statement is shown to the first rule that fits it, which counts it; the rule fires at its nth one and is used up.
//! So two rules for `COMMIT` are for the first and the second one. Nothing here knows how a fault is brought about; see
//! `wire/injection.rs`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regex_lite::Regex;
use tokio::sync::watch;

/// What happens to the statement that a rule has waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends, and the cluster has not seen the statement. What its message held before it has run.
    CloseBefore,
    /// The connection ends after the statement has taken effect, without an answer: if it commits, it has committed,
    /// and the client cannot know.
    CloseAfter,
    /// The connection ends while the statement is on its way: it takes effect, but maybe after the client is back.
    CloseInFlight,
    /// `40001`, `change conflicts with another transaction (OC000)`, in place of the statement.
    DataConflict,
    /// `40001`, `schema has been updated by another transaction (OC001)`, in place of the statement.
    SchemaConflict,
    /// `XX000`, `server unavailable`, in place of the statement.
    UnavailableBefore,
    /// `XX000`, `server unavailable`, as the answer to a statement that has committed all the same. In the middle of
    /// a transaction there is no commit to hide, and it is [`Fault::UnavailableBefore`].
    UnavailableAfter,
    /// Any other error, in place of the statement.
    Error {
        /// The SQLSTATE.
        code: String,
        /// The primary message.
        message: String,
    },
    /// The statement's message reaches the cluster later.
    DelayBefore(Duration),
    /// The statement takes effect at once, and its answer is late.
    DelayAnswer(Duration),
    /// The statement waits until [`Cluster::release_held`](crate::Cluster::release_held), and is run then, with what
    /// follows it in its message, even if its client has gone. After [`Cluster::close_held`](crate::Cluster::close_held)
    /// it is not run, and the connection ends.
    HoldBefore,
    /// The statement takes effect at once, and its answer waits until
    /// [`Cluster::release_held`](crate::Cluster::release_held). After [`Cluster::close_held`](crate::Cluster::close_held)
    /// there is no answer, and the connection ends.
    HoldAnswer,
}

/// What happens to a log-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogInFault {
    /// `unable to accept connection, waking up cluster, please retry later`: the cluster was inactive.
    Asleep,
    /// `53300`, `Unable to accept connection, too many open connections.`
    TooManyConnections,
    /// `53400`, `Unable to accept connection, rate exceeded.`
    RateExceeded,
    /// `unable to accept connection, access denied`: what a token that has expired gets, among others.
    AccessDenied,
    /// The connection ends without a word.
    Close,
}

/// Which statements a rule counts: all that fit every criterion given.
#[derive(Debug, Clone)]
pub struct Matcher {
    pattern: Option<Pattern>,
    command: Option<String>,
    user: Option<String>,
    session: Option<usize>,
    /// How many more have to come, this one included.
    nth: usize,
}

#[derive(Debug, Clone)]
enum Pattern {
    Substring(String),
    Regex(Regex),
}

/// A text that is no regular expression.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{pattern:?} is no regular expression")]
pub struct InvalidRegex {
    /// The text.
    pub pattern: String,
    source: regex_lite::Error,
}

impl Matcher {
    /// Any statement.
    pub fn any() -> Self {
        Self { pattern: None, command: None, user: None, session: None, nth: 1 }
    }

    /// Statements whose text holds this one, in the same case.
    pub fn containing(text: impl Into<String>) -> Self {
        Self { pattern: Some(Pattern::Substring(text.into())), ..Self::any() }
    }

    /// Statements that the expression finds something in.
    pub fn regex(pattern: &str) -> Result<Self, InvalidRegex> {
        let regex = Regex::new(pattern)
            .map_err(|source| InvalidRegex { pattern: pattern.to_owned(), source })?;
        Ok(Self { pattern: Some(Pattern::Regex(regex)), ..Self::any() })
    }

    /// Statements of this command, as in `COMMIT`, `INSERT` or `CREATE INDEX`.
    ///
    /// It is read off the text: `END` is `COMMIT`, `CREATE UNIQUE INDEX ASYNC` is `CREATE INDEX`, and what begins with
    /// a `WITH` is `WITH`.
    pub fn command(tag: &str) -> Self {
        Self { command: Some(tag.to_ascii_uppercase()), ..Self::any() }
    }

    /// Only those of this command too; see [`Matcher::command`].
    #[must_use]
    pub fn and_command(mut self, tag: &str) -> Self {
        self.command = Some(tag.to_ascii_uppercase());
        self
    }

    /// Only those of sessions of this role.
    #[must_use]
    pub fn by_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Only those of this session; the first to log in is 1.
    #[must_use]
    pub fn in_session(mut self, session: usize) -> Self {
        self.session = Some(session);
        self
    }

    /// The nth of them instead of the first. 0 is taken for 1.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.nth = nth.max(1);
        self
    }

    fn fits(&self, statement: &ReceivedStatement<'_>) -> bool {
        let text = match &self.pattern {
            None => true,
            Some(Pattern::Substring(text)) => statement.sql.contains(text.as_str()),
            Some(Pattern::Regex(regex)) => regex.is_match(statement.sql),
        };
        text && self.command.as_ref().is_none_or(|command| *command == command_of(statement.sql))
            && self.user.as_ref().is_none_or(|user| user == statement.user)
            && self.session.is_none_or(|session| session == statement.session)
    }
}

/// A rule's number, from 1 in the order of their making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u64);

/// A fault that has happened, or that a statement is held by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredFault {
    /// The rule that it came from, and that is used up.
    pub rule: RuleId,
    /// What happened.
    pub fault: Fault,
    /// The number of the session it happened to.
    pub session: usize,
    /// The statement it happened to.
    pub sql: String,
}

/// A statement that may meet a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceivedStatement<'a> {
    pub(crate) session: usize,
    pub(crate) user: &'a str,
    pub(crate) sql: &'a str,
}

/// A rule that has met its statement. It is reported once it has happened, or put back if it could not.
#[derive(Debug)]
pub(crate) struct MatchedRule {
    rule: Rule,
    session: usize,
    sql: String,
}

#[derive(Debug)]
struct Rule {
    id: RuleId,
    matcher: Matcher,
    fault: Fault,
}

/// What becomes of statements that are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Release {
    #[default]
    Resume,
    Close,
}

/// The rules that wait, and what has come of the others.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
    releases: watch::Sender<Release>,
}

#[derive(Debug, Default)]
struct State {
    made: u64,
    waiting: Vec<Rule>,
    fired: Vec<FiredFault>,
    login_faults: VecDeque<LogInFault>,
}

impl Faults {
    pub(crate) fn add(&self, matcher: Matcher, fault: Fault) -> RuleId {
        let mut state = self.state();
        state.made += 1;
        let id = RuleId(state.made);
        state.waiting.push(Rule { id, matcher, fault });
        id
    }

    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.waiting.clear();
        state.login_faults.clear();
    }

    pub(crate) fn add_login_fault(&self, fault: LogInFault) {
        self.state().login_faults.push_back(fault);
    }

    pub(crate) fn waiting_login_faults(&self) -> usize {
        self.state().login_faults.len()
    }

    /// The fault of the next log-in, used up.
    pub(crate) fn take_login_fault(&self) -> Option<LogInFault> {
        self.state().login_faults.pop_front()
    }

    pub(crate) fn waiting(&self) -> Vec<RuleId> {
        self.state().waiting.iter().map(|rule| rule.id).collect()
    }

    pub(crate) fn fired(&self) -> Vec<FiredFault> {
        self.state().fired.clone()
    }

    /// Shows a statement to the rules.
    pub(crate) fn match_rule(&self, statement: &ReceivedStatement<'_>) -> Option<MatchedRule> {
        let mut state = self.state();
        let index = state.waiting.iter().position(|rule| rule.matcher.fits(statement))?;
        let left = &mut state.waiting[index].matcher.nth;
        *left -= 1;
        (*left == 0).then(|| MatchedRule {
            rule: state.waiting.remove(index),
            session: statement.session,
            sql: statement.sql.to_owned(),
        })
    }

    /// Lets go of all statements that are held.
    pub(crate) fn release(&self, release: Release) {
        self.releases.send_replace(release);
    }

    /// Hears of the releases from here on.
    pub(crate) fn releases(&self) -> watch::Receiver<Release> {
        self.releases.subscribe()
    }

    pub(crate) fn report(&self, matched: &MatchedRule) {
        self.state().fired.push(FiredFault {
            rule: matched.rule.id,
            fault: matched.rule.fault.clone(),
            session: matched.session,
            sql: matched.sql.clone(),
        });
    }

    /// The statement was skipped, because one before it has failed.
    pub(crate) fn put_back(&self, matched: MatchedRule) {
        let mut rule = matched.rule;
        rule.matcher.nth = 1;
        let mut state = self.state();
        let index = state.waiting.partition_point(|other| other.id < rule.id);
        state.waiting.insert(index, rule);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MatchedRule {
    pub(crate) fn fault(&self) -> &Fault {
        &self.rule.fault
    }
}

/// The command that a statement's text begins with; see [`Matcher::command`].
pub(crate) fn command_of(sql: &str) -> String {
    let mut words = sql
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_default();
    match first.as_str() {
        "END" => "COMMIT".to_owned(),
        "ABORT" => "ROLLBACK".to_owned(),
        "START" => "BEGIN".to_owned(),
        "CREATE" | "ALTER" | "DROP" => {
            let is_kind = |word: &String| {
                !matches!(word.as_str(), "OR" | "REPLACE" | "UNIQUE" | "TEMP" | "TEMPORARY")
            };
            let kind = words.find(is_kind).unwrap_or_default();
            format!("{first} {kind}")
        }
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(faults: &Faults, sql: &str) -> Option<u64> {
        let matched = faults.match_rule(&ReceivedStatement { session: 1, user: "admin", sql })?;
        let id = matched.rule.id.0;
        faults.report(&matched);
        Some(id)
    }

    #[test]
    fn rules_are_used_up_in_order() {
        let faults = Faults::default();
        faults.add(Matcher::command("commit").nth(2), Fault::CloseBefore);
        faults.add(Matcher::command("commit"), Fault::CloseAfter);

        let commits = ["COMMIT", "end", "COMMIT", "COMMIT"].map(|sql| matched(&faults, sql));

        assert_eq!(commits, [None, Some(1), Some(2), None]);
        assert_eq!(faults.fired().len(), 2);
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn a_rule_that_is_put_back_waits_in_its_old_place() {
        let faults = Faults::default();
        faults.add(Matcher::any(), Fault::DataConflict);
        faults.add(Matcher::any(), Fault::SchemaConflict);
        let statement = ReceivedStatement { session: 1, user: "admin", sql: "SELECT 1" };

        let matched = faults.match_rule(&statement).expect("the first rule");
        faults.put_back(matched);

        assert_eq!(faults.waiting(), [RuleId(1), RuleId(2)]);
        assert!(faults.fired().is_empty());
    }

    #[test]
    fn every_criterion_has_to_hold() {
        let statement = |session, user, sql| ReceivedStatement { session, user, sql };
        let matcher = Matcher::regex("(?i)^create .*index")
            .expect("a pattern")
            .and_command("create index")
            .by_user("admin")
            .in_session(2);

        assert!(matcher.fits(&statement(2, "admin", "Create Unique Index Async i ON t (a)")));
        assert!(!matcher.fits(&statement(1, "admin", "CREATE INDEX ASYNC i ON t (a)")));
        assert!(!matcher.fits(&statement(2, "other", "CREATE INDEX ASYNC i ON t (a)")));
        assert!(!matcher.fits(&statement(2, "admin", "DROP INDEX i")));
        assert!(!matcher.fits(&statement(2, "admin", "CREATE TABLE index (a int)")));
        assert!(Matcher::containing("FROM t").fits(&statement(1, "r", "SELECT 1 FROM t")));
        assert!(!Matcher::containing("from t").fits(&statement(1, "r", "SELECT 1 FROM t")));
    }

    #[test]
    fn a_text_that_is_no_pattern_is_named() {
        let error = Matcher::regex("(").expect_err("it is not closed");

        assert_eq!(error.to_string(), "\"(\" is no regular expression");
    }
}
