//! Tests of the module above.

use super::count_parts;
use crate::formats::tests::{errors, names, path, tree, write};
use crate::formats::{Format, read_dir};

const JOURNAL_OF_TWO: &str = r#"{"version":"7","dialect":"postgresql","entries":[
  {"idx":0,"version":"7","when":1766348213015,"tag":"0001_later_name","breakpoints":true},
  {"idx":1,"version":"7","when":1735257600000,"tag":"0000_pretty_reptil","breakpoints":true}]}"#;

fn journal(entries: &str) -> String {
    format!(r#"{{"version":"7","dialect":"postgresql","entries":[{entries}]}}"#)
}

fn statements(text: &str, breakpoints: bool) -> Vec<(usize, String)> {
    let entry = format!(r#"{{"tag":"0000_a","breakpoints":{breakpoints}}}"#);
    let dir = tree(&[("0000_a.sql", text), ("meta/_journal.json", &journal(&entry))]);
    let directory = read_dir(path(&dir), None).expect("the directory is valid");
    let statements = directory.migrations.into_iter().flat_map(|migration| migration.statements);
    statements.map(|statement| (statement.origin.line, statement.text)).collect()
}

fn of_journal(text: &str) -> Vec<String> {
    errors(&tree(&[("meta/_journal.json", text)]), None)
}

#[test]
fn the_journal_decides_the_order_and_the_whole_tag_is_the_version() {
    let dir = tree(&[
        ("0000_pretty_reptil.sql", "SELECT 1"),
        ("0001_later_name.sql", "SELECT 1"),
        ("meta/_journal.json", JOURNAL_OF_TWO),
        ("meta/0000_snapshot.json", "{}"),
    ]);

    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        names(&dir, None),
        [pair("0001_later_name", "later name"), pair("0000_pretty_reptil", "pretty reptil")]
    );
}

#[test]
fn a_file_is_split_at_breakpoints_and_then_at_semicolons() {
    let text = "CREATE TABLE a (\n\tb text\n);\n--> statement-breakpoint\nCREATE TABLE c ()\n\
                --> statement-breakpoint\nSELECT 1; SELECT ';';--> statement-breakpoint\n\n\
                SELECT 2--> statement-breakpoint";

    let expected = [
        (1, "CREATE TABLE a (\n\tb text\n)"),
        (5, "CREATE TABLE c ()"),
        (7, "SELECT 1"),
        (7, "SELECT ';'"),
        (9, "SELECT 2"),
    ];
    assert_eq!(statements(text, true), expected.map(|(line, text)| (line, text.to_owned())));
}

#[test]
fn the_flag_of_the_journal_does_not_hide_what_follows_a_breakpoint() {
    let text = "CREATE TABLE a ();--> statement-breakpoint CREATE TABLE b ();\nSELECT 1";

    let expected = [(1, "CREATE TABLE a ()"), (1, "CREATE TABLE b ()"), (2, "SELECT 1")];
    let expected = expected.map(|(line, text)| (line, text.to_owned()));
    assert_eq!(statements(text, false), expected);
    assert_eq!(statements(text, true), expected);
    assert_eq!(count_parts(text), 2);
}

#[test]
fn a_breakpoint_in_a_literal_is_an_error_as_it_is_for_drizzle() {
    let dir = tree(&[
        ("0000_a.sql", "SELECT 1;\nSELECT '--> statement-breakpoint';"),
        ("meta/_journal.json", &journal(r#"{"tag":"0000_a"}"#)),
    ]);

    assert_eq!(
        errors(&dir, None),
        ["dir/0000_a.sql:2:8 cannot be split into statements: string literal is not terminated"]
    );
}

#[test]
fn files_and_journal_must_agree() {
    let dir = tree(&[
        ("0000_pretty_reptil.sql", "SELECT 1"),
        ("0002_merged_by_hand.sql", "SELECT 1"),
        ("meta/_journal.json", JOURNAL_OF_TWO),
    ]);

    assert_eq!(
        errors(&dir, None),
        [
            "dir/meta/_journal.json lists 0001_later_name, \
             but dir/0001_later_name.sql does not exist",
            "dir/0002_merged_by_hand.sql is not listed in dir/meta/_journal.json, \
             so it would never run",
        ]
    );
}

#[test]
fn a_tag_listed_twice_is_an_error() {
    assert_eq!(
        of_journal(&journal(r#"{"tag":"0000_a"},{"tag":"0001_b"},{"tag":"0000_a"}"#)),
        ["dir/meta/_journal.json lists 0000_a twice"]
    );
}

#[test]
fn a_journal_that_is_not_json_is_an_error_with_its_line() {
    let errors = of_journal("{\"entries\": [\n<<<<<<< HEAD\n]}");

    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("dir/meta/_journal.json:2 is not valid JSON: "), "{}", errors[0]);
}

#[test]
fn a_malformed_journal_is_an_error_with_the_name_of_the_field() {
    let table = [
        ("[]", "entries is not a list"),
        ("{}", "entries is not a list"),
        (r#"{"entries":[{"tag":"a"},{"idx":1}]}"#, "entries[1].tag is not a string"),
        (r#"{"entries":[{"tag":"../a"}]}"#, "entries[0].tag is not the name of a file"),
        (r#"{"entries":[{"tag":""}]}"#, "entries[0].tag is not the name of a file"),
    ];
    for (text, problem) in table {
        let expected = format!("dir/meta/_journal.json is not a Drizzle journal: {problem}");
        assert_eq!(of_journal(text), [expected]);
    }
}

#[test]
fn a_journal_of_another_dialect_is_an_error() {
    assert_eq!(
        of_journal(r#"{"dialect":"mysql","entries":[]}"#),
        ["dir/meta/_journal.json is for the dialect mysql, not postgresql"]
    );
}

#[test]
fn the_earlier_name_of_the_dialect_is_postgresql() {
    let journal = r#"{"version":"5","dialect":"pg","entries":[{"tag":"0000_a"}]}"#;
    let dir = tree(&[("0000_a.sql", "SELECT 1"), ("meta/_journal.json", journal)]);

    assert_eq!(names(&dir, None).len(), 1);
}

#[test]
fn a_journal_without_entries_is_an_empty_directory() {
    assert_eq!(of_journal(&journal("")), ["directory dir contains no migrations"]);
}

#[test]
fn a_missing_journal_is_an_error_if_the_format_is_drizzle() {
    let dir = tree(&[("0000_a.sql", "SELECT 1")]);

    assert_eq!(errors(&dir, Some(Format::Drizzle)), ["dir/meta/_journal.json does not exist"]);
}

#[test]
fn a_journal_may_have_a_byte_order_mark_and_must_be_utf8() {
    let entries = journal(r#"{"tag":"0000_a"}"#);
    let dir = tree(&[("0000_a.sql", "SELECT 1")]);
    write(&dir, "meta/_journal.json", format!("\u{feff}{entries}").as_bytes());
    assert_eq!(names(&dir, None).len(), 1);

    write(&dir, "meta/_journal.json", b"{\n\xff}");
    assert_eq!(errors(&dir, None), ["dir/meta/_journal.json:2 is not valid UTF-8"]);
}

#[test]
fn all_invalid_files_of_a_journal_are_reported() {
    let dir = tree(&[
        ("0000_pretty_reptil.sql", "-- migrate:down\nDROP TABLE a"),
        ("0001_later_name.sql", " \n"),
        ("meta/_journal.json", JOURNAL_OF_TWO),
    ]);

    assert_eq!(
        errors(&dir, Some(Format::Drizzle)),
        ["dir/0000_pretty_reptil.sql:1 begins a section that reverts the migration, \
             as marked for dbmate",]
    );
}
