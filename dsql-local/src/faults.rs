//! Faults on demand: rules that wait for a statement and then break the connection, the response or
//! its timing.
//!
//! A statement is offered to the first rule that matches it, which counts it. The rule fires at the
//! nth such statement and is then removed, so two rules for `COMMIT` apply to the first and the
//! second one. How a fault is produced is in `wire/injection.rs`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regex_lite::Regex;
use tokio::sync::watch;

/// What happens to the statement that a rule has selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection closes before the cluster receives the statement. Earlier statements in the
    /// same message have run.
    CloseBefore,
    /// The connection closes after the statement has taken effect, without a response. If the
    /// statement commits, it has committed, and the client cannot know.
    CloseAfter,
    /// The connection closes while the statement is in flight. It takes effect, but possibly only
    /// after the client has reconnected.
    CloseInFlight,
    /// The statement is replaced by `40001`, `change conflicts with another transaction (OC000)`.
    DataConflict,
    /// The statement is replaced by `40001`, `schema has been updated by another transaction
    /// (OC001)`.
    SchemaConflict,
    /// The statement is replaced by `XX000`, `server unavailable`.
    UnavailableBefore,
    /// The statement commits, but the response is `XX000`, `server unavailable`. In the middle of a
    /// transaction nothing commits, so this is the same as [`Fault::UnavailableBefore`].
    UnavailableAfter,
    /// The statement is replaced by this error.
    Error {
        /// SQLSTATE, five characters.
        code: String,
        /// Primary message.
        message: String,
    },
    /// The message that contains the statement reaches the cluster late.
    DelayBefore(Duration),
    /// The statement takes effect immediately, and its response is late.
    DelayAnswer(Duration),
    /// The statement waits until [`Cluster::release_held`](crate::Cluster::release_held). Then it
    /// runs together with what follows it in its message, even if its client has disconnected.
    /// After [`Cluster::close_held`](crate::Cluster::close_held) it does not run, and the
    /// connection closes.
    HoldBefore,
    /// The statement takes effect immediately, and its response waits until
    /// [`Cluster::release_held`](crate::Cluster::release_held). After
    /// [`Cluster::close_held`](crate::Cluster::close_held) the connection closes without a
    /// response.
    HoldAnswer,
}

/// What happens to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFault {
    /// `unable to accept connection, waking up cluster, please retry later`: the cluster was idle.
    Asleep,
    /// `53300`, `Unable to accept connection, too many open connections.`
    TooManyConnections,
    /// `53400`, `Unable to accept connection, rate exceeded.`
    RateExceeded,
    /// `unable to accept connection, access denied`: the error for an expired token, among others.
    AccessDenied,
    /// The connection closes without an error.
    Close,
}

/// Selects the statements that a rule counts: those that meet every given criterion.
#[derive(Debug, Clone)]
pub struct Matcher {
    pattern: Option<Pattern>,
    command: Option<String>,
    user: Option<String>,
    session: Option<usize>,
    /// How many matching statements are left until the rule fires, including that one.
    nth: usize,
}

#[derive(Debug, Clone)]
enum Pattern {
    Substring(String),
    Regex(Regex),
}

/// The error for a text that is not a valid regular expression.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{pattern:?} is not a valid regular expression")]
pub struct InvalidRegex {
    /// The text, as it was passed to [`Matcher::regex`].
    pub pattern: String,
    source: regex_lite::Error,
}

impl Matcher {
    /// Matches any statement.
    pub fn any() -> Self {
        Self { pattern: None, command: None, user: None, session: None, nth: 1 }
    }

    /// Matches statements that contain this text, with regard to case.
    pub fn containing(text: impl Into<String>) -> Self {
        Self { pattern: Some(Pattern::Substring(text.into())), ..Self::any() }
    }

    /// Matches statements that contain a match of the regular expression.
    pub fn regex(pattern: &str) -> Result<Self, InvalidRegex> {
        let regex = Regex::new(pattern)
            .map_err(|source| InvalidRegex { pattern: pattern.to_owned(), source })?;
        Ok(Self { pattern: Some(Pattern::Regex(regex)), ..Self::any() })
    }

    /// Matches statements of this command, for example `COMMIT`, `INSERT` or `CREATE INDEX`.
    ///
    /// The command is derived from the text: `END` counts as `COMMIT`, `CREATE UNIQUE INDEX ASYNC`
    /// as `CREATE INDEX`, and a statement that begins with `WITH` as `WITH`.
    pub fn command(tag: &str) -> Self {
        Self { command: Some(tag.to_ascii_uppercase()), ..Self::any() }
    }

    /// Restricts the matcher to this command; see [`Matcher::command`].
    #[must_use]
    pub fn and_command(mut self, tag: &str) -> Self {
        self.command = Some(tag.to_ascii_uppercase());
        self
    }

    /// Restricts the matcher to sessions of this role.
    #[must_use]
    pub fn by_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Restricts the matcher to this session. The first session to log in has the number 1.
    #[must_use]
    pub fn in_session(mut self, session: usize) -> Self {
        self.session = Some(session);
        self
    }

    /// Selects the nth matching statement instead of the first. 0 counts as 1.
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

/// Number of a rule, from 1 in the order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u64);

/// A fault that has happened, or that holds a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredFault {
    /// The rule that caused the fault. It does not fire again.
    pub rule: RuleId,
    /// What happened.
    pub fault: Fault,
    /// Number of the session, from 1 in the order of login.
    pub session: usize,
    /// Text of the statement.
    pub sql: String,
}

/// A statement that a rule may match.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceivedStatement<'a> {
    pub(crate) session: usize,
    pub(crate) user: &'a str,
    pub(crate) sql: &'a str,
}

/// A rule that has matched its statement. It is reported when the fault happens, or put back if the
/// fault cannot happen.
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

/// What happens to the statements that are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Release {
    #[default]
    Resume,
    Close,
}

/// The pending rules, and the faults that have happened.
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
    login_faults: VecDeque<LoginFault>,
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

    pub(crate) fn add_login_fault(&self, fault: LoginFault) {
        self.state().login_faults.push_back(fault);
    }

    pub(crate) fn waiting_login_faults(&self) -> usize {
        self.state().login_faults.len()
    }

    /// Removes the fault of the next login.
    pub(crate) fn take_login_fault(&self) -> Option<LoginFault> {
        self.state().login_faults.pop_front()
    }

    pub(crate) fn waiting(&self) -> Vec<RuleId> {
        self.state().waiting.iter().map(|rule| rule.id).collect()
    }

    pub(crate) fn fired(&self) -> Vec<FiredFault> {
        self.state().fired.clone()
    }

    /// Offers a statement to the rules.
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

    /// Releases all statements that are held.
    pub(crate) fn release(&self, release: Release) {
        self.releases.send_replace(release);
    }

    /// Receives the releases from now on.
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

    /// Restores a rule whose statement was skipped because an earlier one failed.
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

/// Returns the command that a statement's text begins with; see [`Matcher::command`].
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
    fn a_rule_that_is_put_back_keeps_its_position() {
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
    fn every_criterion_must_match() {
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
    fn an_invalid_pattern_is_named() {
        let error = Matcher::regex("(").expect_err("the group is not closed");

        assert_eq!(error.to_string(), "\"(\" is not a valid regular expression");
    }
}
