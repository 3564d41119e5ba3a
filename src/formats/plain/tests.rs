//! Tests of the module above.

use super::*;
use crate::formats::Format;
use crate::formats::error::{FormatErrorKind, SqlProblem};
use crate::formats::tests::{errors, names, tree};

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn files_are_ordered_by_number_not_by_name() {
    let dir = tree(&[
        ("10_j.sql", "SELECT 1"),
        ("9_i.sql", "SELECT 1"),
        ("0002.sql", "SELECT 1"),
        ("00000000000000000000000000000001_a_b.SQL", "SELECT 1"),
        ("99999999999999999999999999999999_z__z.sql", "SELECT 1"),
        ("20260101120000_y.sql", "SELECT 1"),
        ("12-add-new_users.sql", "SELECT 1"),
        ("11_add-users.sql", "SELECT 1"),
        ("README.md", "CREATE"),
        (".gitkeep", ""),
        ("0003_draft.sql.bak", "SELECT"),
    ]);

    assert_eq!(
        names(&dir, Some(Format::Plain)),
        pairs(&[
            ("00000000000000000000000000000001", "a b"),
            ("0002", ""),
            ("9", "i"),
            ("10", "j"),
            ("11", "add-users"),
            ("12", "add new users"),
            ("20260101120000", "y"),
            ("99999999999999999999999999999999", "z  z"),
        ])
    );
}

#[test]
fn the_same_number_written_differently_is_the_same_version() {
    let dir = tree(&[("0001_a.sql", "SELECT 1"), ("1.sql", "SELECT 1"), ("2.sql", "SELECT 1")]);

    assert_eq!(errors(&dir, None), ["dir/1.sql has the same version as dir/0001_a.sql"]);
}

#[test]
fn zero_is_a_number() {
    let dir = tree(&[("0000_a.sql", "SELECT 1"), ("1.sql", "SELECT 1")]);

    assert_eq!(names(&dir, None), pairs(&[("0000", "a"), ("1", "")]));
}

#[test]
fn a_name_without_a_number_is_an_error_and_not_skipped() {
    for name in ["users.sql", "a1_b.sql", "1+a.sql", "1.5_a.sql", "_1.sql", ".sql.sql", "١_a.sql"]
    {
        let dir = tree(&[("0001_a.sql", "SELECT 1"), (name, "SELECT 1")]);

        let expected =
            format!("dir/{name} has no version in its name: expected <digits>_<name>.sql");
        assert_eq!(errors(&dir, None), [expected]);
    }
}

#[test]
fn a_down_file_is_rejected_even_if_the_format_is_given() {
    for name in ["1_a.DOWN.sql", "1_a.undo.sql", "1_a.rollback.sql", "1_a.revert.sql", "undo.sql"] {
        let dir = tree(&[("2_a.up.sql", "SELECT 1"), (name, "DROP TABLE a")]);
        assert_eq!(errors(&dir, Some(Format::Plain)), [format!("dir/{name} is a down migration")]);
    }
}

#[test]
fn of_two_files_with_one_version_the_one_that_reverts_the_other_is_a_down_migration() {
    for (up, down) in [
        ("1_a_up.sql", "1_a_down.sql"),
        ("1_a-up.sql", "1_a-down.sql"),
        ("1_a.sql", "1_a_undo.sql"),
        ("1-UP.sql", "1-DOWN.sql"),
    ] {
        let dir = tree(&[(up, "SELECT 1"), (down, "DROP TABLE a")]);
        let expected = format!("dir/{down} is a down migration");
        assert_eq!(errors(&dir, Some(Format::Plain)), [expected]);
    }
    let dir = tree(&[("1_scale_down.sql", "SELECT 1"), ("2_scale_up.sql", "SELECT 1")]);
    assert_eq!(names(&dir, Some(Format::Plain)).len(), 2);
    let dir = tree(&[("1_a_down.sql", "SELECT 1"), ("1_b_up.sql", "SELECT 1")]);
    assert_eq!(
        errors(&dir, Some(Format::Plain)),
        ["dir/1_b_up.sql has the same version as dir/1_a_down.sql"]
    );
}

#[test]
fn a_down_section_is_rejected_even_if_the_format_is_given() {
    let text = "CREATE TABLE a ();\n\n--  +goose Down\nDROP TABLE a;";
    let dir = tree(&[("1_a.sql", text)]);
    let expected = "dir/1_a.sql:3 begins a section that reverts the migration, as marked for goose";

    assert_eq!(errors(&dir, Some(Format::Plain)), [expected]);
    let mut read = single("dir/1_a.sql", text, None, None).expect("its name has a version");
    let error = read.problems.pop().expect("it has a down section");
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error.kind, FormatErrorKind::Sql(SqlProblem::DownSection { tool: "goose" })));
}

