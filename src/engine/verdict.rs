//! Whether a statement was applied, judged from the catalog before and after. Pure.
//!
//! The row of a statement in the ledger says what the catalog said of the objects that it names
//! before it was sent. Three answers are possible:
//!
//! - Nothing of it has changed: the statement was not applied, or it changed nothing. Sending it
//!   (again) leads to the same end, so this counts as not applied.
//! - It has become what the statement asks: applied.
//! - It has become something else: somebody else was there too, and only a person can tell.
//!
//! The text of an error never decides: DSQL was seen to commit a schema change and to answer with
//! a conflict, after which "already exists" says nothing about who made the object.

use crate::migration::fact::{Fact, Facts};
use crate::sql::{Becomes, Effect};

/// What the catalog says about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It took effect.
    Applied,
    /// It did not, or its repetition changes nothing.
    NotApplied,
    /// The catalog cannot tell.
    CannotTell {
        /// What is to be looked at, one line each; empty if no fact shows the statement's effect.
        findings: Vec<String>,
    },
}

/// Judges a statement from the facts before it was first sent, and the facts now.
#[must_use]
pub fn verdict(effect: &Effect, before: &Facts, now: &Facts) -> Verdict {
    if effect.is_unknown() {
        return Verdict::CannotTell { findings: Vec::new() };
    }
    let facts = effect.facts();
    let same = |fact: &Fact| look_up(before, fact) == look_up(now, fact);
    if facts.iter().all(same) {
        return Verdict::NotApplied;
    }
    let fits = effect.asks.iter().all(|ask| {
        let found = look_up(now, &ask.fact);
        match &ask.becomes {
            Becomes::Present => found.is_some(),
            Becomes::Absent => found.is_none(),
            Becomes::Anything => true,
            Becomes::Exactly(text) => found == Some(text),
            Becomes::MovedFrom(fact) => found.is_some() && found == look_up(before, fact),
        }
    });
    if fits {
        Verdict::Applied
    } else if effect.repeatable {
        Verdict::NotApplied
    } else {
        let changed = facts.iter().filter(|fact| !same(fact));
        let findings = changed.map(|fact| finding(fact, before, now)).collect();
        Verdict::CannotTell { findings }
    }
}

/// The index that is there now and was not before: the one to which the server gave a name.
#[must_use]
pub(super) fn new_index(fact: &Fact, before: &Facts, now: &Facts) -> Option<String> {
    if !matches!(fact, Fact::Indexes(_)) {
        return None;
    }
    let old: Vec<&str> =
        look_up(before, fact).map(|list| list.lines().collect()).unwrap_or_default();
    let mut new = look_up(now, fact)?.lines().filter(|index| !old.contains(index));
    let only = new.next()?.to_owned();
    new.next().is_none().then_some(only)
}

fn look_up<'a>(facts: &'a Facts, fact: &Fact) -> Option<&'a String> {
    facts.get(&fact.to_string())
}

