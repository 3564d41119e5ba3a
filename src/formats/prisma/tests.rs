//! Tests of the module above.

use crate::formats::Format;
use crate::formats::tests::{errors, names, tree};

const SQL: &str = "SELECT 1";
const LOCK: (&str, &str) = ("migration_lock.toml", "provider = \"postgresql\"\n");

#[test]
fn directories_are_ordered_by_name_and_their_names_are_the_versions() {
    let dir = tree(&[
        LOCK,
        ("20260101120000_add_title/migration.sql", SQL),
        ("0_init/migration.sql", SQL),
        ("0_init/README.md", "-"),
        ("0_init/down.sql", "DROP TABLE a"),
        (".idea/dataSources.sql", "-"),
    ]);

    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        names(&dir, None),
        [pair("0_init", "init"), pair("20260101120000_add_title", "add title")]
    );
}

#[test]
fn every_directory_that_prisma_runs_is_a_migration_whatever_its_name() {
    let dir = tree(&[
        LOCK,
        ("20250517173700_event_log.sql/migration.sql", SQL),
        (".20250101000000_hidden/migration.sql", SQL),
        ("3_note.sql/readme.md", "-"),
    ]);

    let listed = errors(&dir, Some(Format::Prisma));
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].starts_with("dir/3_note.sql "), "{listed:?}");
    std::fs::remove_dir_all(dir.path().join("3_note.sql")).expect("it exists");
    let versions: Vec<_> = names(&dir, None).into_iter().map(|(version, _)| version).collect();
    assert_eq!(versions, [".20250101000000_hidden", "20250517173700_event_log.sql"]);
    assert_eq!(
        errors(&tree(&[("1_a.sql/migration.sql", SQL), ("2_b.sql", SQL)]), Some(Format::Plain)),
        ["dir/1_a.sql/migration.sql is in a subdirectory, where it would never run"]
    );
}

#[test]
fn directories_are_ordered_as_node_orders_them() {
    let dir = tree(&[
        LOCK,
        ("0001_add/migration.sql", SQL),
        ("0_init/migration.sql", SQL),
        ("10_x/migration.sql", SQL),
        ("1_init/migration.sql", SQL),
    ]);

    let versions: Vec<_> = names(&dir, None).into_iter().map(|(version, _)| version).collect();
    assert_eq!(versions, ["0_init", "0001_add", "1_init", "10_x"]);
}

#[test]
fn files_that_the_tool_would_skip_or_reject_are_errors() {
    let dir = tree(&[
        LOCK,
        ("0_init/migration.sql", SQL),
        ("0_init/more.sql", SQL),
        ("0_init/old/migration.sql", SQL),
        ("1_empty/README.md", "-"),
        ("seed.sql", SQL),
    ]);

    assert_eq!(
        errors(&dir, None),
        [
            "directory dir/1_empty does not contain migration.sql, \
             which Prisma requires in each directory",
            "dir/seed.sql has a name that Prisma does not accept: \
             expected <name>/migration.sql",
            "dir/0_init/more.sql is in a subdirectory, where it would never run",
            "dir/0_init/old/migration.sql is in a subdirectory, where it would never run",
        ]
    );
}

#[test]
fn sql_for_another_database_is_rejected() {
    let lock = "# Please do not edit\n\nprovider = \"mysql\"\n";
    let dir = tree(&[("migration_lock.toml", lock), ("0_init/migration.sql", SQL)]);

    assert_eq!(
        errors(&dir, None),
        ["dir/migration_lock.toml:3 sets the provider mysql, not postgresql"]
    );
}

#[test]
fn an_empty_directory_is_an_error() {
    let dir = tree(&[LOCK]);

    assert_eq!(errors(&dir, Some(Format::Prisma)), ["directory dir contains no migrations"]);
}
