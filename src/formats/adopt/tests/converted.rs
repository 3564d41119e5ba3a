//! Tests of tables and directories with different formats.

use super::*;

/// The rows that have a file, each with the version of the file.
fn matched(case: &Case) -> (MatchedBy, String) {
    let history = HistoryTable::of(&case.table, false).expect("it is known");
    let found = history.matched_rows(&case.table, &case.migrations).expect("it can be read");
    let rows: Vec<String> =
        found.rows.iter().map(|it| format!("{}: {}", it.row, it.version)).collect();
    (found.by, rows.join(", "))
}

#[test]
fn checksums_of_texts_find_files_that_have_new_numbers() {
    for (folder, format, expected) in [
        (
            "flyway",
            Format::Flyway,
            "V1__create_books.sql: n1, V2__first_books.sql: n2, 2026/V9.1__pages.sql: n3",
        ),
        ("sqlx", Format::Sqlx, "20260101120000: n1"),
        ("prisma", Format::Prisma, "0_init: n1"),
        ("drizzle", Format::Drizzle, "1766348213015: n1"),
    ] {
        let mut case = Case::new(folder, "history", format);
        for (nth, migration) in case.migrations.iter_mut().enumerate() {
            migration.version = version(&format!("n{}", nth + 1));
        }
        assert_eq!(matched(&case), (MatchedBy::Text, expected.to_owned()), "{folder}");
    }
}

#[test]
fn versions_find_the_files_that_the_tool_has_applied() {
    for (folder, format, expected) in [
        ("flyway", Format::Flyway, "1: 1, 2: 2, 9.1: 9.1"),
        ("sqlx", Format::Sqlx, "20260101120000: 20260101120000"),
        ("prisma", Format::Prisma, "0_init: 0_init"),
        ("refinery", Format::Refinery, "1: 1, 2: 2"),
        ("goose", Format::Goose, "1: 00001"),
        ("golang_migrate", Format::GolangMigrate, "2 and earlier: 000001, 2 and earlier: 000002"),
        ("dbmate", Format::Dbmate, "20260101120000: 20260101120000"),
    ] {
        let case = Case::new(folder, "history", format);
        assert_eq!(matched(&case), (MatchedBy::Version, expected.to_owned()), "{folder}");
    }
    // Numbers are compared, and the last row of a version counts.
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["0001_a.sql", "0002_b.sql", "0003_c.sql", "0004_d.sql"] {
        fs::write(dir.path().join(name), "SELECT 1;").expect("a file");
    }
    let dir = dir.path().display().to_string();
    let case = |name: &str, columns: &str, rows: &[&str]| {
        let mut table = with_columns(name, columns);
        for row in rows {
            table.rows.push(row.split(' ').map(|value| Some(value.to_owned())).collect());
        }
        matched(&Case::of(&dir, Format::Plain, table)).1
    };
    let goose = ["1 0 t", "2 1 t", "3 2 t", "4 3 t", "5 3 f"];
    assert_eq!(case("goose_db_version", "id version_id is_applied", &goose), "1: 0001, 2: 0002");
    assert_eq!(
        case("schema_migrations", "version dirty", &["2 f"]),
        "2 and earlier: 0001, 2 and earlier: 0002"
    );
    assert_eq!(case("schema_migrations", "version dirty", &["2 t"]), "");
    let flyway = ["1 1 SQL t", "2 02 SQL t", "3 3 SQL f", "4 4 SQL t", "5 4 DELETE t"];
    assert_eq!(
        case("flyway_schema_history", "installed_rank version type success", &flyway),
        "1: 0001, 02: 0002"
    );
    let atlas = ["1 1 1 ", "2 1 2 x", "3 1 1 x", "04 0 0 "];
    assert_eq!(
        case("atlas_schema_revisions", "version applied total error", &atlas),
        "1: 0001, 04: 0004"
    );
}

#[test]
fn an_edited_file_is_found_by_its_version() {
    let mut case = Case::new("flyway", "history", Format::Flyway);
    for row in &mut case.table.rows[2..] {
        row[5] = Some("7".to_owned());
    }
    assert_eq!(matched(&case), (MatchedBy::Version, "1: 1, 2: 2, 9.1: 9.1".to_owned()));
    // The file of version 1 has the number of another file now.
    case.migrations[0].version = version("2");
    case.migrations[1].version = version("3");
    assert_eq!(matched(&case), (MatchedBy::Text, "V1__create_books.sql: 2".to_owned()));
}
