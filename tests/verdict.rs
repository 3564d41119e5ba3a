//! Decides from the catalog of a local cluster whether a statement was applied, for every kind of
//! statement.

#![cfg(unix)]

mod common;

use common::{cluster, migrations, rows, run, session};
use terraform_provider_dsql::database::Session;
use terraform_provider_dsql::engine::{Verdict, adoption, verdict};
use terraform_provider_dsql::sql;

/// The statements run in this order; each may need the earlier ones.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text NOT NULL, CHECK (a > 0), \"C d\" int)",
    "CREATE TABLE u (id bigint PRIMARY KEY, t bigint REFERENCES t (id))",
    "CREATE TABLE like_t (LIKE t)",
    "ALTER TABLE t ADD COLUMN e int",
    "ALTER TABLE t ADD COLUMN f int, ALTER COLUMN f SET DEFAULT 7",
    "ALTER TABLE t ALTER COLUMN e SET DEFAULT 1",
    "ALTER TABLE t ALTER COLUMN e DROP DEFAULT",
    "ALTER TABLE t ALTER COLUMN b DROP NOT NULL",
    "ALTER TABLE t RENAME COLUMN \"C d\" TO c",
    "ALTER TABLE t DROP COLUMN f",
    "ALTER TABLE t ADD CONSTRAINT positive CHECK (e > 0) NOT VALID",
    "ALTER TABLE t ADD CHECK (e < 100) NOT VALID",
    "ALTER TABLE t RENAME CONSTRAINT positive TO above_zero",
    "ALTER TABLE t DROP CONSTRAINT above_zero",
    "CREATE INDEX ASYNC t_a ON t (a)",
    "CREATE UNIQUE INDEX ASYNC t_ab ON t (a, b) INCLUDE (c)",
    "CREATE INDEX ASYNC ON t (b)",
    "CREATE INDEX ASYNC t_lower ON t ((lower(b))) WHERE a > 1",
    "ALTER INDEX t_a RENAME TO t_a2",
    "DROP INDEX t_a2",
    "CREATE VIEW v AS SELECT id FROM t",
    "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t",
    "ALTER VIEW v RENAME TO w",
    "DROP VIEW w",
    "CREATE SEQUENCE q CACHE 1",
    "ALTER SEQUENCE q INCREMENT 3",
    "DROP SEQUENCE q",
    "CREATE DOMAIN d AS text CHECK (value <> '')",
    "ALTER DOMAIN d SET DEFAULT 'x'",
    "ALTER DOMAIN d RENAME TO d2",
    "DROP DOMAIN d2",
    "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'",
    "CREATE FUNCTION f(a text) RETURNS text LANGUAGE sql AS 'SELECT a'",
    "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 2'",
    "DROP FUNCTION f(text)",
    "ALTER FUNCTION f(int) RENAME TO g",
    "DROP FUNCTION g",
    "CREATE SCHEMA app",
    "CREATE TABLE app.x (a int)",
    "ALTER TABLE t SET SCHEMA app",
    "ALTER TABLE app.t RENAME TO \"T\"",
    "COMMENT ON TABLE app.\"T\" IS 'it''s ours'",
    "COMMENT ON COLUMN app.\"T\".a IS 'a'",
    "COMMENT ON TABLE app.\"T\" IS NULL",
    "COMMENT ON SCHEMA app IS 'app'",
    "CREATE ROLE reader",
    "GRANT SELECT ON app.x TO reader",
    "GRANT SELECT (a) ON app.x TO reader",
    "GRANT USAGE ON SCHEMA app TO reader",
    "REVOKE SELECT ON app.x FROM reader",
    "GRANT INSERT ON ALL TABLES IN SCHEMA app TO reader",
    "ALTER ROLE reader RENAME TO reader2",
    "CREATE ROLE login WITH LOGIN",
    "AWS IAM GRANT login TO 'arn:aws:iam::123456789012:role/x'",
    "AWS IAM REVOKE login FROM 'arn:aws:iam::123456789012:role/x'",
    "DROP ROLE login",
    "ALTER SCHEMA app RENAME TO app2",
    "DROP TABLE app2.x, like_t",
    "DROP SCHEMA app2 CASCADE",
];

#[tokio::test]
async fn each_kind_of_statement_is_judged_before_and_after_it_runs() {
    let cluster = cluster().await;
    judge_each(&mut session(&cluster).await, STATEMENTS).await;
}

