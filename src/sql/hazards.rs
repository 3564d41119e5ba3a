//! Hazards: what a reviewer should know before DSQL runs a statement that it accepts.
//!
//! Each rule has a file with what it looks for, what may happen, what to do about it, and its
//! tests. [`RULES`] lists them, and `hazards/README.md` describes how to add one. A rule checks one
//! statement and knows what the same run has made of its objects before, and, where the catalog was
//! asked, which of them exist: what does not exist, or is new, cannot lose anything.
//!
//! Rules work on tokens. A rule that is not certain reports nothing, because a warning that is
//! often wrong is ignored when it is right.

mod async_build;
mod carriage_return;
mod cascade;
mod creates_and_drops;
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
mod keys;
mod not_validated;
mod objects;
mod on_delete_cascade;
mod rename;
mod scene;
mod subject;
mod truncated_name;
mod unawaited_build;
mod unbatched_write;
mod unique_index;

pub use self::keys::Keys;
use self::scene::{Scene, StatementSequence};
pub use self::subject::{HazardSubject, ShownName, WrittenName};
use super::effect::effect_of;
use super::tokens::TokenBuf;
use crate::migration::fact::LookedUpObjects;

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

/// A statement of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunStatement<'a> {
    /// Its text.
    pub text: &'a str,
    /// The file that contains it.
    pub file: &'a str,
}

/// What rules know besides the statements.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Whether the run ends only when the jobs of its statements have ended.
    pub awaits_jobs: bool,
    /// The keys that earlier migrations have defined.
    pub keys: &'a Keys,
    /// What the catalog has answered. Without it, every object may exist and have rows.
    pub catalog: Option<&'a LookedUpObjects<'a>>,
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
    &creates_and_drops::RULE,
    &unbatched_write::RULE,
    &unique_index::RULE,
    &on_delete_cascade::RULE,
    &not_validated::RULE,
    &if_not_exists::RULE,
    &truncated_name::RULE,
    &carriage_return::RULE,
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
/// the order of [`RULES`].
#[must_use]
pub fn hazards(
    statements: &[RunStatement<'_>],
    surroundings: Surroundings<'_>,
) -> Vec<Vec<FoundHazard>> {
    // Reads each statement twice, because the tokens of all statements at once would take many
    // times the memory of their text.
    let read = || statements.iter().map(|statement| TokenBuf::of(statement.text));
    let mut sequence = StatementSequence::new(read(), surroundings);
    read()
        .zip(statements)
        .map(|(tokens, RunStatement { file, .. })| {
            let effect = effect_of(tokens.all());
            let scene = sequence.scene(tokens.all(), &effect, file);
            let found = RULES.iter().filter_map(|hazard| {
                let subjects = (hazard.check)(&scene);
                (!subjects.is_empty()).then_some(FoundHazard { hazard, subjects })
            });
            let found = found.collect();
            sequence.advance(&effect, file);
            found
        })
        .collect()
}

/// The hazards of statements, each in a file of its own, without a catalog.
#[cfg(test)]
fn of_files(statements: &[&str], awaits_jobs: bool) -> Vec<Vec<FoundHazard>> {
    let files: Vec<String> = (0..statements.len()).map(|index| index.to_string()).collect();
    let statements = statements.iter().zip(&files);
    let statements: Vec<_> = statements.map(|(text, file)| RunStatement { text, file }).collect();
    hazards(&statements, Surroundings { awaits_jobs, keys: &Keys::default(), catalog: None })
}

/// Returns the names of the hazards of the last statement, without a catalog.
#[cfg(test)]
fn names(statements: &[&str]) -> Vec<&'static str> {
    let mut all = of_files(statements, true);
    all.pop().unwrap_or_default().iter().map(|found| found.hazard.name).collect()
}

/// The same, where the catalog has these objects, and a table has a key of the columns `a` and `b`.
#[cfg(test)]
fn names_with(existing: &[&str], statements: &[&str]) -> Vec<&'static str> {
    use crate::migration::fact::{Fact, FactSubject, TableFacts};
    let (all, files) = (of_files(statements, true), "f");
    let of_hazard = |found: &FoundHazard| {
        let entities = found.subjects.iter().filter_map(|subject| subject.entity.clone());
        let tables = found.subjects.iter().filter_map(|subject| subject.table().cloned());
        entities.chain(tables.map(FactSubject::Relation)).collect::<Vec<_>>()
    };
    let looked_up: Vec<FactSubject> = all.iter().flatten().flat_map(of_hazard).collect();
    let exists = |object: &&FactSubject| existing.contains(&object.to_string().as_str());
    let found = looked_up.iter().filter(exists);
    let found: Vec<_> =
        found.map(|it| (Fact::Identity(it.clone()).to_string(), "1".into())).collect();
    let existing = found.into_iter().collect();
    let keys = vec![vec!["a".to_owned(), "b".to_owned()], vec!["id".to_owned()]];
    let table = |it: &FactSubject| Some((it.qualified_name()?.clone(), keys.clone()));
    let tables = looked_up.iter().filter_map(table);
    let tables = tables.map(|(name, keys)| (name, TableFacts { estimated_rows: None, keys }));
    let tables = tables.collect();
    let known = LookedUpObjects::new(&looked_up, &existing, &tables);
    let statements: Vec<_> =
        statements.iter().map(|text| RunStatement { text, file: files }).collect();
    let keys = Keys::default();
    let surroundings = Surroundings { awaits_jobs: true, keys: &keys, catalog: Some(&known) };
    let mut all = hazards(&statements, surroundings);
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
        let all = of_files(&[sql], true).pop().unwrap_or_default().into_iter();
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
        let noise: Vec<&str> = noise.iter().map(String::as_str).collect();
        assert_eq!(of_files(&noise, false).len(), 2000);
    }
}
