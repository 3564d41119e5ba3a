//! Tests of the module above.

use super::sum;
use crate::formats::tests::{errors, names, path, tree, write};
use crate::formats::{Format, Options, Patterns, listing, read_dir, read_dir_with};

/// A directory with a sum that Atlas would write.
fn sealed(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tree(files);
    let sum = sum::write(&listing::list(path(&dir)).expect("it can be listed"));
    write(&dir, "atlas.sum", sum.as_bytes());
    dir
}

const TWO: &[(&str, &str)] = &[("1_a.sql", "SELECT 1;\n"), ("2_b.sql", "SELECT 2;\n")];

#[test]
fn files_are_ordered_by_name_and_the_version_ends_at_the_first_underscore() {
    let dir = sealed(&[("9_a_b.sql", "SELECT 1"), ("10.sql", "SELECT 1"), ("v_z.sql", "SELECT 1")]);

    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(names(&dir, None), [pair("10", ""), pair("9", "a b"), pair("v", "z")]);
}

#[test]
fn two_files_with_one_version_are_rejected() {
    assert_eq!(
        errors(&sealed(&[("1_a.sql", "SELECT 1"), ("1_b.sql", "SELECT 1")]), None),
        ["dir/1_b.sql has the same version as dir/1_a.sql"]
    );
}

#[test]
fn the_down_files_of_other_tools_are_rejected_even_if_the_format_is_given() {
    for (up, down) in [
        ("V1__a.sql", "U1__a.sql"),
        ("1_a.up.sql", "1_a.down.sql"),
        ("1_a.sql", "1_a.undo.sql"),
        ("1_a.sql", "1_a_rollback.sql"),
    ] {
        let dir = sealed(&[(up, "SELECT 1"), (down, "DROP TABLE a")]);
        let expected = format!("dir/{down} is a down migration");
        assert_eq!(errors(&dir, Some(Format::Atlas)), [expected]);
    }
    let dir = sealed(&[("U1_a.sql", "SELECT 1"), ("2_step_down.sql", "SELECT 1")]);
    assert_eq!(names(&dir, Some(Format::Atlas)).len(), 2);
}

#[test]
fn every_change_since_the_sum_was_written_is_reported() {
    let changed = |change: &dyn Fn(&tempfile::TempDir)| {
        let dir = sealed(TWO);
        change(&dir);
        errors(&dir, None).remove(0)
    };
    let remove = |dir: &tempfile::TempDir, name: &str| {
        std::fs::remove_file(dir.path().join(name)).expect("it is there");
    };

    assert_eq!(
        changed(&|dir| write(dir, "2_b.sql", b"SELECT 3;\n")),
        "dir/atlas.sum:3 does not match the files: 2_b.sql was changed"
    );
    assert_eq!(
        changed(&|dir| write(dir, "1_z.sql", b"SELECT 3;\n")),
        "dir/atlas.sum:3 does not match the files: 1_z.sql is not listed"
    );
    assert_eq!(
        changed(&|dir| write(dir, "3_c.sql", b"SELECT 3;\n")),
        "dir/atlas.sum:3 does not match the files: 3_c.sql is not listed"
    );
    assert_eq!(
        changed(&|dir| remove(dir, "1_a.sql")),
        "dir/atlas.sum:2 does not match the files: 1_a.sql is listed, but it does not exist"
    );
    assert_eq!(
        changed(&|dir| {
            let sum = std::fs::read_to_string(dir.path().join("atlas.sum")).expect("it is there");
            let (_, lines) = sum.split_once('\n').expect("it has lines");
            write(dir, "atlas.sum", format!("h1:AAAA\n{lines}").as_bytes());
        }),
        "dir/atlas.sum:1 does not match the files: the first line does not match the others"
    );
    assert_eq!(
        changed(&|dir| write(dir, "atlas.sum", b"h1:AAAA\n<<<<<<< HEAD\n")),
        "dir/atlas.sum:2 does not match the files: \"<<<<<<< HEAD\" is not a line of a sum"
    );
}

#[test]
fn a_missing_sum_is_an_error_if_the_format_is_atlas() {
    assert_eq!(errors(&tree(TWO), Some(Format::Atlas)), ["dir/atlas.sum does not exist"]);
}

#[test]
fn a_checkout_with_other_line_endings_matches_the_same_sum() {
    let dir = sealed(TWO);
    for (name, text) in TWO {
        write(&dir, name, text.replace('\n', "\r\n").as_bytes());
    }
    let sum = std::fs::read_to_string(dir.path().join("atlas.sum")).expect("it is there");
    write(&dir, "atlas.sum", sum.replace('\n', "\r\n").as_bytes());

    assert_eq!(names(&dir, None).len(), 2);
}

