//! Reads the rest of a statement that dsql-lint cannot parse.
//!
//! Its parser stops at the first word that it does not know. Here that word is removed, then the
//! next one, until it can parse what remains. So an unknown clause does not hide what DSQL rejects
//! elsewhere in the statement.

use dsql_lint::{Diagnostic, lint_sql};

use super::{PARSE_ERROR, names, split_position};
use crate::sql::tokens::{StatementToken, TokenBuf};

/// Size of the largest statement that is repaired, in tokens, because each word that is removed
/// costs the time of linting the statement again.
pub(super) const LARGEST: usize = 2_000;

/// More unknown words than this mean that the parser does not know the statement at all.
const MOST_REMOVED: usize = 60;

/// The words that say what a statement is, such as `CREATE TABLE`. Without them it would be another
/// statement.
const HEAD: usize = 2;

/// Rules that report a missing word, which may be one that was removed.
static MISSING: &[(&str, &str)] = &[
    ("check_not_valid", "VALID"),
    ("foreign_key_not_valid", "VALID"),
    ("identity_cache_missing", "CACHE"),
    ("index_async", "ASYNC"),
    ("sequence_cache_missing", "CACHE"),
    ("validate_constraint_async", "ASYNC"),
];

/// Returns what dsql-lint reports about the rest of a statement. `None` if it cannot parse the rest
/// either.
pub(super) fn diagnostics(sql: &str) -> Option<Vec<Diagnostic>> {
    let statement = TokenBuf::of(sql);
    let is_missing = |diagnostic: &Diagnostic| {
        let rule = names::name(diagnostic.rule);
        let word = MISSING.iter().find(|(of, _)| *of == rule).map(|(_, word)| *word);
        word.is_none_or(|word| !statement.all().has(&[word]))
    };
    let mut rest = sql.to_owned();
    for _ in 0..MOST_REMOVED {
        let mut found = lint_sql(&rest);
        let error = found.iter().find(|found| names::name(found.rule) == PARSE_ERROR);
        let Some(error) = error else {
            found.retain(is_missing);
            return Some(found);
        };
        let position = split_position(&error.message).1;
        if position.is_none() && !error.message.ends_with("found: EOF") {
            return None;
        }
        let at = position.and_then(|(line, column)| offset(&rest, line, column));
        rest = without(&rest, at.unwrap_or(rest.len()))?;
    }
    None
}

/// The offset of a line and a column, which dsql-lint counts from 1 and from the first word.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let statement = text.trim_start();
    let lines = statement.split_inclusive('\n').take(line.checked_sub(1)?);
    let before = text.len() - statement.len() + lines.map(str::len).sum::<usize>();
    let (within, _) = text[before..].char_indices().nth(column.checked_sub(1)?)?;
    Some(before + within)
}

/// The text with spaces in place of the token at an offset, at which a parser stopped. `None` if
/// nothing can be removed.
fn without(text: &str, at: usize) -> Option<String> {
    let statement = TokenBuf::of(text);
    let tokens = statement.all().as_slice();
    let index = tokens.partition_point(|token| token.start < at);
    // The parser expects something before a comma and at the end.
    let (is_comma, is_end) = match tokens.get(index) {
        Some(token) => (token.is(","), token.is(")")),
        None => (false, true),
    };
    let before = index.checked_sub(1)?;
    let (first, last) = if is_comma && tokens[before].is_any(&["(", ")", ","]) {
        (index, index)
    } else if is_end && tokens[before].is("(") {
        (before, index)
    } else if is_end && tokens[before].is(")") {
        (opening(tokens, before)?, before)
    } else if is_comma || is_end {
        (before, before)
    } else if tokens[index].is("(") {
        (index, closing(tokens, index)?)
    } else {
        (index, index)
    };
    if first < HEAD {
        return None;
    }
    let (from, to) = (tokens[first].start, tokens[last].end());
    let spaces: String =
        text[from..to].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    Some(format!("{}{spaces}{}", &text[..from], &text[to..]))
}

fn closing(tokens: &[StatementToken<'_>], opening: usize) -> Option<usize> {
    let depth = tokens[opening].depth;
    (opening + 1..tokens.len()).find(|at| tokens[*at].depth == depth && tokens[*at].is(")"))
}

fn opening(tokens: &[StatementToken<'_>], closing: usize) -> Option<usize> {
    let depth = tokens[closing].depth;
    (0..closing).rev().find(|at| tokens[*at].depth == depth && tokens[*at].is("("))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(sql: &str) -> Option<Vec<&'static str>> {
        Some(diagnostics(sql)?.iter().map(|found| names::name(found.rule)).collect())
    }

    #[test]
    fn an_unknown_clause_does_not_hide_the_rest() {
        for (sql, expected) in [
            ("CREATE TABLE t (a int UNIQUE NULLS NOT DISTINCT, b serial)", vec!["serial_type"]),
            ("CREATE TABLE t (a int COMPRESSION lz4, b int[])", vec!["array_type"]),
            ("CREATE TABLE t (id serial, CHECK (id > 0) NO INHERIT)", vec!["serial_type"]),
            ("ALTER TABLE t ADD b int DEFAULT 1 COMPRESSION lz4", vec!["add_column_constraint"]),
            ("UPDATE t SET a[1] = 2 WHERE b = 'x' COLLATE \"de\"", vec!["collation"]),
            ("SELECT xmlparse(content a COLLATE \"de\")", vec!["collation"]),
        ] {
            assert_eq!(rules(sql), Some(expected), "{sql}");
        }
    }

    #[test]
    fn a_word_that_may_have_been_removed_is_not_missing() {
        let sql = "ALTER TABLE t ADD CHECK (a > 0) NO INHERIT NOT VALID";
        assert_eq!(rules(sql), Some(vec![]));
        let sql = "ALTER TABLE t ADD CHECK (a > 0) NO INHERIT";
        assert_eq!(rules(sql), Some(vec!["check_not_valid"]));
    }

    #[test]
    fn the_words_that_say_what_a_statement_is_are_kept() {
        assert_eq!(rules("CREATE PUBLICATION p FOR TABLE t"), None);
        assert_eq!(rules("REINDEX TABLE t"), None);
    }
}
