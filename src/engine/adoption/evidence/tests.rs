//! Tests of what shows that a migration without a row has run.

use super::*;
use crate::formats;

/// What is unproven of files that are named after their versions, in a catalog with these facts.
fn found(sql: &[&str], catalog: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let files: Vec<(String, &str)> =
        sql.iter().enumerate().map(|(nth, sql)| (format!("{}.sql", nth + 1), *sql)).collect();
    let files = files.iter().map(|(name, sql)| (name.as_str(), *sql));
    let read = formats::read_files_with(files, &formats::Options::default());
    let migrations = read.expect("valid names").found;
    let facts: Facts =
        catalog.iter().map(|(fact, text)| ((*fact).to_owned(), (*text).to_owned())).collect();
    let asked = crate::engine::adoption::facts(&migrations);
    let is_repeatable = |it: &&Migration| it.file.starts_with("R__");
    let (repeatable, once): (Vec<_>, Vec<_>) = migrations.iter().partition(is_repeatable);
    let walk = once.into_iter().map(|migration| (migration, Expect::All));
    let Unproven { files, still_there } = unproven(walk, |_| true, repeatable, &facts);
    let still_there = still_there.into_iter().map(|it| {
        let fact = match &it.object {
            crate::migration::fact::FactSubject::Column(table, _) => Fact::Columns(table.clone()),
            object => Fact::Identity(object.clone()),
        };
        assert!(asked.contains(&fact), "{fact}");
        format!("{}: {}", it.origin, it.object)
    });
    (files, still_there.collect())
}

#[test]
fn a_row_change_that_is_committed_before_the_file_is_recorded_may_have_run() {
    for (text, is_committed) in [
        ("UPDATE a SET n = 1", false),
        ("UPDATE a SET n = 1; UPDATE a SET n = 2", false),
        ("BEGIN; UPDATE a SET n = 1; COMMIT; UPDATE a SET n = 2", true),
        ("-- no-transaction\nUPDATE a SET n = 1", true),
        ("-- no-transaction\nSELECT 1; UPDATE a SET n = 1", true),
        ("-- no-transaction\nUPDATE a SET n = 1; UPDATE a SET n = 2", true),
        ("-- no-transaction\nCREATE TABLE b (id int)", false),
        ("-- no-transaction\nSELECT 1", false),
    ] {
        let mut migrations = formats::read_files([("1.sql", text)]).expect("complete SQL");
        let [migration] = &mut migrations[..] else { panic!("{migrations:?}") };
        if text.starts_with("-- no-transaction") {
            let statements = migration.statements.iter_mut().enumerate();
            statements.for_each(|(index, statement)| statement.boundary = index + 1);
        }
        assert_eq!(begins_with_own_transaction(migration), is_committed, "{text}");
    }
}

const A: &str = "CREATE TABLE a (id int, n int, old int)";
const CATALOG: &[(&str, &str)] =
    &[("relation a", "1"), ("columns of a", "id,n,old"), ("relation b", "2")];

#[test]
fn a_file_is_proven_only_by_an_object_that_it_alone_creates() {
    for (sql, is_named) in [
        ("UPDATE a SET n = 1", true),
        ("ALTER TABLE a ALTER COLUMN n SET DEFAULT 5; UPDATE a SET n = 5", true),
        ("ALTER TABLE a ALTER COLUMN n SET NOT NULL", true),
        ("ALTER TABLE a DROP COLUMN gone", true),
        ("GRANT SELECT ON a TO app", true),
        ("DO $$ BEGIN UPDATE a SET n = 1; END $$", true),
        ("CREATE TABLE IF NOT EXISTS a (id int, n int, old int); INSERT INTO a VALUES (1)", true),
        ("CREATE TABLE IF NOT EXISTS public.a (id int); INSERT INTO a VALUES (1)", true),
        ("CREATE INDEX ASYNC IF NOT EXISTS zz ON a (n); DROP INDEX zz; DELETE FROM a", true),
        ("CREATE INDEX ASYNC ON a (n)", true),
        ("CREATE TABLE ${name} (id int)", true),
        ("COPY a FROM STDIN;\n1\n\\.\n", true),
        ("CREATE TABLE b (); INSERT INTO a VALUES (1)", false),
        ("CREATE TABLE IF NOT EXISTS b (); ALTER TABLE a ALTER n SET NOT NULL", false),
        ("CREATE TABLE gone (); DROP TABLE gone; CREATE TABLE b ()", false),
        ("-- nothing", false),
    ] {
        let (files, still_there) = found(&[A, sql], CATALOG);
        let expected: &[&str] = if is_named { &["2.sql"] } else { &[] };
        assert_eq!(files, expected, "{sql}");
        assert_eq!(still_there, [] as [&str; 0], "{sql}");
    }
    // What a later migration drops was created, or does not matter.
    let (files, _) = found(&["CREATE TABLE c (id int)", A, "DROP TABLE c"], CATALOG);
    assert_eq!(files, ["3.sql"]);
    // An object that two migrations create proves neither of them, in any order.
    let view = "CREATE OR REPLACE VIEW b AS SELECT 1";
    assert_eq!(found(&[A, view, view], CATALOG).0, ["2.sql", "3.sql"]);
    let rows = "CREATE TABLE b (); INSERT INTO b VALUES (1)";
    let again = "CREATE TABLE IF NOT EXISTS b (); ALTER TABLE a ADD COLUMN old int";
    assert_eq!(found(&[A, rows, again], CATALOG).0, ["2.sql", "3.sql"]);
    let other = "CREATE TABLE IF NOT EXISTS b (); ALTER TABLE a ADD COLUMN new int";
    let catalog = [("relation a", "1"), ("columns of a", "id,n,old,new"), ("relation b", "2")];
    assert_eq!(found(&[A, rows, other], &catalog).0, ["2.sql"]);
}

