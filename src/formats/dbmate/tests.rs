//! Tests of the module above.

use crate::formats::tests::{errors, names, path, tree};
use crate::formats::{Format, Options, read_dir, read_dir_with};

fn statements(text: &str) -> Vec<(usize, usize, String)> {
    let dir = tree(&[("1_a.sql", text)]);
    let read = read_dir(path(&dir), Some(Format::Dbmate)).expect("the directory is valid");
    let statements = read.migrations.into_iter().flat_map(|migration| migration.statements);
    statements
        .map(|statement| (statement.origin.line, statement.boundary, statement.text))
        .collect()
}

fn error(text: &str) -> String {
    errors(&tree(&[("1_a.sql", text)]), Some(Format::Dbmate)).remove(0)
}

#[test]
fn all_up_sections_run_and_no_down_section_does() {
    let text = "-- why\r\n--migrate:up\r\nSELECT 1;\r\nSELECT 2\r\n-- migrate:down\r\nDROP TABLE a;\
                \r\n--  migrate:up transaction:true\r\nSELECT 3;\r\n";

    let one = |line, text: &str| (line, 0, text.to_owned());
    assert_eq!(statements(text), [one(3, "SELECT 1"), one(4, "SELECT 2"), one(8, "SELECT 3")]);
}

#[test]
fn without_a_transaction_each_statement_has_its_own() {
    let text = "-- migrate:up transaction:false\nSELECT 1;\nSELECT 2;\n-- migrate:down\n";

    let found: Vec<_> = statements(text).iter().map(|(_, boundary, _)| *boundary).collect();
    assert_eq!(found, [1, 2]);
}

#[test]
fn misplaced_sections_are_rejected_with_their_line() {
    let table = [
        ("\nSELECT 1;\n-- migrate:up\n", 2, "text before \"-- migrate:up\""),
        ("-- nothing", 1, "no \"-- migrate:up\""),
        ("-- migrate:down\n-- migrate:up\n", 1, "\"-- migrate:down\" before \"-- migrate:up\""),
        ("-- migrate:up transaction:no\n", 1, "an unknown option of \"-- migrate:up\""),
    ];
    for (text, line, problem) in table {
        assert_eq!(error(text), format!("dir/1_a.sql:{line} is not valid for dbmate: {problem}"));
    }
    assert_eq!(
        error("\n-- migrate:up env:ROLE\nSELECT 1;"),
        "dir/1_a.sql:2 reads values from the environment, which dbmate would substitute"
    );
    // To dbmate, this is a comment in the section, and it would run the statements below.
    assert_eq!(
        error("-- migrate:up\nSELECT 1;\n -- migrate:down\nDROP TABLE a;"),
        "dir/1_a.sql:3 begins a section that reverts the migration, as marked for dbmate"
    );
}

#[test]
fn files_are_ordered_by_name_and_none_is_skipped() {
    let sql = "-- migrate:up\nSELECT 1;\n-- migrate:down\n";
    let dir = tree(&[("9_a.sql", sql), ("10b_x.sql", sql), ("01.sql", sql)]);
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(names(&dir, None), [pair("01", ""), pair("10", "b x"), pair("9", "a")]);

    let dir = tree(&[("1_a.sql", sql), ("1_b.sql", sql), ("schema.sql", "SELECT 1")]);
    assert_eq!(
        errors(&dir, None),
        [
            "dir/1_b.sql has the same version as dir/1_a.sql",
            "dir/schema.sql has a name that dbmate does not accept: \
             expected <digits>_<name>.sql",
        ]
    );
}

#[test]
fn a_mark_below_its_dashes_is_rejected() {
    let text = "-- migrate:up\nCREATE TABLE a ();\n--\nmigrate:down\nDROP TABLE a;\n";
    assert_eq!(
        errors(&tree(&[("1_a.sql", text)]), None),
        ["dir/1_a.sql:4 is not valid for dbmate: a mark that is not in the line of its dashes"]
    );
}

#[test]
fn an_unknown_option_matters_only_if_the_migration_is_to_run() {
    let text =
        "-- migrate:up adds a table\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n";
    let dir = tree(&[("1_a.sql", text)]);

    let read = read_dir_with(path(&dir), None, &Options::default()).expect("valid names");
    let migration = &read.found.migrations[0];
    assert_eq!((migration.statements.len(), migration.unknown_from), (1, None));
    assert_eq!(
        errors(&dir, None),
        ["dir/1_a.sql:1 is not valid for dbmate: an unknown option of \"-- migrate:up\""]
    );
}
