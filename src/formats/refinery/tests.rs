//! Tests of the module above.

use crate::formats::Format;
use crate::formats::tests::{errors, names, tree};

const SQL: &str = "SELECT 1";

#[test]
fn all_files_go_forward_in_the_order_of_their_numbers() {
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
fn nothing_that_the_tool_would_pass_over_or_stop_at_is_skipped() {
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
            "the name of `dir/{file}` is not one of refinery's migrations: \
             it is not `V<digits>__<name>.sql`"
        )
    };
    assert_eq!(
        errors(&dir, Some(Format::Refinery)),
        [
            "`dir/a/b/c/d/e` lies too deep to be searched for migrations".to_owned(),
            "`dir/V3__c.rs` is a Rust migration, which only refinery itself can run".to_owned(),
            foreign("V2.5__b.sql"),
            foreign("V4_d.sql"),
            foreign("V5__e-f.sql"),
            "the version of `dir/x/V9223372036854775808__h.sql` is greater than any that refinery \
             can hold"
                .to_owned(),
            "`dir/U1__a.sql` and `dir/V1__a.sql` have the same version".to_owned(),
        ]
    );
}