#[test]
fn every_file_with_only_row_changes_is_named() {
    let sql: Vec<String> = (0..50).map(|n| format!("UPDATE a SET n = {n}")).collect();
    let all: Vec<&str> = [A].into_iter().chain(sql.iter().map(String::as_str)).collect();
    let expected: Vec<String> = (2..=51).map(|number| format!("{number}.sql")).collect();
    assert_eq!(found(&all, CATALOG).0, expected);
}

#[test]
fn an_object_that_a_file_drops_and_that_exists_shows_that_it_did_not_run() {
    let drop = "ALTER TABLE a DROP COLUMN old";
    let column = ["2.sql:1: column a.old"];
    assert_eq!(found(&[A, drop], CATALOG).1, column);
    assert_eq!(found(&[A, drop, "UPDATE a SET n = 1"], CATALOG).1, column);
    let block = "DO $$ BEGIN UPDATE a SET n = 1; END $$";
    assert_eq!(found(&[A, drop, block], CATALOG).1, column);
    assert_eq!(found(&["DROP TABLE b"], CATALOG).1, ["1.sql:1: relation b"]);
    assert_eq!(found(&[A, "ALTER TABLE a RENAME TO c"], CATALOG).1, ["2.sql:1: relation a"]);
    // The file ran, because another one of its objects exists.
    let replaced = "DROP TABLE b; ALTER TABLE a ADD COLUMN new int";
    let catalog = [("relation a", "1"), ("columns of a", "id,n,old,new"), ("relation b", "2")];
    assert_eq!(found(&[A, replaced], &catalog).1, [] as [&str; 0]);
    let created_again = [
        [drop, "ALTER TABLE a ADD COLUMN old text"],
        ["DROP TABLE a", A],
        ["DROP TABLE b", "ALTER TABLE gone RENAME TO b"],
        ["DROP VIEW b", "CREATE OR REPLACE VIEW b AS SELECT 1"],
        ["DROP TABLE b", "DO $$ BEGIN CREATE TABLE b (); END $$"],
        ["DROP TABLE b", "DO $$ BEGIN EXECUTE format('CREATE TABLE %I ()', 'x'); END $$"],
        ["DROP TABLE b", "CALL restore()"],
        ["DROP TABLE b", "COPY a FROM STDIN;\n"],
        ["CREATE TEMP TABLE b (); DROP TABLE b", "SELECT 1"],
    ];
    for files in created_again {
        assert_eq!(found(&files, CATALOG).1, [] as [&str; 0], "{files:?}");
    }
    // The server chooses the same name again.
    let key = [("constraint a_pkey of a", "1"), ("relation a_n_idx", "2")];
    for sql in [
        "ALTER TABLE a DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (id)",
        "ALTER TABLE a DROP CONSTRAINT a_pkey; ALTER TABLE a ADD PRIMARY KEY (id)",
        "DROP INDEX a_n_idx; CREATE INDEX ON a (n)",
    ] {
        assert_eq!(found(&[sql], &key).1, [] as [&str; 0], "{sql}");
    }
}
