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
mod grant_to_public;
mod hidden_name;
mod if_not_exists;
mod not_validated;
mod on_delete_cascade;
mod rename;
mod scene;
mod subject;
mod truncated_name;
mod unawaited_build;
mod unbatched_write;
mod unique_index;

use self::scene::{Scene, StatementSequence};
use self::subject::HazardSubject;
pub use self::subject::{ShownName, WrittenName};
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
    check: fn(&Scene<'_>) -> Vec<HazardSubject>,
}

/// A hazard of a statement, and what it is about.
#[derive(Debug)]
pub struct FoundHazard {
    /// The hazard.
    pub hazard: &'static Hazard,
    /// The objects and roles, at least one.
    pub subjects: Vec<HazardSubject>,
}

/// Name of the rule about writes that may change too many rows for one transaction.
pub const UNBATCHED_WRITE: &str = unbatched_write::RULE.name;

/// The hazard of an object or a role whose name the plan does not show.
pub static HIDDEN_NAME: &Hazard = &hidden_name::RULE;

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
    &grant_to_public::RULE,
    &default_not_backfilled::RULE,
    &grant::RULE,
    &async_build::RULE,
    &unawaited_build::RULE,
    &hidden_name::RULE,
];

/// Returns the hazards of statements that run one after the other: a list for each statement, in
/// the order of [`RULES`]. `awaits_jobs` states whether the run ends only when their jobs have
/// ended.
#[must_use]
pub fn hazards<S: AsRef<str>>(statements: &[S], awaits_jobs: bool) -> Vec<Vec<FoundHazard>> {
    // Reads each statement twice, because the tokens of all statements at once would take many
    // times the memory of their text.
    let read = || statements.iter().map(|sql| TokenBuf::of(sql.as_ref()));
    let mut sequence = StatementSequence::new(read(), awaits_jobs);
    read()
        .map(|statement| {
            let scene = sequence.scene(statement.all());
            let found = RULES.iter().filter_map(|hazard| {
                let subjects = (hazard.check)(&scene);
                (!subjects.is_empty()).then_some(FoundHazard { hazard, subjects })
            });
            let found = found.collect();
            sequence.advance(statement.all());
            found
        })
        .collect()
}

/// Returns the names of the hazards of the last statement.
#[cfg(test)]
fn names(statements: &[&str]) -> Vec<&'static str> {
    let mut all = hazards(statements, true);
    all.pop().unwrap_or_default().iter().map(|found| found.hazard.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::HiddenValue;
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

    /// The hazards of one statement: kind, object, and grantee.
    fn shown(sql: &str, hidden: &[HiddenValue]) -> Vec<String> {
        let all = hazards(&[sql], true).pop().unwrap_or_default().into_iter();
        let lines = all.flat_map(|FoundHazard { hazard, subjects }| {
            subjects.into_iter().map(move |subject| {
                let name = |name: &WrittenName| name.shown(sql, hidden).map(|name| name.text);
                let grantee = name(&subject.grantee).map(|it| format!(" to {it}"));
                let object = name(&subject.object).unwrap_or_default();
                format!("{} {object}{}", hazard.name, grantee.unwrap_or_default())
            })
        });
        lines.collect()
    }

    #[test]
    fn a_hazard_names_what_it_is_about_as_the_database_writes_it() {
        for (sql, expected) in [
            (
                "DROP TABLE Users, app.\"Odd\" CASCADE",
                &[
                    "drop_table users",
                    "drop_table app.\"Odd\"",
                    "cascade users",
                    "cascade app.\"Odd\"",
                ][..],
            ),
            ("DROP SCHEMA IF EXISTS old", &["drop_schema old"]),
            ("DROP FUNCTION f(int, text)", &["drop_object f"]),
            (
                "ALTER TABLE ONLY app.t DROP COLUMN IF EXISTS \"email\", DROP b",
                &["drop_column app.t.email", "drop_column app.t.b"],
            ),
            ("ALTER TABLE t ADD CHECK (n > 0) NOT VALID", &["not_validated t"]),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID", &["not_validated t.c"]),
            ("ALTER TABLE t RENAME TO u", &["rename t"]),
            ("ALTER TABLE t RENAME COLUMN a TO b", &["rename t.a"]),
            ("ALTER VIEW s.v RENAME TO w", &["rename s.v"]),
            ("CREATE INDEX ASYNC ON app.t (n)", &["async_build app.t"]),
            (
                "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS i ON t (n)",
                &["unique_index i", "if_not_exists i", "async_build i"],
            ),
            ("ALTER TABLE ASYNC t VALIDATE CONSTRAINT c", &["async_build t.c"]),
            ("ALTER TABLE t ADD COLUMN IF NOT EXISTS n int", &["if_not_exists t.n"]),
            ("UPDATE ONLY t SET n = 1", &["unbatched_write t"]),
            (
                "GRANT SELECT, UPDATE (n) ON TABLE a, s.b TO joe, PUBLIC",
                &[
                    "grant_to_public a to public",
                    "grant_to_public s.b to public",
                    "grant a to joe",
                    "grant a to public",
                    "grant s.b to joe",
                    "grant s.b to public",
                ],
            ),
            (
                "ALTER DEFAULT PRIVILEGES IN SCHEMA s, u GRANT SELECT, INSERT ON TABLES TO joe",
                &["grant s to joe", "grant u to joe"],
            ),
            ("REVOKE ALL ON ALL TABLES IN SCHEMA s FROM joe", &["grant s to joe"]),
            ("GRANT reader TO joe WITH ADMIN OPTION", &["grant reader to joe"]),
            ("GRANT USAGE ON SCHEMA s TO joe", &["grant s to joe"]),
            ("AWS IAM GRANT r TO 'arn:aws:iam::1:role/x'", &["grant r to 'arn:aws:iam::1:role/x'"]),
        ] {
            assert_eq!(shown(sql, &[]), expected, "{sql}");
        }
    }

    #[test]
    fn a_hidden_value_is_the_name_of_its_variable() {
        let sql = "DROP TABLE app.p_users";
        let value = |from: usize, to: usize, name: &str| HiddenValue {
            range: from..to,
            written: format!("${{{name}}}"),
        };
        let prefix = value(15, 17, "prefix");
        assert_eq!(shown(sql, std::slice::from_ref(&prefix)), ["drop_table app.${prefix}users"]);
        assert_eq!(shown(sql, &[value(11, 14, "s"), prefix]), ["drop_table ${s}.${prefix}users"]);
        assert_eq!(shown(sql, &[value(0, 4, "verb")]), ["drop_table app.p_users"]);
    }

    #[test]
    fn noise_does_not_panic() {
        let mut random = Random::new(11);
        let noise: Vec<String> = (0..2000).map(|_| noise(&mut random, 20)).collect();
        assert_eq!(hazards(&noise, false).len(), 2000);
    }
}
