//! Tests of the search for objects that exist.

use super::*;
use crate::database::MigrationRecord;
use crate::engine::{Policy, plan};
use crate::formats;
use crate::migration::{Class, StatementNumber};

/// Reads one file for each text, and finds what exists in a catalog with these objects: the line,
/// the object, and whether the statement is optional.
fn found_in(texts: &[&str], catalog: &[&str]) -> Vec<(String, bool)> {
    let records: &[MigrationRecord] = &[];
    let names: Vec<String> = (1..=texts.len()).map(|number| format!("{number}_m.sql")).collect();
    let files = names.iter().map(String::as_str).zip(texts.iter().copied());
    let migrations = formats::read_files(files).expect("complete SQL");
    let existing: Facts = catalog.iter().map(|fact| ((*fact).to_owned(), "7".to_owned())).collect();
    let plan = plan(&migrations, records, &Policy::default()).expect("a plan");
    // Whatever is found was looked up.
    let looked_up = created_objects(&migrations);
    existing_objects(&plan, &existing)
        .into_iter()
        .map(|it| {
            assert!(looked_up.contains(&it.object), "{it:?}");
            (format!("{}: {}", it.statement.origin, it.object), it.is_optional)
        })
        .collect()
}

#[test]
fn every_kind_of_object_is_found_by_name() {
    for (sql, fact) in [
        ("CREATE TABLE t (id int)", "relation t"),
        ("CREATE TABLE \"App\".t (id int)", "relation \"App\".t"),
        ("CREATE UNIQUE INDEX ASYNC i ON app.t (a)", "relation app.i"),
        ("CREATE VIEW v AS SELECT 1", "relation v"),
        ("CREATE SEQUENCE s", "relation s"),
        ("CREATE SCHEMA app", "schema app"),
        ("CREATE DOMAIN d AS int", "domain d"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function f"),
        ("CREATE ROLE r WITH LOGIN", "role r"),
        ("ALTER TABLE t ADD COLUMN c int", "column t.c"),
        ("ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)", "constraint k of t"),
        ("ALTER TABLE o RENAME TO t", "relation t"),
        ("ALTER TABLE t RENAME COLUMN a TO c", "column t.c"),
    ] {
        let wanted = (format!("1_m.sql:1: {fact}"), false);
        assert_eq!(found_in(&[sql], &[fact]), [wanted], "{sql}");
        assert_eq!(found_in(&[sql], &["relation other"]), [], "{sql}");
    }
    for sql in [
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE t ALTER COLUMN c SET DEFAULT 1",
        "COMMENT ON TABLE t IS 'x'",
        "GRANT SELECT ON t TO r",
        "INSERT INTO t VALUES (1)",
    ] {
        let all = ["relation v", "function f", "column t.c", "relation t", "role r"];
        assert_eq!(found_in(&[sql], &all), [], "{sql}");
    }
}

#[test]
fn an_object_is_optional_if_its_statement_has_if_not_exists() {
    for (sql, fact) in [
        ("CREATE TABLE IF NOT EXISTS t (id int)", "relation t"),
        ("CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)", "relation i"),
        ("CREATE SEQUENCE IF NOT EXISTS s", "relation s"),
        ("CREATE SCHEMA IF NOT EXISTS app", "schema app"),
        ("ALTER TABLE t ADD COLUMN a int, ADD COLUMN IF NOT EXISTS c int", "column t.c"),
    ] {
        let wanted = (format!("1_m.sql:1: {fact}"), true);
        assert_eq!(found_in(&[sql], &[fact]), [wanted], "{sql}");
    }
}

#[test]
fn an_object_that_an_earlier_statement_removes_is_not_found() {
    let create = "CREATE TABLE t (c int)";
    for removal in [
        "DROP TABLE t",
        "DROP TABLE IF EXISTS public.t",
        "ALTER TABLE t RENAME TO u",
        "ALTER TABLE t SET SCHEMA archive",
        "DROP SCHEMA public CASCADE",
        "DROP OWNED BY joe",
        "DROP TABLE ${name}",
    ] {
        let catalog = ["relation t", "schema public"];
        assert_eq!(found_in(&[removal, create], &catalog), [], "{removal}");
        assert_eq!(found_in(&[&format!("{removal}; {create}")], &catalog), [], "{removal}");
        assert_eq!(found_in(&[create, removal], &catalog).len(), 1, "{removal} comes later");
    }
    let replaced = "ALTER TABLE t ADD COLUMN c text, DROP COLUMN c";
    assert_eq!(found_in(&[replaced], &["column t.c"]), []);
    let found = found_in(&["DROP TABLE u", create], &["relation t"]);
    assert_eq!(found, [("2_m.sql:1: relation t".to_owned(), false)]);
    for (removal, create, fact) in [
        ("ALTER TABLE t DROP COLUMN c", "ALTER TABLE t ADD COLUMN c int", "column t.c"),
        ("DROP TABLE t", "CREATE INDEX ASYNC i ON t (a)", "relation i"),
        ("DROP INDEX i", "CREATE INDEX ASYNC i ON t (a)", "relation i"),
        ("DROP VIEW v", "CREATE VIEW v AS SELECT 1", "relation v"),
        ("DROP FUNCTION f(int)", "CREATE FUNCTION f() RETURNS int AS 'SELECT 1'", "function f"),
        ("DROP ROLE r", "CREATE ROLE r", "role r"),
    ] {
        assert_eq!(found_in(&[create], &[fact]).len(), 1, "{create}");
        assert_eq!(found_in(&[removal, create], &[fact]), [], "{removal}");
    }
}

/// Finds what one text creates in a catalog with one object. `table` is that to which it belongs.
fn found_with_part_of(text: &str, object: &str, table: &str) -> usize {
    let migrations = formats::read_files([("1_m.sql", text)]).expect("complete SQL");
    let mut existing = vec![(object.to_owned(), "7".to_owned())];
    if let Some(name) = object.strip_prefix("relation ") {
        existing.push((format!("table of {name}"), table.to_owned()));
    }
    let plan = plan(&migrations, &[], &Policy::default()).expect("a plan");
    existing_objects(&plan, &existing.into_iter().collect()).len()
}

#[test]
fn an_object_that_is_removed_with_another_one_is_not_found() {
    for (removal, create, object, table) in [
        ("ALTER TABLE t DROP COLUMN a", "CREATE INDEX ASYNC i ON t (b)", "relation i", "t"),
        ("DROP TABLE old", "CREATE INDEX ASYNC i ON t (a)", "relation i", "old"),
        ("ALTER TABLE old DROP CONSTRAINT i", "CREATE INDEX ASYNC i ON t (a)", "relation i", "old"),
        ("ALTER TABLE old SET SCHEMA s", "CREATE INDEX ASYNC i ON t (a)", "relation i", "old"),
        ("DROP TABLE old", "CREATE SEQUENCE s", "relation s", "old"),
        ("ALTER TABLE old ALTER id DROP IDENTITY", "CREATE SEQUENCE s", "relation s", "old"),
        ("DROP DOMAIN d CASCADE", "ALTER TABLE t ADD COLUMN c int", "column t.c", ""),
        ("DROP FUNCTION f() CASCADE", "CREATE VIEW v AS SELECT 1", "relation v", ""),
        ("DROP TABLE old CASCADE", "CREATE VIEW v AS SELECT 1", "relation v", ""),
        (
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (b > 0)",
            "constraint c of t",
            "",
        ),
    ] {
        let text = format!("{removal}; {create}");
        assert_eq!(found_with_part_of(&text, object, table), 0, "{text}");
        let text = format!("DROP TABLE other; {create}");
        assert_eq!(found_with_part_of(&text, object, table), 1, "{text}");
        let text = format!("{create}; {removal}");
        assert_eq!(found_with_part_of(&text, object, table), 1, "{text}");
    }
    // Nothing removes a table but what names it.
    let text = "ALTER TABLE t DROP COLUMN a; DROP TABLE old CASCADE; CREATE TABLE t (a int)";
    assert_eq!(found_with_part_of(text, "relation t", "t"), 1);
    let text = "DROP TABLE old CASCADE; ALTER TABLE t ADD COLUMN c int";
    assert_eq!(found_with_part_of(text, "column t.c", ""), 1);
}

#[test]
fn a_statement_that_a_run_has_begun_is_left_to_the_run() {
    let text = "CREATE TABLE a (id int); CREATE TABLE b (id int)";
    let migrations = formats::read_files([("1_m.sql", text)]).expect("complete SQL");
    let existing: Facts = ["relation a", "relation b"]
        .map(|fact| (fact.to_owned(), "7".to_owned()))
        .into_iter()
        .collect();
    let mut record = crate::engine::adoption::adopted(&migrations[0], "");
    record.adopted_from = None;
    record.run = 1;
    record.state = crate::database::MigrationState::Failed;
    record.statements = vec![crate::database::StatementRecord {
        number: StatementNumber::of_index(0),
        checksum: migrations[0].statements[0].checksum(),
        class: Class::Ddl.into(),
        summary: String::new(),
        state: crate::database::StatementState::Intended,
        before: None,
        build: None,
    }];
    let records = [record];
    let plan = plan(&migrations, &records, &Policy::default()).expect("a plan");
    let found = existing_objects(&plan, &existing);
    let found: Vec<String> = found.iter().map(|it| it.object.to_string()).collect();
    assert_eq!(found, ["relation b"]);
}

#[test]
fn a_repeatable_migration_skips_schemas_and_roles() {
    let text = "CREATE SCHEMA app; CREATE ROLE r; CREATE TABLE app.t (id int)";
    let mut migrations = formats::read_files([("1_m.sql", text)]).expect("complete SQL");
    migrations[0].kind = crate::migration::MigrationKind::Repeatable;
    let existing: Facts = ["schema app", "role r", "relation app.t"]
        .map(|fact| (fact.to_owned(), "7".to_owned()))
        .into_iter()
        .collect();
    let plan = plan(&migrations, &[], &Policy::default()).expect("a plan");
    let found = existing_objects(&plan, &existing);
    let found: Vec<String> = found.iter().map(|it| it.object.to_string()).collect();
    assert_eq!(found, ["relation app.t"]);
}

/// The objects that later statements of these texts create with another definition.
fn repeated_in(texts: &[&str], catalog: &[&str]) -> Vec<String> {
    let names: Vec<String> = (1..=texts.len()).map(|number| format!("{number}_m.sql")).collect();
    let files = names.iter().map(String::as_str).zip(texts.iter().copied());
    let migrations = formats::read_files(files).expect("complete SQL");
    let plan = plan(&migrations, &[], &Policy::default()).expect("a plan");
    let existing = catalog.iter().map(|fact| ((*fact).to_owned(), "7".to_owned())).collect();
    let found = repeated_objects(&plan, &existing);
    found.iter().map(|it| format!("{}: {}", it.statement.origin, it.object)).collect()
}

#[test]
fn an_object_that_two_statements_create_with_different_definitions_is_found() {
    for (one, other, object) in [
        (
            "CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY)",
            "CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY, x int)",
            "relation t",
        ),
        (
            "CREATE TABLE t (id int)",
            "CREATE TABLE IF NOT EXISTS public.t (id text)",
            "relation public.t",
        ),
        (
            "CREATE TABLE t (a int, CHECK (a > 0))",
            "CREATE TABLE IF NOT EXISTS t (a int)",
            "relation t",
        ),
        (
            "CREATE INDEX ASYNC i ON t (a)",
            "CREATE INDEX ASYNC IF NOT EXISTS i ON t (b)",
            "relation i",
        ),
        ("CREATE INDEX ASYNC i ON t (a)", "CREATE TABLE IF NOT EXISTS i (a int)", "relation i"),
        ("CREATE SEQUENCE s CACHE 1", "CREATE SEQUENCE IF NOT EXISTS s CACHE 65536", "relation s"),
        (
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c text",
            "column t.c",
        ),
        (
            "CREATE TABLE t (id int, c int)",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c text",
            "column t.c",
        ),
    ] {
        let found = [format!("2_m.sql:1: {object}")];
        assert_eq!(repeated_in(&[one, other], &[]), found, "{other}");
        let between = format!("{one}; CREATE TABLE u (id int); DROP TABLE u; {other}");
        if object.starts_with("relation") && object.ends_with('t') {
            assert_eq!(repeated_in(&[&between], &[]).len(), 1, "{between}");
        }
        // What exists is compared with the catalog.
        let fact = object.replace("public.", "");
        if fact.starts_with("relation") && other.contains(&fact.replace("relation ", "EXISTS ")) {
            assert_eq!(repeated_in(&[one, other], &[&fact]), [""; 0], "{other}");
        }
        assert_eq!(repeated_in(&[other, &other.to_lowercase()], &[]), [""; 0], "{other}");
    }
}

#[test]
fn an_object_that_was_changed_or_removed_in_between_is_compared_as_it_is_then() {
    let create = "CREATE TABLE t (id int PRIMARY KEY)";
    for (between, again) in [
        (
            "ALTER TABLE t ADD COLUMN x int",
            "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, x integer)",
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT k CHECK (id > 0)",
            "CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY, CONSTRAINT k CHECK (id > 0))",
        ),
        (
            "ALTER TABLE t ALTER COLUMN id SET DEFAULT 1",
            "CREATE TABLE IF NOT EXISTS t (id int DEFAULT 1 PRIMARY KEY)",
        ),
        ("DROP TABLE t", "CREATE TABLE IF NOT EXISTS t (a text)"),
        ("ALTER TABLE t RENAME TO u", "CREATE TABLE IF NOT EXISTS t (a text)"),
        ("ALTER TABLE t RENAME COLUMN id TO a", "CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)"),
    ] {
        assert_eq!(repeated_in(&[create, between, again], &[]), [""; 0], "{between}");
        assert_eq!(repeated_in(&[create, again], &[]).len(), 1, "{again}");
    }
}