/// The same kinds of objects, with names that the server truncates. Those for `{a}`, `{b}` and so
/// on differ in the first 63 bytes.
const LONG_NAMES: &[&str] = &[
    "CREATE SCHEMA {a}",
    "CREATE TABLE {a}.{a} (id bigint PRIMARY KEY, {a} int, {b} text)",
    "ALTER TABLE {a}.{a} ADD COLUMN {c} int",
    "ALTER TABLE {a}.{a} ADD CONSTRAINT {a} CHECK ({a} > 0) NOT VALID",
    "ALTER TABLE {a}.{a} ADD CHECK ({a} > 1) NOT VALID",
    "ALTER TABLE {a}.{a} RENAME CONSTRAINT {a} TO {b}",
    "CREATE UNIQUE INDEX ASYNC {b} ON {a}.{a} ({a}, {b})",
    "CREATE INDEX ASYNC ON {a}.{a} ({b})",
    "ALTER TABLE {a}.{a} RENAME COLUMN {b} TO \"{d}\"",
    "CREATE VIEW {a}.{c} AS SELECT {a} FROM {a}.{a}",
    "CREATE SEQUENCE {a}.{e} CACHE 1",
    "CREATE DOMAIN {a}.{f} AS text",
    "CREATE FUNCTION {a}.{a}(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'",
    "CREATE ROLE {a}",
    "GRANT USAGE ON SCHEMA {a} TO {a}",
    "COMMENT ON COLUMN {a}.{a}.{a} IS 'x'",
    "ALTER TABLE {a}.{a} RENAME TO {g}",
    "DROP TABLE {a}.{g} CASCADE",
    "DROP SCHEMA {a} CASCADE",
];

#[tokio::test]
async fn names_that_the_server_truncates_are_judged_like_others() {
    let cluster = cluster().await;
    let long = |sql: &&str| {
        "abcdefg".chars().fold((*sql).to_owned(), |sql, c| {
            // The limit is in the middle of a character.
            sql.replace(&format!("{{{c}}}"), &format!("{c}_{}", "ü".repeat(40)))
        })
    };
    let statements: Vec<String> = LONG_NAMES.iter().map(long).collect();
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    judge_each(&mut session(&cluster).await, &statements).await;
}

#[tokio::test]
async fn an_adopted_migration_with_names_that_the_server_truncates_is_not_missing() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let long = "n".repeat(70);
    let text = format!(
        "CREATE TABLE {long} (id int PRIMARY KEY, c_{long} int);
         CREATE INDEX ASYNC i_{long} ON {long} (c_{long});
         ALTER TABLE {long} ADD CONSTRAINT k_{long} CHECK (c_{long} > 0) NOT VALID;"
    );
    let migrations = migrations(&[("0001_long.sql", &text)]);
    run(&mut session, &migrations).await.1.expect("a run");
    let facts = session.facts(&adoption::facts(&migrations)).await.unwrap();
    let all = migrations.iter().map(|migration| (migration, adoption::Expect::All));
    assert_eq!(adoption::missing(all, &facts), []);
}

/// Judges each statement with the facts before and after it runs.
async fn judge_each(session: &mut Session, statements: &[&str]) {
    for sql in statements {
        let effect = sql::effect(sql);
        let facts = effect.facts();
        assert!(!facts.is_empty(), "{sql} has no facts");
        let before = session.facts(&facts).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(verdict(&effect, &before, &before), Verdict::NotApplied, "{sql}");

        rows(session, sql).await;

        let now = session.facts(&facts).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(
            verdict(&effect, &before, &now),
            Verdict::Applied,
            "{sql}\n{before:#?}\n{now:#?}"
        );
    }
}

#[tokio::test]
async fn an_object_that_another_session_has_created_is_undetermined() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    for (ours, theirs) in [
        ("CREATE TABLE t (a int)", "CREATE TABLE t (a int, b int)"),
        ("CREATE UNIQUE INDEX ASYNC i ON t (a)", "CREATE INDEX ASYNC i ON t (b)"),
        ("ALTER TABLE t RENAME COLUMN a TO x", "ALTER TABLE t ADD COLUMN x int"),
    ] {
        let effect = sql::effect(ours);
        let before = session.facts(&effect.facts()).await.unwrap();
        rows(&mut session, theirs).await;
        let now = session.facts(&effect.facts()).await.unwrap();
        let verdict = verdict(&effect, &before, &now);
        assert!(
            matches!(&verdict, Verdict::CannotTell { findings } if !findings.is_empty()),
            "{ours}: {verdict:?}"
        );
    }
}
