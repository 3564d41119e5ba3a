//! Tests of the module above.

use crate::formats::Format;
use crate::formats::tests::{errors, names, tree};

const SQL: &str = "SELECT 1;\n--> statement-breakpoint\nSELECT 2";

#[test]
fn directories_are_ordered_by_name_and_their_names_are_the_versions() {
    let dir = tree(&[
        ("20260201120000_b/migration.sql", SQL),
        ("20260101120000_add_title/migration.sql", SQL),
        ("20260101120000_add_title/snapshot.json", "{}"),
    ]);

    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        names(&dir, None),
        [pair("20260101120000_add_title", "add title"), pair("20260201120000_b", "b")]
    );
}

#[test]
fn directories_of_one_second_are_ordered_as_node_orders_them() {
    let dir = tree(&[
        ("20260101120000_a-b/migration.sql", SQL),
        ("20260101120000_Add/migration.sql", SQL),
        ("20260101120000_a_b/migration.sql", SQL),
        ("20260101120000_add/migration.sql", SQL),
    ]);

    let names: Vec<_> =
        names(&dir, Some(Format::Drizzle)).into_iter().map(|(version, _)| version).collect();
    assert_eq!(names, ["a_b", "a-b", "add", "Add"].map(|name| format!("20260101120000_{name}")));
}

#[test]
fn files_that_the_tool_would_skip_or_reject_are_errors() {
    let dir = tree(&[
        ("0_init/migration.sql", SQL),
        ("20260101120000_a/migration.sql", "SELECT '--> statement-breakpoint'"),
        ("20260101120000_a/snapshot.json", "{}"),
        ("20260201120000_b/snapshot.json", "{}"),
        ("0003_c.sql", SQL),
    ]);

    assert_eq!(
        errors(&dir, Some(Format::Drizzle)),
        [
            "directory dir/20260201120000_b does not contain migration.sql, \
             which Drizzle requires in each directory",
            "dir/0003_c.sql has a name that Drizzle does not accept: \
             expected <name>/migration.sql",
            "dir/0_init/migration.sql has a name that Drizzle does not accept: \
             expected <14 digits>_<name>/migration.sql",
            "dir/20260101120000_a/migration.sql:1:8 cannot be split into statements: \
             string literal is not terminated",
        ]
    );
}

#[test]
fn both_layouts_at_once_are_an_error_as_they_are_for_drizzle() {
    let dir = tree(&[
        ("meta/_journal.json", r#"{"entries":[{"tag":"0000_a"}]}"#),
        ("0000_a.sql", SQL),
        ("20260101120000_b/migration.sql", SQL),
    ]);

    assert_eq!(
        errors(&dir, None),
        ["dir/20260101120000_b/migration.sql is in a subdirectory, where it would never run"]
    );
}