#[test]
fn the_section_of_every_tool_that_reverts_a_migration_is_rejected() {
    for (mark, tool) in [
        ("-- +goose  down", "goose"),
        ("-- + goose Down", "goose"),
        ("-- goose down", "goose"),
        ("--migrate: down", "dbmate"),
        ("-- migrate : down", "dbmate"),
        ("-- Migrate-Down", "dbmate"),
        ("--+migrate Down", "sql-migrate"),
        ("-- //@UNDO", "MyBatis Migrations"),
        ("-- // @Undo", "MyBatis Migrations"),
        ("-- @UNDO", "MyBatis Migrations"),
        ("-- !Downs", "Play evolutions"),
        ("# --- !Downs", "Play evolutions"),
        ("# !Downs", "Play evolutions"),
        ("-- 2.sql !Downs", "Play evolutions"),
        ("-- +micrate Down", "micrate"),
        ("-- rambler down", "rambler"),
        ("-- Down Migration", "node-pg-migrate"),
        ("-- Down", "another tool"),
        ("-- ==== DOWN ====", "another tool"),
        ("-- migrate:down transaction:false", "dbmate"),
        ("-- migrate:  down  transaction:false", "dbmate"),
        ("-- migrate:down what follows", "dbmate"),
        ("---- Down Migration ----", "node-pg-migrate"),
        ("---- create above / drop below ----", "tern"),
        ("-- ! downs", "Play evolutions"),
        ("-- rollback", "another tool"),
        ("-- Rollback:", "another tool"),
        ("-- Undo", "another tool"),
        ("-- revert", "another tool"),
        ("-- ROLLBACK SCRIPT", "another tool"),
        ("-- migration down", "another tool"),
        ("-- name: down", "another tool"),
        ("-- DOWN Migration (Rollback)", "another tool"),
        ("/* DOWN */", "another tool"),
        ("/* rollback */", "another tool"),
    ] {
        let text = format!("CREATE TABLE a ();\n\n{mark}\n-- a\n\nDROP TABLE a;");
        let dir = tree(&[("1.sql", &text)]);
        let expected = format!(
            "dir/1.sql:3 begins a section that reverts the migration, as marked for {tool}"
        );
        assert_eq!(errors(&dir, Some(Format::Plain)), [expected]);
    }
}

#[test]
fn a_down_half_is_rejected_whatever_its_statements_are() {
    // shmig writes such files.
    let shmig = |down: &str| {
        format!(
            "-- ====  UP  ====\n\nBEGIN;\n\nCREATE TABLE a ();\n\nCOMMIT;\n\n-- ==== DOWN ====\n\n\
             BEGIN;\n\n{down};\n\nCOMMIT;\n"
        )
    };
    for down in ["DROP TABLE a", "INSERT INTO r VALUES (1)", "CREATE TABLE b ()", "SELECT f()"] {
        let dir = tree(&[("1380675750-users.sql", &shmig(down))]);
        let expected = "dir/1380675750-users.sql:9 begins a section that reverts the migration, \
                        as marked for another tool";
        assert_eq!(errors(&dir, None), [expected], "{down}");
    }
    for (mark, down) in [
        ("-- Down", "BEGIN;\nDROP TABLE a;\nCOMMIT;"),
        ("-- goose down", "START TRANSACTION;\nDROP TABLE a;"),
        ("-- migrate-down", "BEGIN;\nSET search_path = public;\nDROP TABLE a;"),
        ("-- rollback", "SET search_path = public;\nDROP TABLE a;"),
        ("-- Rollback:", "SELECT pg_catalog.set_config('search_path', '', false);\nDROP TABLE a;"),
        ("-- Rollback", "ALTER TABLE a DROP COLUMN x;"),
        ("-- Rollback", "ALTER TABLE a\n  RENAME TO b;"),
        ("-- rollback", "DELETE FROM a;"),
        ("-- Roll back", "UPDATE a SET x = 1;"),
        ("-- undo this migration", "TRUNCATE a;"),
        ("-- To revert:", "DO $$ BEGIN DROP TABLE a; END $$;"),
        ("-- down", "UPDATE a SET x = NULL;"),
        ("-- migration down", "DELETE FROM a;"),
        ("-- Down 0001", "REVOKE SELECT ON a FROM b;"),
        ("-- step: rollback", "DROP TABLE a;"),
        ("-- reverse", "DROP TABLE a;"),
        ("-- Backwards", "DROP TABLE a;"),
        ("-- downgrade", "DROP TABLE a;"),
        ("-- section: down", "DROP TABLE a;"),
        ("-- +migrate  Down notransaction", "SELECT 1;"),
        ("-- +migrate\tDown notransaction", "SELECT 1;"),
        ("-- +goose  Down what follows", "SELECT 1;"),
    ] {
        let text = format!("CREATE TABLE a (x int);\n{mark}\n{down}");
        let dir = tree(&[("1.sql", &text)]);
        let error = errors(&dir, Some(Format::Plain)).pop().unwrap_or_default();
        assert!(error.starts_with("dir/1.sql:2 begins a section"), "{mark} {down}: {error}");
    }
    for (up, down) in [
        ("-- Up", "-- Down"),
        ("-- Up", "/* rollback */"),
        ("-- upgrade", "-- rollback"),
        ("-- migration up", "-- migration down"),
        ("-- change", "-- undo"),
        ("-- step: apply", "-- step: rollback"),
    ] {
        let text = format!("{up}\nDELETE FROM r;\n{down}\nINSERT INTO r VALUES (1);");
        let error = errors(&tree(&[("1.sql", &text)]), None).pop().unwrap_or_default();
        assert!(error.starts_with("dir/1.sql:3 begins a section"), "{up} {down}: {error}");
    }
}

