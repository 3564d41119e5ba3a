//! Tests of the module above.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::migration::{Class, MigrationKind};

mod fixtures;

/// Creates a directory with these files. A name may be a path.
pub(super) fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    for (name, text) in files {
        write(&dir, name, text.as_bytes());
    }
    dir
}

pub(super) fn write(dir: &TempDir, name: &str, bytes: &[u8]) {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().expect("it is in a directory")).expect("it can be created");
    fs::write(path, bytes).expect("it can be written");
}

pub(super) fn path(dir: &TempDir) -> &str {
    dir.path().to_str().expect("temporary directories have plain names")
}

/// The versions and descriptions of the migrations in a directory, in order.
pub(super) fn names(dir: &TempDir, format: Option<Format>) -> Vec<(String, String)> {
    let directory = read_dir(path(dir), format).expect("the directory is valid");
    directory
        .migrations
        .into_iter()
        .map(|migration| (migration.version.0, migration.description))
        .collect()
}

/// The errors of a directory, with `dir` in place of its path.
pub(super) fn errors(dir: &TempDir, format: Option<Format>) -> Vec<String> {
    let errors = read_dir(path(dir), format).expect_err("the directory is not valid");
    assert!(!errors.is_empty());
    errors.iter().map(|error| show(error, path(dir))).collect()
}

pub(super) fn show(error: &FormatError, dir: &str) -> String {
    let mut shown = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        shown = format!("{shown}: {source}");
    }
    shown.replace(dir, "dir")
}

#[test]
fn every_format_is_parsed_from_its_name() {
    for spec in FORMATS {
        assert_eq!(Format::parse(spec.name), Ok(Some(spec.format)));
        assert_eq!(spec.format.name(), spec.name);
    }
    assert_eq!(Format::parse(AUTO), Ok(None));
}

#[test]
fn an_unknown_format_is_rejected_with_the_list_of_formats() {
    let error = Format::parse("liquibase").expect_err("it is unknown");

    assert_eq!(
        error.to_string(),
        "unknown format \"liquibase\", expected one of auto, plain, drizzle, flyway, \
         atlas, sqlx, goose, dbmate, golang-migrate, prisma, refinery"
    );
}

#[test]
fn a_migration_contains_its_file_its_statements_and_their_lines() {
    let text = "-- users\nBEGIN;\nCREATE TABLE users (id uuid);\nCOMMIT;\n\n\
                CREATE INDEX ASYNC i\n  ON users (id);\nGRANT SELECT ON users TO app; SELECT 1";
    let dir = tree(&[("0001_create_users.sql", text)]);

    let directory = read_dir(path(&dir), None).expect("the directory is valid");

    let migration = &directory.migrations[0];
    let file = format!("{}/0001_create_users.sql", path(&dir));
    assert_eq!(migration.file, file);
    assert_eq!(migration.checksum, crate::migration::Checksum::of(text));
    let statements: Vec<_> = migration
        .statements
        .iter()
        .map(|statement| (statement.origin.to_string(), statement.class, statement.text.as_str()))
        .collect();
    assert_eq!(
        statements,
        [
            (format!("{file}:3"), Class::Ddl, "CREATE TABLE users (id uuid)"),
            (format!("{file}:6"), Class::AsyncIndex, "CREATE INDEX ASYNC i\n  ON users (id)"),
            (format!("{file}:8"), Class::Grant, "GRANT SELECT ON users TO app"),
            (format!("{file}:8"), Class::Dml, "SELECT 1"),
        ]
    );
}

#[test]
fn the_name_of_a_directory_is_kept_as_written() {
    let dir = tree(&[("1.sql", "SELECT 1")]);
    let written = format!("{}/./", path(&dir));

    let directory = read_dir(&written, None).expect("the directory is valid");

    assert_eq!(directory.migrations[0].file, format!("{}/./1.sql", path(&dir)));
}

#[test]
fn line_endings_and_byte_order_mark_do_not_change_what_is_stored() {
    let unix = tree(&[("1.sql", "SELECT 'ß';\n\nSELECT 2;\n")]);
    let windows = tree(&[("1.sql", "\u{feff}SELECT 'ß';\r\n\r\nSELECT 2;\r\n")]);

    let read = |dir| read_dir(path(dir), None).expect("it is valid").migrations.remove(0);

    let (unix, windows) = (read(&unix), read(&windows));
    assert_eq!(unix.checksum, windows.checksum);
    for (unix, windows) in unix.statements.iter().zip(&windows.statements) {
        assert_eq!((&unix.text, unix.origin.line), (&windows.text, windows.origin.line));
    }
}

