//! Tests of the module above.

use crate::formats::tests::{errors, names, path, tree};
use crate::formats::{Format, read_dir};

fn statements(text: &str) -> Vec<(usize, String)> {
    let dir = tree(&[("1_a.sql", text)]);
    let read = read_dir(path(&dir), Some(Format::Goose)).expect("the directory is valid");
    let statements = read.migrations.into_iter().flat_map(|migration| migration.statements);
    statements.map(|statement| (statement.origin.line, statement.text)).collect()
}

fn error(text: &str) -> String {
    errors(&tree(&[("1_a.sql", text)]), Some(Format::Goose)).remove(0)
}

fn pairs(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
    expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
}

#[test]
fn only_the_section_between_up_and_down_runs() {
    let text = "\u{feff}-- A comment.\r\n\r\n-- +goose Up\r\nSELECT 1; SELECT 2;\r\n\
                -- +goose Down\r\nDROP TABLE a;\r\n-- +goose StatementBegin\r\n\
                DROP TABLE b\r\n-- +goose StatementEnd\r\n";

    assert_eq!(statements(text), pairs(&[(4, "SELECT 1"), (4, "SELECT 2")]));
}

#[test]
fn annotations_are_found_as_goose_finds_them() {
    let text = "--+goose  up\nSELECT 1;\n--   +goose statementbegin\nSELECT 2\n\
                -- StatementEnd +goose --  \nSELECT 3";

    assert_eq!(statements(text), pairs(&[(2, "SELECT 1"), (4, "SELECT 2"), (6, "SELECT 3")]));
}

#[test]
fn indented_comments_above_the_section_are_ignored() {
    let text = "  -- Adds a table.\n\t-- See #21.\n \n-- +goose Up\nSELECT 1;\n";

    assert_eq!(statements(text), pairs(&[(5, "SELECT 1")]));
}

#[test]
fn a_misspelled_annotation_does_not_run_what_is_below_it() {
    assert_eq!(
        error("-- +goose Up\nSELECT 1;\n-- +GOOSE Down\nDROP TABLE a;"),
        "dir/1_a.sql:3 begins a section that reverts the migration, as marked for goose"
    );
}

#[test]
fn a_block_ends_a_statement_and_semicolons_in_it_separate_statements() {
    let text = "-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION f() AS $$ a; b; $$\n\
                -- +goose StatementEnd\n-- +goose StatementBegin\nSELECT ';'; SELECT 2;\n\
                -- +goose StatementEnd\n";

    assert_eq!(
        statements(text),
        pairs(&[(3, "CREATE FUNCTION f() AS $$ a; b; $$"), (6, "SELECT ';'"), (6, "SELECT 2")])
    );
}

#[test]
fn a_literal_that_contains_an_annotation_is_an_error_as_it_is_for_goose() {
    assert_eq!(
        error("-- +goose Up\nSELECT '\n-- +goose Down\n';"),
        "dir/1_a.sql:2:8 cannot be split into statements: string literal is not terminated"
    );
}

#[test]
fn misplaced_annotations_are_rejected_with_their_line() {
    let table = [
        ("SELECT 1;\n-- +goose Up\n", 1, "text before \"-- +goose Up\""),
        ("SELECT 1;", 1, "text before \"-- +goose Up\""),
        ("-- nothing", 1, "no \"-- +goose Up\""),
        ("-- +goose Down\n-- +goose Up\nSELECT 1;", 1, "an annotation before \"-- +goose Up\""),
        ("-- +goose Up\nSELECT 1;\n-- +goose Up\n", 3, "a second \"-- +goose Up\""),
        (
            "-- +goose Up\nSELECT 1;\n-- +goose Down\n-- +goose Up\nSELECT 2;",
            4,
            "a second \"-- +goose Up\"",
        ),
        ("-- +goose Up\n-- +goose Down\n-- +goose Down\n", 3, "a second \"-- +goose Down\""),
        (
            "-- +goose Up\n-- +goose StatementEnd\n",
            2,
            "\"-- +goose StatementEnd\" without \"-- +goose StatementBegin\"",
        ),
        (
            "-- +goose Up\n\n-- +goose StatementBegin\nSELECT 1;\n",
            3,
            "\"-- +goose StatementBegin\" without \"-- +goose StatementEnd\"",
        ),
        (
            "-- +goose Up\n-- +goose StatementBegin\n-- +goose Down\n",
            3,
            "an annotation before \"-- +goose StatementEnd\"",
        ),
        ("-- +goose Up\n-- +goose Upp\n", 2, "an annotation that goose does not know"),
        ("-- +goose Up\nSELECT 1;\n  -- +goose Down\n", 3, "blanks before an annotation"),
        ("-- see +goose Up\n", 1, "an annotation that goose does not know"),
        ("-- +GOOSE Up\n", 1, "no \"-- +goose Up\""),
    ];
    for (text, line, problem) in table {
        assert_eq!(error(text), format!("dir/1_a.sql:{line} is not valid for goose: {problem}"));
    }
}

#[test]
fn values_from_the_environment_are_rejected_in_the_section_that_runs() {
    assert_eq!(
        error("-- +goose Up\n-- +goose ENVSUB ON\nSELECT '${HOME}';\n-- +goose ENVSUB OFF\n"),
        "dir/1_a.sql:2 reads values from the environment, which goose would substitute"
    );
    let below = "-- +goose Up\nSELECT '${HOME}';\n-- +goose Down\n-- +goose ENVSUB ON\n";
    assert_eq!(statements(below), pairs(&[(2, "SELECT '${HOME}'")]));
}

#[test]
fn files_are_ordered_by_number_and_none_is_skipped() {
    let sql = "-- +goose Up\nSELECT 1;\n";
    let dir = tree(&[("10_b.sql", sql), ("00009_a_x.sql", sql), ("embed.go", "package a")]);
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(names(&dir, None), [pair("00009", "a x"), pair("10", "b")]);

    let dir = tree(&[
        ("00000_zero.sql", sql),
        ("00001_a.sql", sql),
        ("00002_b.go", "package a"),
        ("00003_b_test.go", "package a"),
        ("1_c.sql", sql),
        ("seed.sql", sql),
    ]);
    assert_eq!(
        errors(&dir, None),
        [
            "dir/00002_b.go is a Go migration, which only goose can run",
            "dir/00000_zero.sql has a name that goose does not accept: \
             expected <digits>_<name>.sql",
            "dir/seed.sql has a name that goose does not accept: \
             expected <digits>_<name>.sql",
            "dir/1_c.sql has the same version as dir/00001_a.sql",
        ]
    );
}
