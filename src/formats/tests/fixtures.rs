//! A directory of each format, as its tool would have it, and what is read from it.
//!
//! `fixtures/<name>/migrations` is the directory, `fixtures/<name>/expected` what [`show`] makes of
//! it.

use std::fmt::Write as _;

use super::*;
use crate::migration::MigrationKind;

/// The fixtures of a format. A new format does not compile until it has one here.
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

/// Those that two tools would read, and who has to be asked.
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

/// All that is read, with paths from the directory on.
fn show(dir: &str, migrations: &[Migration]) -> String {
    let mut shown = String::new();
    for migration in migrations {
        let Migration { version, kind, description, file, checksum, statements, .. } = migration;
        let file = file.strip_prefix(dir).expect("it lies in the directory");
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

#[test]
fn a_directory_of_each_format_is_read_as_expected() {
    for format in formats() {
        for fixture in fixtures(format) {
            let dir = directory(fixture);
            let read = read_dir(&dir, Some(format)).expect("the directory is good");

            let expected = fs::read_to_string(format!("{}/expected", folder(fixture)));
            assert_eq!(show(&dir, &read.migrations), expected.unwrap_or_default(), "{fixture}");
            assert_eq!(read.format, format);
        }
    }
}

#[test]
fn each_directory_shows_its_own_format_unless_two_tools_would_read_it() {
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
fn no_format_runs_what_undoes_a_migration_of_another() {
    let mut read_alike = 0;
    for (format, other) in formats().flat_map(|format| formats().map(move |other| (format, other)))
    {
        for fixture in fixtures(format) {
            let Ok(read) = read_dir(&directory(fixture), Some(other)) else { continue };
            read_alike += 1;
            for statement in read.migrations.iter().flat_map(|migration| &migration.statements) {
                // In the fixtures only parts that undo something begin so.
                let undoes = ["DROP", "DELETE"].iter().any(|word| statement.text.starts_with(word));
                assert!(!undoes, "{fixture} as {other:?}: {statement:?}");
            }
        }
    }
    // Each as itself, and some that differ only in their ledgers.
    assert!((11..40).contains(&read_alike), "{read_alike}");
}

#[test]
fn every_statement_of_a_directory_stands_in_its_file() {
    for format in formats() {
        for fixture in fixtures(format) {
            let read = read_dir(&directory(fixture), Some(format)).expect("it is good");
            for statement in read.migrations.iter().flat_map(|migration| &migration.statements) {
                let text = fs::read_to_string(&statement.origin.file).expect("it can be read");
                let from = text.lines().skip(statement.origin.line - 1);
                let rest = from.collect::<Vec<_>>().join("\n");
                assert!(rest.contains(&statement.text), "{statement:?}");
            }
        }
    }
}