#[test]
fn a_missing_directory_and_a_file_in_its_place_are_different_errors() {
    let dir = tree(&[("1.sql", "SELECT 1")]);
    let (missing, file) = (format!("{}/none", path(&dir)), format!("{}/1.sql", path(&dir)));

    let show = |written: &str| {
        let errors = read_dir(written, None).expect_err("it is not a directory");
        show(&errors[0], path(&dir))
    };

    assert_eq!(show(&missing), "directory dir/none does not exist");
    assert_eq!(show(&file), "dir/1.sql is not a directory");
    assert_eq!(show(""), "directory  does not exist");
}

#[test]
fn a_directory_without_migrations_is_an_error() {
    let dir = tree(&[("README.md", "Nothing yet."), (".gitkeep", "")]);

    assert_eq!(errors(&dir, None), ["directory dir contains no migrations"]);
}

#[test]
fn all_invalid_files_are_reported_at_once() {
    let dir = tree(&[
        ("0001_good.sql", "SELECT 1"),
        ("0002_open.sql", "SELECT 1;\nSELECT 'it"),
        ("0003_refused.sql", "SELECT 1;\n\nSET search_path = app;\nROLLBACK"),
        ("0004_empty.sql", "-- later\nBEGIN; COMMIT;"),
        ("0005_psql.sql", "\\set x 1"),
        ("01_again.sql", "SELECT 1"),
        ("notes.sql", "SELECT 1"),
        ("old/0001_first.sql", "SELECT 1"),
    ]);
    write(&dir, "0006_latin.sql", b"SELECT 1;\n-- Gr\xfc\xdfe");

    assert_eq!(
        errors(&dir, None),
        [
            "dir/notes.sql has no version in its name: expected <digits>_<name>.sql",
            "dir/01_again.sql has the same version as dir/0001_good.sql",
            "dir/0002_open.sql:2:8 cannot be split into statements: \
             string literal is not terminated",
            "dir/0003_refused.sql:3 contains SET: its effect on the session is lost when a run \
             resumes on another connection",
            "dir/0003_refused.sql:4 contains ROLLBACK: a migration is forward-only, so there is \
             nothing to roll back",
            "dir/0004_empty.sql contains no statements",
            "dir/0005_psql.sql:1:1 cannot be split into statements: \
             \\set is a psql meta-command, not SQL",
            "dir/0006_latin.sql:2 is not valid UTF-8",
            "dir/old/0001_first.sql is in a subdirectory, where it would never run",
        ]
    );
}

#[test]
fn a_rejected_statement_is_reported_before_the_text_after_it() {
    let dir = tree(&[("1.sql", "COPY t FROM STDIN;\n1\tit's\n\\.\n")]);

    assert_eq!(
        errors(&dir, None),
        ["dir/1.sql:1 contains COPY: Aurora DSQL does not read files, and the provider sends \
             only SQL, without data after it"]
    );
}

