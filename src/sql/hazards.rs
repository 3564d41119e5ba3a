//! Hazards: what a reviewer should know before DSQL runs a statement that it accepts.
//!
//! Each rule has a file with what it looks for, what may happen, what to do about it, and its
//! tests. [`RULES`] lists them, and `hazards/README.md` describes how to add one. A rule checks one
//! statement and knows which tables the same run has created before it, because a table without
//! rows cannot lose any.
//!
//! Rules work on tokens. A rule that is not certain reports nothing, because a warning that is
//! often wrong is ignored when it is right.

mod async_build;
mod cascade;
mod default_not_backfilled;
mod drop_column;
mod drop_constraint;
mod drop_index;
mod drop_object;
mod drop_schema;
mod drop_table;
mod grant;
mod if_not_exists;
mod not_validated;
mod on_delete_cascade;
mod rename;
mod scene;
mod truncated_name;
mod unawaited_build;
mod unbatched_write;
mod unique_index;

use self::scene::{Scene, StatementSequence};
use super::tokens::TokenBuf;

/// A kind of hazard.
#[derive(Debug)]
pub struct Hazard {
    /// In snake case, as `lint_ignore` names it.
    pub name: &'static str,
    /// What may happen, in sentences.
    pub message: &'static str,
    /// What to do about it, in sentences.
    pub help: &'static str,
    check: fn(&Scene<'_>) -> bool,
}

/// Name of the rule about writes that may change too many rows for one transaction.
pub const UNBATCHED_WRITE: &str = unbatched_write::RULE.name;

/// All rules in the order in which they are shown: rules about loss of data come first.
pub static RULES: &[&Hazard] = &[
    &drop_schema::RULE,
    &drop_table::RULE,
    &drop_column::RULE,
    &cascade::RULE,
    &unbatched_write::RULE,
    &unique_index::RULE,
    &on_delete_cascade::RULE,
    &not_validated::RULE,
    &if_not_exists::RULE,
    &truncated_name::RULE,
    &rename::RULE,
    &drop_constraint::RULE,
    &drop_index::RULE,
    &drop_object::RULE,
    &default_not_backfilled::RULE,
    &grant::RULE,
    &async_build::RULE,
    &unawaited_build::RULE,
];

/// Returns the hazards of statements that run one after the other: a list for each statement, in
/// the order of [`RULES`]. `awaits_jobs` states whether the run ends only when their jobs have
/// ended.
#[must_use]
pub fn hazards<S: AsRef<str>>(statements: &[S], awaits_jobs: bool) -> Vec<Vec<&'static Hazard>> {
    // Reads each statement twice, because the tokens of all statements at once would take many
    // times the memory of their text.
    let read = || statements.iter().map(|sql| TokenBuf::of(sql.as_ref()));
    let mut sequence = StatementSequence::new(read(), awaits_jobs);
    read()
        .map(|statement| {
            let scene = sequence.scene(statement.all());
            let found = RULES.iter().copied().filter(|rule| (rule.check)(&scene)).collect();
            sequence.advance(statement.all());
            found
        })
        .collect()
}

/// Returns the names of the hazards of the last statement.
#[cfg(test)]
fn names(statements: &[&str]) -> Vec<&'static str> {
    let mut all = hazards(statements, true);
    all.pop().unwrap_or_default().iter().map(|hazard| hazard.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lint;
    use crate::sql::testing::{Random, noise};

    #[test]
    fn every_rule_has_its_own_name_and_texts_in_sentences() {
        for (index, rule) in RULES.iter().enumerate() {
            assert!(RULES[..index].iter().all(|other| other.name != rule.name), "{rule:?}");
            assert!(rule.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{rule:?}");
            assert!(!lint::is_rule(rule.name), "lint_ignore would silence both: {rule:?}");
            for text in [rule.message, rule.help] {
                assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{rule:?}");
            }
        }
    }

    #[test]
    fn a_safe_statement_has_no_hazards() {
        for sql in [
            "CREATE TABLE t (id uuid PRIMARY KEY, name text UNIQUE)",
            "ALTER TABLE t ADD COLUMN c int",
            "INSERT INTO t VALUES (1), (2)",
            "INSERT INTO t SELECT 1, 'from a to b'",
            "SELECT 1",
            "UPDATE t SET a = 1 WHERE id = 5",
            "DELETE FROM t WHERE id = 5",
            "CREATE VIEW v AS SELECT 1",
            "COMMENT ON TABLE t IS 'DROP TABLE t'",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t $$",
            "",
        ] {
            assert_eq!(names(&[sql]), [""; 0], "{sql}");
        }
    }

    #[test]
    fn noise_does_not_panic() {
        let mut random = Random::new(11);
        let noise: Vec<String> = (0..2000).map(|_| noise(&mut random, 20)).collect();
        assert_eq!(hazards(&noise, false).len(), 2000);
    }
}