fn finding(fact: &Fact, before: &Facts, now: &Facts) -> String {
    match (fact, look_up(before, fact), look_up(now, fact)) {
        (_, None, None) => format!("{fact}: not there"),
        // What identifies an object says nothing to a reader.
        (Fact::Identity(object), None, Some(_)) => format!("{object} is there and was not before"),
        (Fact::Identity(object), Some(_), None) => format!("{object} was there and is gone"),
        (Fact::Identity(object), Some(_), Some(_)) => {
            format!("{object} is another one than before")
        }
        (_, None, Some(now)) => format!("{fact}: \"{now}\", and nothing before"),
        (_, Some(before), None) => format!("{fact}: nothing, and \"{before}\" before"),
        (_, Some(before), Some(now)) => format!("{fact}: \"{now}\", and \"{before}\" before"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::effect;

    fn facts(list: &[(&str, &str)]) -> Facts {
        list.iter().map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).collect()
    }

    fn judge(sql: &str, before: &[(&str, &str)], now: &[(&str, &str)]) -> Verdict {
        verdict(&effect(sql), &facts(before), &facts(now))
    }

    fn doubt(findings: &[&str]) -> Verdict {
        Verdict::CannotTell { findings: findings.iter().map(ToString::to_string).collect() }
    }

    const CREATE: &str = "CREATE TABLE t (a int, b int)";

    #[test]
    fn an_unchanged_catalog_means_not_applied() {
        assert_eq!(judge(CREATE, &[], &[]), Verdict::NotApplied);
        let there = &[("relation t", "1"), ("columns of t", "x")];
        assert_eq!(judge("DROP TABLE t", there, there), Verdict::NotApplied);
        assert_eq!(
            judge("CREATE TABLE IF NOT EXISTS t (a int, b int)", there, there),
            Verdict::NotApplied,
            "a table that was there before is left to the server and its notice"
        );
    }

    #[test]
    fn a_table_is_ours_if_it_is_new_and_has_our_columns() {
        let ours = &[("relation t", "1"), ("columns of t", "a,b")];
        assert_eq!(judge(CREATE, &[], ours), Verdict::Applied);
        let other = &[("relation t", "1"), ("columns of t", "a")];
        assert_eq!(
            judge(CREATE, &[], other),
            doubt(&[
                "relation t is there and was not before",
                "columns of t: \"a\", and nothing before"
            ])
        );
    }

    #[test]
    fn a_dropped_object_that_is_there_again_is_a_question() {
        assert_eq!(judge("DROP TABLE t", &[("relation t", "1")], &[]), Verdict::Applied);
        assert_eq!(
            judge("DROP TABLE t", &[("relation t", "1")], &[("relation t", "2")]),
            doubt(&["relation t is another one than before"])
        );
    }

    #[test]
    fn a_renamed_object_keeps_its_identity() {
        let sql = "ALTER TABLE t RENAME TO u";
        let before = &[("relation t", "1")];
        assert_eq!(judge(sql, before, &[("relation u", "1")]), Verdict::Applied);
        assert!(matches!(
            judge(sql, before, &[("relation u", "7")]),
            Verdict::CannotTell { findings } if findings.len() == 2
        ));
    }

    #[test]
    fn only_what_the_statement_touches_counts() {
        let sql = "ALTER TABLE t ADD COLUMN c int, DROP COLUMN d";
        let before = &[("column t.d", "2")];
        assert_eq!(judge(sql, before, &[("column t.c", "3")]), Verdict::Applied);
        assert!(matches!(
            judge(sql, before, &[("column t.c", "3"), ("column t.d", "2")]),
            Verdict::CannotTell { .. }
        ));
        assert_eq!(
            judge(sql, before, &[("column t.d", "2"), ("column t.x", "9")]),
            Verdict::NotApplied
        );
    }

    #[test]
    fn a_default_that_changed_was_set_and_one_that_did_not_is_set_again() {
        let sql = "ALTER TABLE t ALTER COLUMN c SET DEFAULT 1";
        let (old, new) =
            ([("definition of column t.c", "int")], [("definition of column t.c", "int 1")]);
        assert_eq!(judge(sql, &old, &new), Verdict::Applied);
        assert_eq!(judge(sql, &new, &new), Verdict::NotApplied);
    }

    #[test]
    fn what_may_be_repeated_is_never_a_question() {
        let sql = "COMMENT ON TABLE t IS 'x'";
        let fact = "comment on relation t";
        assert_eq!(judge(sql, &[], &[(fact, "x")]), Verdict::Applied);
        assert_eq!(judge(sql, &[], &[(fact, "y")]), Verdict::NotApplied);
        assert_eq!(judge("GRANT a TO b", &[], &[]), Verdict::NotApplied);
    }

    #[test]
    fn an_effect_that_no_fact_shows_is_a_question() {
        assert_eq!(judge("ALTER SEQUENCE q RESTART", &[], &[]), doubt(&[]));
    }

    #[test]
    fn an_index_without_a_name_is_the_one_that_was_not_there() {
        let table = crate::migration::fact::QualifiedName { schema: None, name: "t".into() };
        let fact = Fact::Indexes(table);
        let before = facts(&[("indexes of t", "t_pkey")]);
        let now = facts(&[("indexes of t", "t_pkey\nt_a_idx")]);
        assert_eq!(new_index(&fact, &before, &now), Some("t_a_idx".into()));
        let two = facts(&[("indexes of t", "t_pkey\nt_a_idx\nt_b_idx")]);
        assert_eq!(new_index(&fact, &before, &two), None);
    }
}