#[test]
fn a_valid_directory_with_sql_in_a_subdirectory_is_an_error() {
    let dir = tree(&[("1.sql", "SELECT 1"), ("a/b/2.SQL", "SELECT 1"), ("a/x.md", "")]);

    assert_eq!(
        errors(&dir, Some(Format::Plain)),
        ["dir/a/b/2.SQL is in a subdirectory, where it would never run"]
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tree(&[]);
    let link = |from: &str, to: &Path| {
        std::os::unix::fs::symlink(to, dir.path().join(from)).expect("it can be linked");
    };
    link("0001_gone.sql", Path::new("nowhere"));
    link("0002_loop.sql", Path::new("0002_loop.sql"));

    let found = errors(&dir, None);

    assert_eq!(found[0], "dir/0001_gone.sql does not exist");
    assert!(found[1].starts_with("dir/0002_loop.sql cannot be read: "), "{}", found[1]);

    // Without the suffix it might be a directory with migrations.
    link("loop", Path::new("loop"));
    assert!(errors(&dir, None)[0].starts_with("dir/loop cannot be read: "));
}

#[cfg(unix)]
#[test]
fn what_is_not_a_file_is_named_and_never_opened() {
    use std::os::unix::{fs::symlink, net::UnixListener};

    let pipe = |dir: &TempDir, name: &str| {
        let status = std::process::Command::new("mkfifo").arg(dir.path().join(name)).status();
        assert!(status.expect("mkfifo runs").success());
    };
    let dir = tree(&[("0001_a.sql", "SELECT 1"), ("0002_directory.sql/readme.md", "")]);
    let at = |name: &str| dir.path().join(name);
    pipe(&dir, "pipe");
    pipe(&dir, "0003_pipe.sql");
    symlink("pipe", at("0004_link.sql")).expect("it can be linked");
    let _socket = UnixListener::bind(at("0005_socket.sql")).expect("a socket");
    symlink("/dev/zero", at("0006_device.sql")).expect("it can be linked");

    let is = |name: &str, kind: &str| format!("dir/{name} is not a file: it is {kind}");
    let expected = [
        is("0002_directory.sql", "a directory"),
        is("0003_pipe.sql", "a named pipe"),
        is("0004_link.sql", "a named pipe"),
        is("0005_socket.sql", "a socket"),
        is("0006_device.sql", "a device"),
    ];
    assert_eq!(errors(&dir, Some(Format::Plain)), expected);
    let single = |name: &str| read_file(at(name).to_str().expect("a path"), None, None);
    assert_eq!(show(&single("0003_pipe.sql").expect_err("a pipe"), path(&dir)), expected[1]);

    // Nor are the files that belong to a tool.
    for (name, format) in [
        ("atlas.sum", Format::Atlas),
        ("migration_lock.toml", Format::Prisma),
        ("V7__b.sql.conf", Format::Flyway),
        ("meta/_journal.json", Format::Drizzle),
    ] {
        let dir = tree(&[("0001_a/migration.sql", "SELECT 1"), ("V7__b.sql", ""), ("meta/x", "")]);
        pipe(&dir, name);
        let message = format!("dir/{name} is not a file: it is a named pipe");
        assert!(errors(&dir, Some(format)).contains(&message), "{:?}", errors(&dir, Some(format)));
        drop(read_dir(path(&dir), None));
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_directory_above_it_is_an_error() {
    use std::os::unix::fs::symlink;

    let link = |dir: &TempDir, from: &str, to: &str| {
        symlink(to, dir.path().join(from)).expect("it can be linked");
    };
    for (from, to, named) in
        [("again", ".", "again"), ("a/up", "..", "a/up"), ("a/b/top", "../../..", "a/b/top")]
    {
        let dir = tree(&[("1.sql", "SELECT 1"), ("a/b/c", "")]);
        link(&dir, from, to);
        let expected = format!("directory dir/{named} is a symbolic link to a directory above it");
        assert_eq!(errors(&dir, None), [expected]);
    }
    let dir = tree(&[("1.sql", "SELECT 1"), ("a/x", ""), ("b/x", "")]);
    link(&dir, "a/b", "../b");
    link(&dir, "b/a", "../a");
    assert!(errors(&dir, None)[0].ends_with("is a symbolic link to a directory above it"));

    // Two ways to one directory are not a loop.
    let dir = tree(&[("1.sql", "SELECT 1"), ("a/x", "")]);
    link(&dir, "b", "a");
    link(&dir, "a/c", "../d");
    fs::create_dir(dir.path().join("d")).expect("it can be created");
    assert_eq!(names(&dir, None).len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_an_error_only_for_sql() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let dir = tree(&[("1.sql", "SELECT 1")]);
    let put = |name: &[u8]| {
        fs::write(dir.path().join(OsStr::from_bytes(name)), "SELECT 1").expect("it is written");
    };
    put(b"\xff.md");
    assert_eq!(names(&dir, None).len(), 1);

    put(b"2_\xff.sql");
    assert_eq!(errors(&dir, None), ["dir/2_\u{fffd}.sql has a name that is not valid UTF-8"]);
}

#[test]
fn the_error_for_an_unreadable_directory_contains_the_cause() {
    let source = std::io::Error::other("no");
    let error = FormatError::directory("dir", error::AccessProblem::Unreadable { source });

    assert_eq!(show(&error, "dir"), "directory dir cannot be read: no");
}

#[test]
fn a_map_is_read_as_plain_files() {
    let migrations = read_files([
        ("10_last", "SELECT 10"),
        ("db/0002_second_step.sql", "SELECT 2"),
        ("0001.sql", "SELECT 1"),
    ])
    .expect("the map is valid");

    let read: Vec<_> = migrations
        .iter()
        .map(|migration| (migration.version.0.as_str(), migration.description.as_str()))
        .collect();
    assert_eq!(read, [("0001", ""), ("0002", "second step"), ("10", "last")]);
    assert_eq!(migrations[1].statements[0].origin.to_string(), "db/0002_second_step.sql:1");
    assert_eq!(read_files([]).expect("an empty map is valid"), []);
}

#[test]
fn no_entry_of_a_map_is_skipped() {
    let errors = read_files([("1.sql", "SELECT 1"), ("README.md", "Hi"), ("2.sql", "")])
        .expect_err("the map is not valid");

    let shown: Vec<_> = errors.iter().map(|error| show(error, "none")).collect();
    assert_eq!(
        shown,
        [
            "README.md has no version in its name: expected <digits>_<name>.sql",
            "2.sql contains no statements",
        ]
    );
}

#[test]
fn a_problem_with_a_text_is_returned_next_to_what_was_read() {
    let one = "CREATE TABLE a (id int)";
    for (text, statements, unknown_from, problem) in [
        (format!("{one};\nSET x = 1;\n{one}"), 3, None, "1.sql:2 contains SET: "),
        (format!("{one};\nLOCK a;\n{one}"), 3, None, "1.sql:2 contains LOCK: "),
        (format!("{one};\nSET search_path = x;\n{one}"), 3, Some(1), "1.sql:2 contains SET: "),
        (format!("{one};\n\\d\n{one}"), 1, Some(1), "1.sql:2:1 cannot be split into statements"),
        (format!("{one};\nSELECT 'it"), 1, Some(1), "1.sql:2:8 cannot be split into statements"),
        ("COPY a FROM STDIN;\nit's\n".to_owned(), 1, Some(0), "1.sql:1 contains COPY: "),
        (format!("-- dsql:batch\n{one}"), 1, None, "1.sql:1 contains `-- dsql:batch` before"),
        (format!("{one};\n-- migrate:down\n"), 0, Some(0), "1.sql:2 begins a section"),
        ("-- nothing".to_owned(), 0, None, "1.sql contains no statements"),
    ] {
        let files = [("0.sql", one), ("1.sql", text.as_str()), ("2.sql", one)];
        let read = read_files_with(files, &Options::default()).expect("valid names");
        let [problem_found] = &read.problems[..] else { panic!("{text}: {:?}", read.problems) };
        assert_eq!(problem_found.file, "1.sql");
        let message = problem_found.error.to_string();
        assert!(message.starts_with(problem), "{text}: {message}");
        let found = &read.found[1];
        assert_eq!(
            (found.statements.len(), found.unknown_from),
            (statements, unknown_from),
            "{text}"
        );
        assert_eq!(found.checksum, crate::migration::Checksum::of(&text));
        assert_eq!(read.strict().expect_err("it cannot run").len(), 1);
    }

    // A format that cannot read a file at all still knows its version and its checksum.
    for (format, name, text) in [
        (Format::Goose, "1_a.sql", "-- +goose Up\n-- +goose ENVSUB ON\nSELECT 1"),
        (Format::Goose, "1_a.sql", "SELECT 1"),
        (Format::Dbmate, "1_a.sql", "-- migrate:up env:X\nSELECT 1"),
        (Format::Flyway, "B1__a.sql", "SELECT '${x}'"),
    ] {
        let dir = tree(&[(name, text)]);
        let read =
            read_dir_with(path(&dir), Some(format), &Options::default()).expect("valid names");
        assert_eq!((read.problems.len(), read.found.migrations.len()), (1, 1), "{text}");
        let found = &read.found.migrations[0];
        assert_eq!((found.version.0.as_str(), found.unknown_from), ("1", Some(0)), "{text}");
        assert_eq!(found.kind == MigrationKind::Baseline, format == Format::Flyway);
    }
    let dir = tree(&[("V1__a.sql", "SELECT 1"), ("V1__a.sql.conf", "target=1")]);
    let read = read_dir_with(path(&dir), Some(Format::Flyway), &Options::default());
    assert_eq!(read.expect("valid names").problems.len(), 1);
}

/// The only migration, without a problem.
fn one(read: Result<WithProblems<Vec<Migration>>, FormatError>) -> Migration {
    let mut found = read.expect("it can be read").strict().expect("the text is valid");
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn version_and_description_of_one_file_default_to_those_in_its_name() {
    let dir = tree(&[("0007_add_orders.sql", "SELECT 1"), ("views.sql", "SELECT 1")]);
    let numbered = format!("{}/0007_add_orders.sql", path(&dir));
    let named = format!("{}/views.sql", path(&dir));
    let read = |file: &str, version, description| {
        let migration = one(read_file(file, version, description));
        (migration.version.0, migration.description)
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());

    assert_eq!(read(&numbered, None, None), pair("0007", "add orders"));
    assert_eq!(read(&numbered, Some("v1"), Some("x")), pair("v1", "x"));
    assert_eq!(read(&named, Some("views"), None), pair("views", ""));

    let error = read_file(&named, None, None).expect_err("its name has no version");
    assert_eq!(
        show(&error, path(&dir)),
        "dir/views.sql has no version in its name: expected <digits>_<name>.sql"
    );
    let error = read_file("none.sql", Some("1"), None).expect_err("it does not exist");
    assert_eq!(show(&error, "-"), "none.sql does not exist");
}

#[test]
fn ten_thousand_statements_keep_their_lines() {
    let text = "INSERT INTO t VALUES (1, 'a;b');\n".repeat(10_000);

    let migration = one(single("1.sql", &text, None, None));

    assert_eq!(migration.statements.len(), 10_000);
    assert_eq!(migration.statements[9_999].origin.line, 10_000);
}

#[test]
fn a_file_without_statements_is_a_migration_of_a_tool_that_runs_it() {
    let comment = "-- nothing to do here\n";
    let tools: &[(Format, &str, String)] = &[
        (Format::Flyway, "V1__a.sql", comment.to_owned()),
        (Format::Sqlx, "1_a.sql", comment.to_owned()),
        (Format::Goose, "1_a.sql", "-- +goose Up\n-- +goose Down\n".to_owned()),
        (Format::Dbmate, "1_a.sql", "-- migrate:up\n\n-- migrate:down\n".to_owned()),
        (Format::GolangMigrate, "1_a.up.sql", comment.to_owned()),
        (Format::Prisma, "1_a/migration.sql", "BEGIN;\nCOMMIT;\n".to_owned()),
        (Format::Drizzle, "20260101120000_a/migration.sql", comment.to_owned()),
        (Format::Refinery, "V1__a.sql", comment.to_owned()),
    ];
    for (format, name, text) in tools {
        let dir = tree(&[(name, text)]);
        let read = read_dir(path(&dir), Some(*format)).expect("it is a migration");
        assert_eq!(read.migrations[0].statements, [], "{format:?}");

        for blank in ["", "\u{feff} \r\n"] {
            let dir = tree(&[(name, blank)]);
            if matches!(format, Format::Goose | Format::Dbmate) {
                // They require their comments.
                let error = errors(&dir, Some(*format)).remove(0);
                assert!(error.starts_with(&format!("dir/{name}:1 is not valid for")), "{error}");
            } else {
                let read = read_dir(path(&dir), Some(*format)).expect("it is a migration");
                assert_eq!(read.migrations[0].statements, [], "{format:?}");
            }
        }
    }
    for text in [comment, "", "\u{feff}\n"] {
        assert_eq!(
            errors(&tree(&[("1_a.sql", text)]), Some(Format::Plain)),
            ["dir/1_a.sql contains no statements"]
        );
    }
}

#[test]
fn a_suffix_in_upper_case_counts_where_the_tool_reads_it() {
    for (format, name, text, expected) in [
        (Format::Plain, "1_a.SQL", "SELECT 1", None),
        (Format::Flyway, "V1__a.SQL", "SELECT 1", None),
        (Format::GolangMigrate, "1_a.up.SQL", "SELECT 1", None),
        (Format::Sqlx, "1_a.SQL", "SELECT 1", Some("<digits>_<description>.sql")),
        (Format::Sqlx, "1_a.up.SQL", "SELECT 1", Some("<digits>_<description>.sql")),
        (Format::Goose, "1_a.Sql", "-- +goose Up\nSELECT 1;", Some("<digits>_<name>.sql")),
        (Format::Dbmate, "1_a.SQL", "-- migrate:up\nSELECT 1", Some("<digits>_<name>.sql")),
        (Format::Refinery, "V1__a.SQL", "SELECT 1", Some("V<digits>__<name>.sql")),
        (Format::Atlas, "1_a.SQL", "SELECT 1", Some("<version>_<name>.sql")),
    ] {
        let dir = tree(&[(name, text)]);
        if format == Format::Atlas {
            // A sum without files.
            let sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
            write(&dir, "atlas.sum", sum.as_bytes());
        }
        let Some(expected) = expected else {
            assert_eq!(names(&dir, Some(format)).len(), 1, "{name}");
            continue;
        };
        let tool = format.tool();
        let message =
            format!("dir/{name} has a name that {tool} does not accept: expected {expected}");
        assert_eq!(errors(&dir, Some(format)), [message]);
    }
}

#[test]
fn ten_thousand_files_are_read_in_the_order_of_their_numbers() {
    let dir = tree(&[]);
    for number in 1..=10_000 {
        write(&dir, &format!("{number}_a.sql"), b"SELECT 1;");
    }

    let read = read_dir(path(&dir), None).expect("the directory is valid");

    let expected: Vec<String> = (1..=10_000).map(|number| number.to_string()).collect();
    let found: Vec<&str> = read.migrations.iter().map(|m| m.version.0.as_str()).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_file_of_ten_megabytes_is_one_migration() {
    let text = "a;b -- it''s /* ".repeat(60);
    let row = format!("INSERT INTO t VALUES (1, '{text}', $$;$$); -- ;\r\n");
    let count = 10 * 1024 * 1024 / row.len();

    let migration = one(single("1.sql", &row.repeat(count), None, None));

    assert_eq!(migration.statements.len(), count);
    assert_eq!(migration.statements[count - 1].origin.line, count);
}

fn repeatable(patterns: &[&str]) -> Options {
    let patterns = patterns.iter().map(ToString::to_string).collect();
    Options { repeatable: Patterns(patterns), ..Options::default() }
}

#[test]
fn patterns_select_the_repeatable_files_of_every_format() {
    for files in [
        vec![("0001_a.sql", "SELECT 1")],
        vec![
            ("20260101000000_a/migration.sql", "SELECT 1"),
            ("migration_lock.toml", "provider = \"postgresql\""),
        ],
        vec![("1_a.up.sql", "SELECT 1"), ("2_b.sql", "SELECT 1")],
        vec![("0001_a.sql", "-- +goose Up\nSELECT 1;")],
        vec![("V1__a.sql", "SELECT 1")],
    ] {
        let with = [files, vec![("repeatable/z.sql", "SELECT 2"), ("roles.sql", "SELECT 3")]];
        let dir = tree(&with.concat());
        let options = repeatable(&["repeatable/*.sql", "roles.sql"]);
        let read = read_dir_with(path(&dir), None, &options).expect("the directory is valid").found;
        let last: Vec<_> = read.migrations.iter().rev().take(2).rev().collect();
        let named: Vec<_> =
            last.iter().map(|m| (m.version.0.as_str(), m.is_repeatable())).collect();
        assert_eq!(named, [("R__roles", true), ("R__z", true)], "{:?}", read.format);
        assert!(!read.migrations[0].is_repeatable(), "{:?}", read.format);
    }
}

#[test]
fn a_directory_may_contain_only_repeatable_files() {
    let dir = tree(&[("roles.sql", "CREATE ROLE app")]);
    let read = read_dir_with(path(&dir), None, &repeatable(&["*.sql"])).expect("it is valid");
    assert_eq!(read.found.migrations.len(), 1);

    let files = [("roles.sql", "CREATE ROLE app"), ("1.sql", "SELECT 1")];
    let read = read_files_with(files, &repeatable(&["roles.sql"])).expect("it is valid");
    assert_eq!(read.found[1].version.0, "R__roles");
}

#[test]
fn a_pattern_without_a_file_and_two_files_with_one_name_are_errors() {
    let dir = tree(&[("a/roles.sql", "SELECT 1"), ("b/roles.sql", "SELECT 1")]);
    let errors = |patterns: &[&str]| {
        let errors = read_dir_with(path(&dir), None, &repeatable(patterns)).expect_err("not valid");
        let dir = path(&dir);
        errors.iter().map(|e| e.to_string().replace(dir, "dir")).collect::<Vec<_>>()
    };
    assert_eq!(
        errors(&["*/*.sql", "c/*"]),
        [
            "directory dir contains no SQL file that matches the pattern c/*",
            "dir/b/roles.sql has the same version as dir/a/roles.sql"
        ]
    );
    assert_eq!(errors(&["*/*.sql"]), ["dir/b/roles.sql has the same version as dir/a/roles.sql"]);
}
