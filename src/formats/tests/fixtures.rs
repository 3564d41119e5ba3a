//! Directories as each tool would write them, and the migrations that are read from them.
//!
//! `fixtures/<name>/migrations` is the directory, and `fixtures/<name>/expected` is the output of
//! [`show`].

use std::fmt::Write as _;

use super::*;
use crate::migration::MigrationKind;

/// The fixtures of a format. The tests of a new format do not compile until it has one here.
fn fixtures(format: Format) -> &'static [&'static str] {
    match format {
        Format::Plain => &["plain"],
        Format::Drizzle => &["drizzle", "drizzle_v1"],
        Format::Flyway => &["flyway"],
        Format::Atlas => &["atlas", "atlas_checkpoint"],
        Format::Sqlx => &["sqlx"],
        Format::Goose => &["goose"],
        Format::Dbmate => &["dbmate"],
        Format::GolangMigrate => &["golang_migrate"],
        Format::Prisma => &["prisma"],
        Format::Refinery => &["refinery"],
    }
}

/// The fixtures that two tools would read, with a part of the error that names both.
const UNDECIDED: &[(&str, &str)] = &[
    ("golang_migrate", "may be for golang-migrate or for sqlx"),
    ("refinery", "may be for Flyway or for refinery"),
];

fn formats() -> impl Iterator<Item = Format> {
    FORMATS.iter().map(|spec| spec.format)
}

fn folder(fixture: &str) -> String {
    format!("{}/src/formats/fixtures/{fixture}", env!("CARGO_MANIFEST_DIR"))
}

fn directory(fixture: &str) -> String {
    format!("{}/migrations", folder(fixture))
}

/// Prints everything that is read, with paths relative to the directory.
fn show(dir: &str, migrations: &[Migration]) -> String {
    let mut shown = String::new();
    for migration in migrations {
        let Migration { version, kind, description, file, checksum, statements, .. } = migration;
        let file = file.strip_prefix(dir).expect("it is in the directory");
        let kind = match kind {
            MigrationKind::Versioned => String::new(),
            other => format!(", {}", other.as_str()),
        };
        writeln!(shown, "== {version} \"{description}\"{kind}\n{}\n{checksum}", &file[1..])
            .expect("text");
        for statement in statements {
            let (line, boundary) = (statement.origin.line, statement.boundary);
            let text = &statement.text;
            writeln!(shown, "-- line {line}, {}, boundary {boundary}\n{text}", statement.class)
                .expect("text");
        }
        shown.push('\n');
    }
    shown
}

/// A format that is missing in [`FORMATS`] would not be tested, but its fixture exists.
#[test]
fn every_fixture_belongs_to_a_format_of_the_table() {
    let entries = fs::read_dir(folder("")).expect("the fixtures can be listed");
    let mut found: Vec<String> = entries
        .map(|entry| entry.expect("it can be read").file_name().into_string().expect("UTF-8"))
        .collect();
    found.sort();
    let mut expected: Vec<&str> = formats().flat_map(fixtures).copied().collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn a_directory_of_each_format_is_read_as_expected() {
    for format in formats() {
        for fixture in fixtures(format) {
            let dir = directory(fixture);
            let read = read_dir(&dir, Some(format)).expect("the directory is valid");

            let expected = fs::read_to_string(format!("{}/expected", folder(fixture)));
            assert_eq!(show(&dir, &read.migrations), expected.unwrap_or_default(), "{fixture}");
            assert_eq!(read.format, format);
        }
    }
}

#[test]
fn the_format_of_each_directory_is_detected_unless_two_tools_would_read_it() {
    for format in formats() {
        for fixture in fixtures(format) {
            let undecided = UNDECIDED.iter().find(|(name, _)| name == fixture);
            match (read_dir(&directory(fixture), None), undecided) {
                (Ok(read), None) => assert_eq!(read.format, format, "{fixture}"),
                (Err(errors), Some((_, words))) => {
                    let shown = super::show(&errors[0], &directory(fixture));
                    assert!(shown.contains(words), "{shown}");
                }
                (read, _) => panic!("{fixture}: {read:?}"),
            }
        }
    }
}

#[test]
fn no_format_runs_sql_that_reverts_a_migration_of_another() {
    let mut read_alike = 0;
    for (format, other) in formats().flat_map(|format| formats().map(move |other| (format, other)))
    {
        for fixture in fixtures(format) {
            let Ok(read) = read_dir(&directory(fixture), Some(other)) else { continue };
            read_alike += 1;
            for statement in read.migrations.iter().flat_map(|migration| &migration.statements) {
                // In the fixtures, only SQL that reverts a migration begins with these words.
                let undoes = ["DROP", "DELETE"].iter().any(|word| statement.text.starts_with(word));
                assert!(!undoes, "{fixture} as {other:?}: {statement:?}");
            }
        }
    }
    // Each in its own format, and some in the format of a tool whose directories look the same.
    let own = formats().flat_map(fixtures).count();
    assert!((own + 1..3 * own).contains(&read_alike), "{read_alike} of {own} fixtures");
}

#[test]
fn every_statement_of_a_directory_is_in_its_file() {
    for format in formats() {
        for fixture in fixtures(format) {
            let read = read_dir(&directory(fixture), Some(format)).expect("it is valid");
            for statement in read.migrations.iter().flat_map(|migration| &migration.statements) {
                let text = fs::read_to_string(&statement.origin.file).expect("it can be read");
                let from = text.lines().skip(statement.origin.line - 1);
                let rest = from.collect::<Vec<_>>().join("\n");
                assert!(rest.contains(&statement.text), "{statement:?}");
            }
        }
    }
}
