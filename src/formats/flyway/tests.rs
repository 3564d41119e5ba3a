//! Tests of the module above.

use crate::formats::tests::{errors, names, path, tree};
use crate::formats::{Format, Options, Placeholders, read_dir, read_dir_with};
use crate::migration::VariableSyntax;

const SQL: &str = "SELECT 1";

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn versions_are_ordered_part_by_part_as_numbers() {
    let dir = tree(&[
        ("V10__j.sql", SQL),
        ("V2__b.sql", SQL),
        ("V1_1__a_b.sql", SQL),
        ("V1__a.sql", SQL),
        ("V1.0.1__c.sql", SQL),
        ("sub/V002.1__d.sql", SQL),
        ("V20260101120000__e.sql", SQL),
    ]);

    assert_eq!(
        names(&dir, None),
        [
            pair("1", "a"),
            pair("1.0.1", "c"),
            pair("1.1", "a b"),
            pair("2", "b"),
            pair("002.1", "d"),
            pair("10", "j"),
            pair("20260101120000", "e"),
        ]
    );
}

#[test]
fn hidden_directories_are_skipped() {
    let dir = tree(&[
        ("V1__a.sql", SQL),
        (".old/V2__drop.sql", "DROP TABLE a"),
        ("new/.git/a/b/c/V3__drop.sql", "DROP TABLE a"),
        ("new/V4__b.sql", SQL),
    ]);

    assert_eq!(names(&dir, Some(Format::Flyway)), [pair("1", "a"), pair("4", "b")]);
}

#[test]
fn leading_and_trailing_zeros_do_not_change_a_version() {
    let dir = tree(&[("V1__a.sql", SQL), ("V01.0__b.sql", SQL)]);

    assert_eq!(errors(&dir, None), ["dir/V1__a.sql has the same version as dir/V01.0__b.sql"]);
}

#[test]
fn no_file_that_the_tool_would_run_or_reject_is_skipped() {
    let dir = tree(&[
        ("U3__c.sql", "DROP TABLE c"),
        ("V1__a.sql", SQL),
        ("V2__b.java", "class V2__b {}"),
        ("V4_d.sql", SQL),
        ("V1.x__e.sql", SQL),
        ("beforeMigrate.sql", SQL),
        ("U1__a.sql", "DROP TABLE a"),
    ]);

    let foreign = |file: &str| {
        format!(
            "dir/{file} has a name that Flyway does not accept: \
             expected V<version>__<description>.sql"
        )
    };
    assert_eq!(
        errors(&dir, Some(Format::Flyway)),
        [
            "dir/V2__b.java is a Java migration or a script, which only Flyway can run".to_owned(),
            foreign("V1.x__e.sql"),
            foreign("V4_d.sql"),
            foreign("beforeMigrate.sql"),
            "dir/U3__c.sql reverts a migration that does not exist".to_owned(),
        ]
    );
}

#[test]
fn a_baseline_follows_the_last_version_that_it_replaces() {
    let dir = tree(&[
        ("V11__c.sql", SQL),
        ("B10__base.sql", SQL),
        ("V10__b.sql", SQL),
        ("V2__a.sql", SQL),
        ("B20__base.sql", SQL),
    ]);

    let read = read_dir(path(&dir), None).expect("the directory is valid");
    let found: Vec<_> = read
        .migrations
        .iter()
        .map(|migration| (migration.version.0.as_str(), migration.kind.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("2", "versioned"),
            ("10", "versioned"),
            ("10", "baseline"),
            ("11", "versioned"),
            ("20", "baseline"),
        ]
    );
}

#[test]
fn repeatable_scripts_come_last_in_the_order_of_their_descriptions() {
    let dir = tree(&[
        ("R__views.sql", SQL),
        ("R__grants.sql", "GRANT app TO ${user}"),
        ("V1__a.sql", SQL),
        ("sub/R__app_roles.sql", SQL),
    ]);
    assert_eq!(
        errors(&dir, None),
        ["dir/R__grants.sql:1 contains the placeholder ${user}, which Flyway would replace"]
    );

    let options = Options { placeholders: Placeholders::Variables, ..Options::default() };
    let read = read_dir_with(path(&dir), None, &options).expect("the directory is valid").found;
    let found: Vec<_> =
        read.migrations.iter().map(|m| (m.version.0.as_str(), m.is_repeatable())).collect();
    assert_eq!(
        found,
        [("1", false), ("R__app_roles", true), ("R__grants", true), ("R__views", true)]
    );
}

