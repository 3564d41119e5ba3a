//! Tests of the module above.

use super::*;
use crate::formats::read_dir;
use crate::formats::tests::{errors, path, tree};

const SQL: &str = "CREATE TABLE a ()";

fn detected(files: &[(&str, &str)]) -> String {
    let dir = tree(files);
    match read_dir(path(&dir), None) {
        Ok(directory) => directory.format.name().to_owned(),
        Err(_) => errors(&dir, None).join("; "),
    }
}

#[test]
fn numbered_files_and_whatever_lies_beside_them_are_plain() {
    assert_eq!(detected(&[("0001_a.sql", SQL), ("README.md", ""), ("meta/x.txt", "")]), "plain");
}

#[test]
fn a_journal_is_drizzle() {
    let journal = r#"{"dialect": "postgresql", "entries": [{"tag": "0000_a"}]}"#;

    assert_eq!(detected(&[("0000_a.sql", SQL), ("meta/_journal.json", journal)]), "drizzle");
}

#[test]
fn snapshots_without_their_journal_are_not_plain() {
    assert_eq!(
        detected(&[("0000_a.sql", SQL), ("meta/0000_snapshot.json", "{}")]),
        "journal `dir/meta/_journal.json` does not exist"
    );
}

#[test]
fn a_directory_of_another_tool_is_refused_and_the_tool_named() {
    type Files = &'static [(&'static str, &'static str)];
    let table: &[(Files, &str, &str)] = &[
        (&[("1_a.sql", SQL), ("atlas.sum", "")], "Atlas", "`atlas.sum`"),
        (
            &[("migration_lock.toml", ""), ("0_a/migration.sql", SQL)],
            "Prisma",
            "`migration_lock.toml`",
        ),
        (&[("0_init/migration.sql", SQL)], "Prisma", "`0_init/migration.sql`"),
        (&[("20260101T0000_a/ops.json", "")], "Prisma Next", "`20260101T0000_a/ops.json`"),
        (
            &[("20260101120000_a/migration.sql", SQL), ("20260101120000_a/snapshot.json", "")],
            "Drizzle v1",
            "`20260101120000_a/migration.sql`",
        ),
        (
            &[("20260101120000_a/migration.sql", SQL)],
            "Drizzle v1 or Prisma",
            "`20260101120000_a/migration.sql`",
        ),
        (&[("V1__a.sql", SQL)], "Flyway or refinery", "`V1__a.sql`"),
        (&[("V1.2_3__a.sql", SQL)], "Flyway or refinery", "`V1.2_3__a.sql`"),
        (&[("1_a.sql", SQL), ("R__views.sql", SQL)], "Flyway or refinery", "`R__views.sql`"),
        (&[("1_a.down.sql", SQL), ("1_a.up.sql", SQL)], "golang-migrate or sqlx", "`1_a.down.sql`"),
        (
            &[("1_a.sql", SQL), ("2_a.sql", "\n-- comment\n-- +goose Up\nSELECT 1;")],
            "goose",
            "`+goose` at dir/2_a.sql:3",
        ),
        (&[("1_a.sql", "-- Migrate:UP\n")], "dbmate", "`migrate:up` at dir/1_a.sql:1"),
        (&[("1_a.sql", "--migrate:down")], "dbmate", "`migrate:down` at dir/1_a.sql:1"),
        (&[("1_a.sql", "-- +migrate Up")], "sql-migrate", "`+migrate` at dir/1_a.sql:1"),
        (
            &[("1_a.sql", "--liquibase formatted sql")],
            "Liquibase",
            "`liquibase formatted sql` at dir/1_a.sql:1",
        ),
        (
            &[("1_a.sql", "SELECT 1;\n---- create above / drop below ----\nSELECT 2;")],
            "tern",
            "`create above / drop below` at dir/1_a.sql:2",
        ),
        (
            &[("1_a.sql", "-- Up Migration\nSELECT 1;")],
            "node-pg-migrate",
            "`up migration` at dir/1_a.sql:1",
        ),
    ];
    for (files, tool, sign) in table {
        assert_eq!(
            detected(files),
            format!(
                "`dir` is a directory of {tool}, a format that is not supported yet: \
                 it holds {sign}"
            )
        );
    }
}

#[test]
fn marks_of_two_tools_are_an_error_that_names_both() {
    assert_eq!(
        detected(&[("meta/_journal.json", "{}"), ("atlas.sum", "")]),
        "`dir` is a directory of both Drizzle and Atlas"
    );
}

#[test]
fn a_format_that_is_given_is_not_questioned() {
    let dir = tree(&[("1_a.sql", "-- +goose Up\nSELECT 1;"), ("atlas.sum", "")]);

    read_dir(path(&dir), Some(Format::Plain)).expect("nothing in it goes down");
}
