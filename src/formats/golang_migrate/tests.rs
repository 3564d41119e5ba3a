//! Tests of the module above.

use crate::formats::Format;
use crate::formats::tests::{errors, names, tree};

const SQL: &str = "SELECT 1";

#[test]
fn up_files_are_ordered_by_number_and_down_files_are_skipped() {
    let dir = tree(&[
        ("10_c.up.sql", SQL),
        ("10_c.down.sql", "DROP TABLE c"),
        ("0009_a_b.up.sql", SQL),
        ("18446744073709551615_.UP.sql.txt", "-"),
    ]);

    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(names(&dir, Some(Format::GolangMigrate)), [pair("0009", "a b"), pair("10", "c")]);
}

#[test]
fn files_that_the_tool_would_skip_or_reject_are_errors() {
    let dir = tree(&[
        ("1_a.up.sql", SQL),
        ("01_b.up.sql", SQL),
        ("2_c.sql", SQL),
        ("3_d.down.sql", "DROP TABLE d"),
        ("4_e.up.sql.tmpl", "SELECT {{ .x }}"),
        ("6_h.up.go", "package migrations"),
        ("18446744073709551616_f.up.sql", SQL),
        ("old/5_g.up.sql", SQL),
    ]);

    assert_eq!(
        errors(&dir, Some(Format::GolangMigrate)),
        [
            "dir/4_e.up.sql.tmpl is a template, which only golang-migrate can run",
            "dir/6_h.up.go is a Go migration, which only its own program can run",
            "dir/18446744073709551616_f.up.sql has a version greater than the largest that \
             golang-migrate supports",
            "dir/2_c.sql has a name that golang-migrate does not accept: \
             expected <digits>_<title>.up.sql",
            "dir/3_d.down.sql reverts a migration that does not exist",
            "dir/1_a.up.sql has the same version as dir/01_b.up.sql",
            "dir/old/5_g.up.sql is in a subdirectory, where it would never run",
        ]
    );
}

#[test]
fn a_down_section_in_an_up_file_is_rejected() {
    let dir = tree(&[("1_a.up.sql", "SELECT 1;\n-- migrate:down\nDROP TABLE a")]);

    assert_eq!(
        errors(&dir, Some(Format::GolangMigrate)),
        ["dir/1_a.up.sql:2 begins a section that reverts the migration, as marked for dbmate"]
    );
}
