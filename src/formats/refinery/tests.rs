//! Tests of the module above.

use crate::formats::Format;
use crate::formats::tests::{errors, names, tree};

const SQL: &str = "SELECT 1";

#[test]
fn all_files_run_in_the_order_of_their_numbers() {
    let dir = tree(&[
        ("V10__c.sql", SQL),
        ("U9__b_x.sql", SQL),
        ("deep/er/V1__a.sql", SQL),
        ("mod.rs", "-"),
    ]);

    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let expected = [pair("1", "a"), pair("9", "b x"), pair("10", "c")];
    assert_eq!(names(&dir, Some(Format::Refinery)), expected);
}

#[test]
fn files_that_the_tool_would_skip_or_reject_are_errors() {
    let dir = tree(&[
        ("U1__a.sql", SQL),
        ("V1__a.sql", SQL),
        ("V2.5__b.sql", SQL),
        ("V3__c.rs", "pub fn migration() -> String {}"),
        ("V4_d.sql", SQL),
        ("V5__e-f.sql", SQL),
        ("a/b/c/d/e/V6__g.sql", SQL),
        ("x/V9223372036854775808__h.sql", SQL),
    ]);

    let foreign = |file: &str| {
        format!(
            "dir/{file} has a name that refinery does not accept: \
             expected V<digits>__<name>.sql"
        )
    };
    assert_eq!(
        errors(&dir, Some(Format::Refinery)),
        [
            "directory dir/a/b/c/d/e is nested too deeply to be searched for migrations".to_owned(),
            "dir/V3__c.rs is a Rust migration, which only refinery can run".to_owned(),
            foreign("V2.5__b.sql"),
            foreign("V4_d.sql"),
            foreign("V5__e-f.sql"),
            "dir/x/V9223372036854775808__h.sql has a version greater than the largest that \
             refinery supports"
                .to_owned(),
            "dir/V1__a.sql has the same version as dir/U1__a.sql".to_owned(),
        ]
    );
}
