//! Tests of the module above.

use crate::formats::tests::{errors, names, path, tree};
use crate::formats::{Format, read_dir};

const SQL: &str = "SELECT 1";

#[test]
fn simple_and_reversible_files_are_ordered_by_number() {
    let dir = tree(&[
        ("10_c.up.sql", SQL),
        ("10_c.down.sql", "DROP TABLE c"),
        ("9223372036854775807_last.sql", SQL),
        ("9_a_b.sql", SQL),
        ("README.md", "-"),
    ]);

    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let expected = [pair("9", "a b"), pair("10", "c"), pair("9223372036854775807", "last")];
    assert_eq!(names(&dir, Some(Format::Sqlx)), expected);
}

#[test]
fn only_the_first_characters_of_a_file_turn_off_the_transaction() {
    let boundaries = |text: &str| -> Vec<usize> {
        let dir = tree(&[("1_a.sql", text)]);
        let read = read_dir(path(&dir), Some(Format::Sqlx)).expect("the directory is valid");
        read.migrations[0].statements.iter().map(|statement| statement.boundary).collect()
    };

    assert_eq!(boundaries("-- no-transaction\nSELECT 1;\nSELECT 2;"), [1, 2]);
    assert_eq!(boundaries("\n-- no-transaction\nSELECT 1;\nSELECT 2;"), [0, 0]);
    assert_eq!(boundaries("-- sqlx:no-transaction\nSELECT 1;\nSELECT 2;"), [0, 0]);
}

#[test]
fn files_that_the_tool_would_skip_or_reject_are_errors() {
    let dir = tree(&[
        ("1_a.sql", SQL),
        ("1_a.up.sql", SQL),
        ("2_b.down.sql", SQL),
        ("9223372036854775808_c.sql", SQL),
        ("notes.sql", SQL),
        ("5.sql", SQL),
    ]);

    assert_eq!(
        errors(&dir, Some(Format::Sqlx)),
        [
            "dir/5.sql has a name that sqlx does not accept: \
             expected <digits>_<description>.sql",
            "dir/9223372036854775808_c.sql has a version greater than the largest that \
             sqlx supports",
            "dir/notes.sql has a name that sqlx does not accept: \
             expected <digits>_<description>.sql",
            "dir/2_b.down.sql reverts a migration that does not exist",
            "dir/1_a.up.sql has the same version as dir/1_a.sql",
        ]
    );
}