#[test]
fn an_ignored_file_has_no_line_in_the_sum_but_its_name_counts() {
    let dir =
        sealed(&[("1_a.sql", "-- atlas:sum ignore\n\nSELECT 1;\n"), ("2_b.sql", "SELECT 2;\n")]);
    write(&dir, "1_a.sql", b"-- atlas:sum ignore\n\nSELECT 'changed';\n");
    assert_eq!(names(&dir, None).len(), 2);

    std::fs::rename(dir.path().join("1_a.sql"), dir.path().join("1_z.sql")).expect("renamed");
    assert_eq!(
        errors(&dir, None),
        ["dir/atlas.sum:2 does not match the files: 2_b.sql was changed"]
    );
}

#[test]
fn directives_count_only_in_the_comments_above_an_empty_line() {
    let boundaries = |text: &str| -> Vec<usize> {
        let read = read_dir(path(&sealed(&[("1_a.sql", text)])), None).expect("it is valid");
        read.migrations[0].statements.iter().map(|statement| statement.boundary).collect()
    };

    assert_eq!(boundaries("-- why\n-- atlas:txmode none\n\nSELECT 1;\nSELECT 2;"), [1, 2]);
    assert_eq!(boundaries("-- atlas:txmode none\nSELECT 1;\nSELECT 2;"), [0, 0]);
    assert_eq!(
        boundaries("-- atlas:nolint\n\nSELECT 1;\n-- atlas:txmode none\n\nSELECT 2;"),
        [0, 0]
    );
}

#[test]
fn a_delimiter_ends_a_statement_in_addition_to_the_semicolon() {
    let text =
        "-- atlas:delimiter -- end\n\nCREATE FUNCTION f() AS 'a;b'\n-- end\nSELECT 1; SELECT 2";
    let read = read_dir(path(&sealed(&[("1_a.sql", text)])), None).expect("it is valid");

    let statements = read.migrations[0].statements.iter();
    let found: Vec<_> = statements.map(|s| (s.origin.line, s.text.as_str())).collect();
    assert_eq!(found, [(3, "CREATE FUNCTION f() AS 'a;b'"), (5, "SELECT 1"), (5, "SELECT 2")]);
}

#[test]
fn a_delimiter_counts_only_in_the_first_line_and_outside_of_literals() {
    let statements = |text: &str| -> Vec<(usize, String)> {
        let read = read_dir(path(&sealed(&[("1_a.sql", text)])), None).expect("it is valid");
        let statements = read.migrations.into_iter().flat_map(|m| m.statements);
        statements.map(|s| (s.origin.line, s.text)).collect()
    };
    let expected = |found: &[(usize, &str)]| -> Vec<(usize, String)> {
        found.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    };

    // No empty line has to follow.
    assert_eq!(
        statements("-- atlas:delimiter //\nSELECT '//', $$//$$, (1)//\nSELECT 2//"),
        expected(&[(2, "SELECT '//', $$//$$, (1)"), (3, "SELECT 2")])
    );
    assert_eq!(
        statements("-- atlas:delimiter \\n\\n\nSELECT (1,\n\n2)\n\nSELECT 3"),
        expected(&[(2, "SELECT (1,\n\n2)"), (6, "SELECT 3")])
    );
    for text in [
        "-- a\n-- atlas:delimiter //\n\nSELECT 8 // 2",
        "--atlas:delimiter //\n\nSELECT 8 // 2",
        "-- not atlas:delimiter //\n\nSELECT 8 // 2",
    ] {
        assert_eq!(statements(text).len(), 1, "{text}");
    }
    assert_eq!(
        statements("DELIMITER //\nSELECT 1//\nDELIMITER ;\nSELECT 2;"),
        expected(&[(2, "SELECT 1"), (4, "SELECT 2")])
    );
}

#[test]
fn a_checkpoint_is_a_baseline() {
    let dir = sealed(&[
        ("1_a.sql", "SELECT 1"),
        ("2_b.sql", "-- atlas:checkpoint v1\n\nSELECT 1"),
        ("3_c.sql", "SELECT 1\n-- atlas:checkpoint\n"),
        ("4_d.sql", "-- atlas:checkpoint"),
        ("5_e.sql", "# the schema atlas:checkpoint\n\nSELECT 1"),
        ("6_f.sql", "-- atlas:checkpoints\n"),
    ]);

    let read = read_dir(path(&dir), None).expect("the directory is valid");
    let kinds: Vec<_> = read.migrations.iter().map(|migration| migration.kind.as_str()).collect();
    let expected = ["versioned", "baseline", "versioned", "baseline", "baseline", "versioned"];
    assert_eq!(kinds, expected);
}