#[test]
fn blanks_at_the_beginning_of_a_description_count_for_the_order() {
    let dir = tree(&[("R__b.sql", SQL), ("R___z.sql", SQL), ("R__B.sql", SQL), ("R__.sql", SQL)]);
    let found = names(&dir, Some(Format::Flyway));
    assert_eq!(found, [pair("R__", ""), pair("R___z", "z"), pair("R__B", "B"), pair("R__b", "b")]);
}

#[test]
fn a_name_may_lack_a_description() {
    let dir = tree(&[("V1.sql", SQL), ("V2__.sql", SQL), ("V1_1.sql", SQL)]);
    assert_eq!(names(&dir, None), [pair("1", ""), pair("1.1", ""), pair("2", "")]);
}

#[test]
fn a_placeholder_is_rejected_except_in_comments_around_statements() {
    let text = "-- ${comment}\nSELECT 1;\nSELECT 'a\n${name}' -- ${more}\n;";
    let dir = tree(&[("V1__a.sql", text)]);

    assert_eq!(
        errors(&dir, None),
        ["dir/V1__a.sql:4 contains the placeholder ${name}, which Flyway would replace"]
    );
}

#[test]
fn a_placeholder_after_a_dollar_sign_delimits_no_literal() {
    let text = "CREATE FUNCTION f() AS $$ a; '$${x}' b; $$;\nSELECT '$${x}';\nSELECT 3;";
    let dir = tree(&[
        ("V1__a.sql", text),
        ("V2__b.sql", SQL),
        ("V2__b.sql.conf", "placeholderReplacement=FALSE"),
    ]);
    let options = Options { placeholders: Placeholders::Variables, ..Options::default() };
    let read = read_dir_with(path(&dir), None, &options).expect("valid names");
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let read = read.found.migrations;
    let found: Vec<_> = read[0].statements.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(found, ["CREATE FUNCTION f() AS $$ a; '$${x}' b; $$", "SELECT '$${x}'", "SELECT 3"]);
    let syntaxes = [read[0].variables, read[1].variables];
    assert_eq!(syntaxes, [VariableSyntax::Flyway, VariableSyntax::Off]);
    assert_eq!(
        errors(&dir, None),
        ["dir/V1__a.sql:1 contains the placeholder ${x}, which Flyway would replace"]
    );
}

#[test]
fn a_script_can_turn_off_placeholders_and_its_transaction() {
    let dir = tree(&[
        ("V1__a.sql", "SELECT '${name}'; SELECT 2"),
        (
            "V1__a.sql.conf",
            "# why\r\n\r\nplaceholderReplacement = false\r\nexecuteInTransaction=false\r\n",
        ),
    ]);
    let read = read_dir(path(&dir), None).expect("the directory is valid");
    let boundaries: Vec<_> =
        read.migrations[0].statements.iter().map(|statement| statement.boundary).collect();
    assert_eq!(boundaries, [1, 2]);

    for (conf, expected) in [
        ("executeInTransaction = FALSE", [1, 2]),
        ("!why\nexecuteInTransaction:False", [1, 2]),
        ("executeInTransaction true", [0, 0]),
        ("executeInTransaction=TRUE\nencoding=utf-8", [0, 0]),
    ] {
        let dir = tree(&[("V1__a.sql", "SELECT 1; SELECT 2"), ("V1__a.sql.conf", conf)]);
        let read = read_dir(path(&dir), None).expect("the directory is valid");
        let boundaries: Vec<_> =
            read.migrations[0].statements.iter().map(|statement| statement.boundary).collect();
        assert_eq!(boundaries, expected, "{conf}");
    }

    let dir = tree(&[("V1__a.sql", SQL), ("V1__a.sql.conf", "\nshouldExecute=${dev}\n")]);
    assert_eq!(
        errors(&dir, None),
        ["dir/V1__a.sql.conf:2 contains a setting of Flyway that this provider does not support"]
    );
}
