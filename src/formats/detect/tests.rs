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
fn numbered_files_next_to_other_files_are_plain() {
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
        "dir/meta/_journal.json does not exist"
    );
}

type Files = &'static [(&'static str, &'static str)];

#[test]
fn names_and_marks_identify_the_format() {
    let table: &[(Files, &str)] = &[
        (&[("migration_lock.toml", ""), ("20260101120000_a/migration.sql", SQL)], "prisma"),
        (&[("0_init/migration.sql", SQL)], "prisma"),
        (
            &[
                ("20260101120000_a/migration.sql", SQL),
                ("20260201120000_b/migration.sql", SQL),
                ("20260201120000_b/snapshot.json", ""),
            ],
            "drizzle",
        ),
        (&[("V1__a.sql", SQL)], "flyway"),
        (&[("V1.2_3__a.sql", SQL)], "flyway"),
        (&[("2026/V1__a.sql", SQL)], "flyway"),
        (&[("V1__a.sql", SQL), ("U1__a.sql", "DROP TABLE a")], "flyway"),
        (&[("1_a.sql", SQL), ("2_b.down.sql", SQL), ("2_b.up.sql", SQL)], "sqlx"),
        (&[("1_a.up.sql", "-- no-transaction\nSELECT 1")], "sqlx"),
        (&[("1_a.sql", "\n-- comment\n-- +goose Up\nSELECT 1;")], "goose"),
        (&[("1_a.sql", "-- migrate:up\nSELECT 1")], "dbmate"),
    ];
    for (files, format) in table {
        assert_eq!(detected(files), *format, "{files:?}");
    }
}

#[test]
fn a_directory_of_an_unsupported_tool_is_rejected_with_the_name_of_the_tool() {
    let table: &[(Files, &str, &str)] = &[
        (&[("20260101T0000_a/ops.json", "")], "Prisma Next", "20260101T0000_a/ops.json"),
        (&[("1_a.sql", "-- +migrate Up")], "sql-migrate", "+migrate up at dir/1_a.sql:1"),
        (
            &[("1_a.sql", "--liquibase formatted sql")],
            "Liquibase",
            "liquibase formatted sql at dir/1_a.sql:1",
        ),
        (
            &[("1_a.sql", "SELECT 1;\n---- create above / drop below ----\nSELECT 2;")],
            "tern",
            "create above / drop below at dir/1_a.sql:2",
        ),
        (
            &[("1_a.sql", "-- Up Migration\nSELECT 1;")],
            "node-pg-migrate",
            "up migration at dir/1_a.sql:1",
        ),
        (
            &[("1.sql", "# --- !Ups\nSELECT 1;\n# --- !Downs\n")],
            "Play evolutions",
            "!ups at dir/1.sql:1",
        ),
        (
            &[("1_a.sql", "-- // a\nSELECT 1;\n-- //@UNDO\n")],
            "MyBatis Migrations",
            "@undo at dir/1_a.sql:3",
        ),
        (&[("1_a.sql", "-- +micrate Up\nSELECT 1;")], "micrate", "+micrate up at dir/1_a.sql:1"),
        (&[("1_a.sql", "-- rambler up\nSELECT 1;")], "rambler", "rambler up at dir/1_a.sql:1"),
        (&[("1_a.sql", "--changeset me:1\nSELECT 1;")], "Liquibase", "changeset at dir/1_a.sql:1"),
    ];
    for (files, tool, sign) in table {
        assert_eq!(
            detected(files),
            format!(
                "directory dir is for {tool}, whose format is not supported: it contains {sign}"
            )
        );
    }
}

#[test]
fn a_directory_that_two_tools_would_read_differently_is_rejected() {
    let table: &[(Files, &str, &str, &str)] = &[
        (&[("1_a.down.sql", SQL), ("1_a.up.sql", SQL)], "golang-migrate", "sqlx", "1_a.down.sql"),
        (&[("U1__a.sql", SQL)], "Flyway", "refinery", "U1__a.sql"),
        (&[("V1__a.sql", SQL), ("x/U2__a.sql", SQL)], "Flyway", "refinery", "x/U2__a.sql"),
        (
            &[("20260101120000_a/migration.sql", SQL)],
            "Drizzle",
            "Prisma",
            "20260101120000_a/migration.sql",
        ),
    ];
    for (files, first, second, sign) in table {
        assert_eq!(
            detected(files),
            format!("directory dir may be for {first} or for {second}: it contains {sign}")
        );
    }
}

#[test]
fn names_and_marks_of_two_tools_are_an_error_with_both_names() {
    let table: &[(Files, &str)] = &[
        (&[("V1__a.sql", SQL), ("1_a.up.sql", SQL)], "Flyway and golang-migrate"),
        (&[("1_a.sql", "-- +goose Up"), ("2_a.sql", "-- migrate:up")], "goose and dbmate"),
        (&[("1_a.sql", "-- +goose Up"), ("2_a.sql", "-- +migrate Up")], "goose and sql-migrate"),
        // Atlas keeps a sum for directories of other tools, but does not name the tool.
        (&[("1_a.sql", "-- +goose Up"), ("atlas.sum", "")], "Atlas and goose"),
        (&[("V1__a.sql", SQL), ("atlas.sum", "")], "Atlas and Flyway"),
    ];
    for (files, tools) in table {
        assert_eq!(detected(files), format!("directory dir contains files of both {tools}"));
    }
}

#[test]
fn marker_files_of_two_tools_are_an_error_with_both_names() {
    assert_eq!(
        detected(&[("meta/_journal.json", "{}"), ("atlas.sum", "")]),
        "directory dir contains files of both Drizzle and Atlas"
    );
}

#[test]
fn a_given_format_is_not_checked() {
    let dir = tree(&[("1_a.sql", "-- +goose Up\nSELECT 1;"), ("atlas.sum", "")]);

    read_dir(path(&dir), Some(Format::Plain)).expect("it has no down section");
}