#[test]
fn the_sum_includes_repeatable_files() {
    let dir = sealed(&[("1_a.sql", "SELECT 1"), ("roles.sql", "CREATE ROLE app")]);
    let repeatable = Patterns(vec!["roles.sql".to_owned()]);
    let options = Options { repeatable, ..Options::default() };

    let read = read_dir_with(path(&dir), None, &options).expect("the directory is valid").found;
    let versions: Vec<_> = read.migrations.iter().map(|m| m.version.0.as_str()).collect();
    assert_eq!(versions, ["1", "R__roles"]);
}

/// An archive with these sections.
fn archive(sections: &[(&str, &str)]) -> String {
    let sections = sections.iter().map(|(name, text)| format!("\n-- {name} --\n{text}\n"));
    format!("-- atlas:txtar\n{}", sections.collect::<String>())
}

#[test]
fn only_the_script_of_an_archive_runs() {
    let up = "CREATE TABLE b (id int);\nCREATE TABLE c (id int);";
    let down = ("down.sql", "DROP TABLE c;\nDROP TABLE b;");
    for text in [
        archive(&[("migration.sql", up), down]),
        archive(&[down, ("migration.sql", up)]),
        archive(&[down, ("migration.sql", up)]).replace('\n', "\r\n"),
        // A comment directly above the first section does not hide the directive.
        archive(&[("migration.sql", up), down]).replacen("\n\n", "\n", 1),
    ] {
        let read = read_dir(path(&sealed(&[("1_a.sql", &text)])), None).expect("it is valid");
        let statements = &read.migrations[0].statements;
        let found: Vec<_> = statements.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(found, ["CREATE TABLE b (id int)", "CREATE TABLE c (id int)"], "{text}");
        let line = text.lines().position(|line| line.starts_with("CREATE TABLE b")).unwrap() + 1;
        assert_eq!(statements[0].origin.line, line, "{text}");
        assert_eq!(read.migrations[0].checksum, crate::migration::Checksum::of(&text));
    }
}

#[test]
fn the_directives_of_an_archive_are_above_it_and_at_the_top_of_the_script() {
    let script = "-- atlas:txmode none\n\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);";
    let text = archive(&[("migration.sql", script)]).replacen('\n', "\n-- atlas:checkpoint\n", 1);
    let read = read_dir(path(&sealed(&[("1_a.sql", &text)])), None).expect("it is valid");
    let migration = &read.migrations[0];
    assert_eq!(migration.kind.as_str(), "baseline");
    let boundaries: Vec<_> = migration.statements.iter().map(|s| s.boundary).collect();
    assert_eq!(boundaries, [1, 2]);
}

#[test]
fn an_archive_with_another_section_cannot_run_but_is_known() {
    let script = ("migration.sql", "DROP TABLE a;");
    for (sections, line, name) in [
        (vec![("checks.sql", "SELECT false;"), script], 3, "checks.sql"),
        (vec![script, ("checks/empty.sql", "SELECT false;")], 6, "checks/empty.sql"),
        (vec![("down.sql", "SELECT 1;"), script, ("plan.yaml", "a: b")], 9, "plan.yaml"),
    ] {
        let dir = sealed(&[("1_a.sql", &archive(&sections))]);
        let read = read_dir_with(path(&dir), None, &Options::default()).expect("valid names");
        assert_eq!(read.found.migrations[0].statements.len(), 1);
        let message = format!(
            "dir/1_a.sql:{line} begins the section {name}, which this provider does not support"
        );
        assert_eq!(errors(&dir, None), [message]);
    }
    let script = "\n-- migration.sql --\nDROP TABLE a;";
    for (text, line, problem) in [
        ("-- atlas:txtar\nDROP TABLE a;".to_owned(), 2, "text above the first section"),
        ("-- atlas:txtar\n\n-- down.sql --\n".to_owned(), 1, "no section \"migration.sql\""),
        (format!("-- atlas:txtar\n{script}{script}"), 5, "a second section \"migration.sql\""),
    ] {
        let message = format!("dir/1_a.sql:{line} is not valid for Atlas: {problem}");
        assert_eq!(errors(&sealed(&[("1_a.sql", &text)]), None), [message]);
    }
}
