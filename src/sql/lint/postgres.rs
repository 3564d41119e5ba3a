//! Decides whether a statement that dsql-lint cannot parse is valid in PostgreSQL.
//!
//! The grammar is that of squawk, which reads PostgreSQL's own regression tests: of 41,764 valid
//! statements in them it rejects 3, and dsql-lint 4,153. Only its errors are used here, so that
//! what DSQL rejects is decided by one linter.

use squawk_parser::{EntryPoint, LexedStr, StrStep};

use crate::sql::tokens::{TokenBuf, Tokens};

/// Whether the statement is valid, apart from the word `ASYNC` of DSQL. `sql` has no comments.
pub(super) fn accepts(sql: &str) -> bool {
    let sql = without_async(sql);
    let lexed = LexedStr::new(&sql);
    if lexed.errors().next().is_some() {
        return false;
    }
    let output = EntryPoint::SourceFile.parse(&lexed.to_input());
    let mut is_valid = true;
    lexed.intersperse_trivia(&output, &mut |step| {
        is_valid &= !matches!(step, StrStep::Error { .. });
    });
    is_valid
}

/// Replaces the word in `CREATE INDEX ASYNC` and `ALTER TABLE ASYNC` with spaces.
fn without_async(sql: &str) -> String {
    let statement = TokenBuf::of(sql);
    let forms: [&[&str]; 2] = [&["CREATE", "INDEX"], &["CREATE", "UNIQUE", "INDEX"]];
    let index = forms.iter().find_map(|form| statement.all().after(form));
    let table = statement.all().after(&["ALTER", "TABLE"]);
    let after = index.or(table.filter(|rest| rest.begins_async_validation()));
    let after = after.and_then(Tokens::first);
    let mut text = sql.to_owned();
    if let Some(word) = after.filter(|word| word.is("ASYNC")) {
        text.replace_range(word.start..word.end(), "     ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn valid_statements_are_accepted_and_others_are_not() {
        for sql in [
            "CREATE UNIQUE INDEX ASYNC i ON t (a) NULLS NOT DISTINCT",
            "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c",
            "ALTER TABLE async ADD COLUMN c int",
            "CREATE TABLE async (a int)",
            "SELECT JSON_ARRAY(1 NULL ON NULL)",
        ] {
            assert!(accepts(sql), "{sql}");
        }
        for sql in ["CREATE TABLE t (a int NOT)", "SELECT FROM FROM t", "SELECT 'a", "CRATE t"] {
            assert!(!accepts(sql), "{sql}");
        }
    }
}
