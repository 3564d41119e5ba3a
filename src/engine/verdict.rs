//! Decides from the catalog whether a statement was applied. Pure.
//!
//! Before a statement is sent, its row in the ledger records the facts of the objects that it
//! names. A comparison with the facts now has three possible results:
//!
//! - No fact has changed: the statement was not applied, or it had no effect. It counts as not
//!   applied, because sending it again has the same result.
//! - The facts have become what the statement requests: it was applied.
//! - The facts have become something else: another session has changed the objects too, and only a
//!   person can decide which of the two happened.
//!
//! The text of an error never decides. DSQL was seen to commit a schema change and to respond with
//! a conflict; after that, "already exists" does not show who created the object.

use crate::migration::fact::{Fact, Facts};
use crate::sql::{Becomes, Effect};

/// Whether a statement was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was applied.
    Applied,
    /// It was not applied, or it can be repeated without a further effect.
    NotApplied,
    /// The catalog does not show it.
    CannotTell {
        /// What has to be checked, one line each; empty if no fact shows the statement's effect.
        findings: Vec<String>,
    },
}

/// Decides from the facts before a statement was first sent, and the facts now.
#[must_use]
pub fn verdict(effect: &Effect, before: &Facts, now: &Facts) -> Verdict {
    if effect.is_unknown() {
        return Verdict::CannotTell { findings: Vec::new() };
    }
    let facts = effect.facts();
    let is_same = |fact: &Fact| before.get(fact) == now.get(fact);
    if facts.iter().all(is_same) {
        return Verdict::NotApplied;
    }
    let is_applied = effect.asks.iter().all(|ask| {
        let found = now.get(&ask.fact);
        match &ask.becomes {
            Becomes::Present => found.is_some(),
            Becomes::Absent => found.is_none(),
            Becomes::Anything => true,
            Becomes::Exactly(text) => found == Some(text.as_str()),
            Becomes::MovedFrom(fact) => found.is_some() && found == before.get(fact),
        }
    });
    if is_applied {
        Verdict::Applied
    } else if effect.repeatable {
        Verdict::NotApplied
    } else {
        let changed = facts.iter().filter(|fact| !is_same(fact));
        let findings = changed.map(|fact| finding(fact, before, now)).collect();
        Verdict::CannotTell { findings }
    }
}

/// Returns the only index that exists now and did not exist before: the one whose name the server
/// has chosen.
#[must_use]
pub(super) fn new_index(fact: &Fact, before: &Facts, now: &Facts) -> Option<String> {
    if !matches!(fact, Fact::Indexes(_)) {
        return None;
    }
    let old: Vec<&str> = before.get(fact).map(|list| list.lines().collect()).unwrap_or_default();
    let mut new = now.get(fact)?.lines().filter(|index| !old.contains(index));
    let only = new.next()?.to_owned();
    new.next().is_none().then_some(only)
}

/// Describes how a fact has changed.
fn finding(fact: &Fact, before: &Facts, now: &Facts) -> String {
    match (fact, before.get(fact), now.get(fact)) {
        (_, None, None) => format!("{fact}: none"),
        // An identity is a number that means nothing to a reader.
        (Fact::Identity(object), None, Some(_)) => format!("{object} exists, and did not before"),
        (Fact::Identity(object), Some(_), None) => {
            format!("{object} does not exist, and did before")
        }
        (Fact::Identity(object), Some(_), Some(_)) => {
            format!("{object} is not the same object as before")
        }
        (_, None, Some(now)) => format!("{fact}: \"{now}\" (before: none)"),
        (_, Some(before), None) => format!("{fact}: none (before: \"{before}\")"),
        (_, Some(before), Some(now)) => format!("{fact}: \"{now}\" (before: \"{before}\")"),
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

    fn undetermined(findings: &[&str]) -> Verdict {
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
            "the server reports an existing table in a notice"
        );
    }

    #[test]
    fn a_new_table_with_the_columns_of_the_statement_means_applied() {
        let ours = &[("relation t", "1"), ("columns of t", "a,b")];
        assert_eq!(judge(CREATE, &[], ours), Verdict::Applied);
        let other = &[("relation t", "1"), ("columns of t", "a")];
        assert_eq!(
            judge(CREATE, &[], other),
            undetermined(&[
                "relation t exists, and did not before",
                "columns of t: \"a\" (before: none)"
            ])
        );
    }

    #[test]
    fn a_dropped_object_that_exists_again_is_undetermined() {
        assert_eq!(judge("DROP TABLE t", &[("relation t", "1")], &[]), Verdict::Applied);
        assert_eq!(
            judge("DROP TABLE t", &[("relation t", "1")], &[("relation t", "2")]),
            undetermined(&["relation t is not the same object as before"])
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
    fn only_the_facts_of_the_statement_count() {
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
    fn a_default_that_changed_means_applied_and_an_unchanged_one_means_not_applied() {
        let sql = "ALTER TABLE t ALTER COLUMN c SET DEFAULT 1";
        let (old, new) =
            ([("definition of column t.c", "int")], [("definition of column t.c", "int 1")]);
        assert_eq!(judge(sql, &old, &new), Verdict::Applied);
        assert_eq!(judge(sql, &new, &new), Verdict::NotApplied);
    }

    #[test]
    fn a_statement_that_may_be_repeated_is_never_undetermined() {
        let sql = "COMMENT ON TABLE t IS 'x'";
        let fact = "comment on relation t";
        assert_eq!(judge(sql, &[], &[(fact, "x")]), Verdict::Applied);
        assert_eq!(judge(sql, &[], &[(fact, "y")]), Verdict::NotApplied);
        assert_eq!(judge("GRANT a TO b", &[], &[]), Verdict::NotApplied);
    }

    #[test]
    fn an_effect_that_no_fact_shows_is_undetermined() {
        assert_eq!(judge("ALTER SEQUENCE q RESTART", &[], &[]), undetermined(&[]));
    }

    #[test]
    fn an_index_without_a_name_is_the_only_new_one() {
        let table = crate::migration::fact::QualifiedName { schema: None, name: "t".into() };
        let fact = Fact::Indexes(table);
        let before = facts(&[("indexes of t", "t_pkey")]);
        let now = facts(&[("indexes of t", "t_pkey\nt_a_idx")]);
        assert_eq!(new_index(&fact, &before, &now), Some("t_a_idx".into()));
        let two = facts(&[("indexes of t", "t_pkey\nt_a_idx\nt_b_idx")]);
        assert_eq!(new_index(&fact, &before, &two), None);
    }
}