#[test]
fn a_comment_that_only_resembles_a_mark_is_accepted() {
    for text in [
        "CREATE TABLE a ();\n-- Down\n-- DROP TABLE a;",
        "CREATE TABLE a ();\n-- Down\nINSERT INTO directions VALUES (1);",
        "DROP TABLE a -- down\n;\nDROP TABLE b; -- down\nDROP TABLE c;",
        "-- down to one table\nDROP TABLE a;",
        "-- To undo: DROP TABLE a\nCREATE TABLE a ();",
        "-- changeset 12: adds a table\nCREATE TABLE a ();",
        "SELECT 5\n# 2;",
        "-- Careful! Downstream services read this table.\nCREATE TABLE a ();",
        "-- Important! Upsert is not possible here.\nCREATE TABLE a ();",
        "-- This is it!Downs and ups.\nCREATE TABLE a ();",
        "-- migrate: downstream tables first\nCREATE TABLE a ();",
        "-- migrate: down to the last row\nCREATE TABLE a ();",
        "-- Migrate: update existing rows\nCREATE TABLE a ();",
        "-- Down migration is not supported for this change.\nDROP TABLE a;",
        "-- suffix is the file convention, not a claim that a\n\
         -- down migration exists somewhere.\nDROP TABLE a;",
        "-- Up migration for tenants\nCREATE TABLE a ();",
        "-- rambler up the hill\nCREATE TABLE a ();",
        "-- +goose is not used here\nCREATE TABLE a ();",
        "-- liquibase formatted sql is not used here\nCREATE TABLE a ();",
        "-- Rollback\nDROP TABLE IF EXISTS a;\n-- Create it\nCREATE TABLE a ();",
        "-- undo\nDROP INDEX a_i;",
        "ALTER TABLE a DISABLE TRIGGER ALL;\n-- revert\nALTER TABLE a ENABLE TRIGGER ALL;",
        "CREATE TABLE a ();\n-- Rollback is not possible\nDROP TABLE b;",
        "CREATE TABLE a ();\n/*\n-- rollback\nDROP TABLE a;\n*/\nDROP TABLE b;",
        "CREATE TABLE a ();\n-- rollback\n-- DROP TABLE a;",
        "BEGIN;\n-- undo\nDROP INDEX a_i;\nCOMMIT;",
        "-- Undo\nDELETE FROM a;\n-- Do\nINSERT INTO a VALUES (1);",
        "-- Up\nCREATE TABLE a ();\n-- Down\n-- DROP TABLE a;",
        "-- Up\nCREATE TABLE a ();\n-- Down\nCOMMIT;",
        "-- Forward\nINSERT INTO a VALUES (1);\n-- Reverse\nINSERT INTO a VALUES (2);",
        "UPDATE a SET x = 1;\n-- Reverse\nUPDATE a SET x = 2;",
        "CREATE TABLE a ();\n-- Rollback plan\nDROP TABLE b;",
        "CREATE TABLE a ();\n-- undo the mistake of 0002\nDELETE FROM b;",
        "CREATE TABLE a ();\n-- rollback is in down.sql\nUPDATE b SET x = 1;",
        "CREATE TABLE a ();\n-- scroll down\nDROP TABLE b;",
        "-- Up\nCREATE TABLE a ();\n-- Counts down to zero\nCREATE TABLE b ();",
        "CREATE TABLE a ();\n-- revert\nSELECT 1;",
    ] {
        let dir = tree(&[("1_a.sql", text)]);
        assert_eq!(names(&dir, None).len(), 1, "{text}");
    }
}

#[test]
fn a_mark_in_a_literal_is_only_text() {
    let text = "INSERT INTO help VALUES ('\n-- +goose Down\n', $$\n-- migrate:down$$)";

    let read = single("1.sql", text, None, None).expect("its name has a version");
    assert!(read.problems.is_empty(), "{:?}", read.problems);
}

#[test]
fn an_archive_of_another_tool_is_rejected_even_if_the_format_is_given() {
    let text = "-- atlas:txtar\n\n-- migration.sql --\nSELECT 1;\n\n-- down.sql --\nSELECT 2;\n";
    let dir = tree(&[("1_a.sql", text)]);
    assert_eq!(
        errors(&dir, Some(Format::Plain)),
        ["dir/1_a.sql:1 holds several files, which only Atlas can separate"]
    );
    assert_eq!(errors(&dir, None), ["dir/atlas.sum does not exist"]);
}
