//! Reads directives, that is, comments addressed to this provider. There is only one:
//! `-- dsql:batch`, on a line of its own above a statement that is to be repeated until it changes
//! no rows.
//!
//! A comment that looks like a directive but is not a valid one is an error, because its author
//! relies on it. Not every statement that never finishes is detected, but one that clearly repeats
//! the same changes is rejected.

use std::collections::BTreeSet;

use super::classify::{StatementKind, classify};
use super::comments::line_comments;
use super::disallowed::Disallowed;
use super::lex::count_lines;
use super::split::{Piece, pieces};
use super::tokens::TokenBuf;

/// A directive that is in the wrong place or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misplaced {
    /// Line number of the comment.
    pub line: usize,
    /// What is wrong with it.
    pub disallowed: Disallowed,
}

/// Returns the statements of a text that are to run in batches, as indices into the statements that
/// [`pieces`] returns. Text that cannot be split is read up to the first error.
///
/// # Errors
///
/// Fails with the first directive that is unknown or in the wrong place.
pub fn batches(text: &str, first_line: usize) -> Result<BTreeSet<usize>, Misplaced> {
    let mut found = BTreeSet::new();
    if !text.contains("dsql:") {
        return Ok(found);
    }
    let mut read = BTreeSet::new();
    let mut in_transaction = false;
    for (index, piece) in pieces(text, first_line).enumerate() {
        let Ok(piece) = piece else { return Ok(found) };
        match classify(piece.text) {
            StatementKind::TransactionBegin => in_transaction = true,
            StatementKind::TransactionEnd => in_transaction = false,
            StatementKind::Run(_) | StatementKind::Disallowed(_) => {}
        }
        for line in directives_before(&piece, index > 0)? {
            let check = if in_transaction { Err(IN_TRANSACTION) } else { repeatable(piece.text) };
            check.map_err(|disallowed| Misplaced { line, disallowed })?;
            read.insert(line);
            found.insert(index);
        }
    }
    for comment in line_comments(text) {
        let line = first_line + comment.line - 1;
        if directive(comment.text).is_some() && !read.contains(&line) {
            return Err(Misplaced { line, disallowed: NO_STATEMENT });
        }
    }
    Ok(found)
}

/// Returns the lines of the directives before a statement.
fn directives_before(piece: &Piece<'_>, follows_another: bool) -> Result<Vec<usize>, Misplaced> {
    let first_line = piece.line - count_lines(piece.before);
    let mut lines = Vec::new();
    for comment in line_comments(piece.before) {
        let line = first_line + comment.line - 1;
        match directive(comment.text) {
            None => {}
            Some(Err(disallowed)) => return Err(Misplaced { line, disallowed }),
            // On the line where the previous statement ends, it could refer to that statement.
            Some(Ok(())) if follows_another && comment.line == 1 => {
                return Err(Misplaced { line, disallowed: NO_STATEMENT });
            }
            Some(Ok(())) => lines.push(line),
        }
    }
    Ok(lines)
}

/// Whether a comment is the directive. `None` if it is prose.
fn directive(comment: &str) -> Option<Result<(), Disallowed>> {
    let rest = comment.trim_start_matches('-').trim_start().strip_prefix("dsql:")?;
    let word = rest.trim();
    if rest.starts_with(char::is_whitespace) && !word.eq_ignore_ascii_case("batch") {
        return None;
    }
    Some(if rest.trim_end() == "batch" { Ok(()) } else { Err(UNKNOWN) })
}

/// Whether a statement can be repeated until it changes no rows.
fn repeatable(sql: &str) -> Result<(), Disallowed> {
    const VERBS: &[&str] = &["UPDATE", "DELETE", "INSERT", "SELECT", "VALUES", "TABLE"];
    let statement = TokenBuf::of(sql);
    let tokens = statement.all();
    let mut outermost = tokens.outermost();
    let first = outermost.next().ok_or(NOT_REPEATABLE)?;
    let verb = if first.is("WITH") {
        outermost.find(|token| token.is_any(VERBS)).ok_or(NOT_REPEATABLE)?
    } else {
        first
    };
    let has_outermost = |word: &str| tokens.outermost().any(|token| token.is(word));
    let ends = if verb.is_any(&["UPDATE", "DELETE"]) {
        has_outermost("WHERE")
    } else if verb.is("INSERT") && !has_outermost("VALUES") && tokens.has(&["SELECT"]) {
        tokens.has(&["WHERE"]) || tokens.has(&["EXCEPT"])
    } else {
        return Err(NOT_REPEATABLE);
    };
    if ends { Ok(()) } else { Err(ENDLESS) }
}

const NOT_REPEATABLE: Disallowed = Disallowed {
    statement: "`-- dsql:batch` before a statement that cannot run in batches",
    reason: "only UPDATE, DELETE and INSERT … SELECT can be repeated until they change no rows",
    advice: "Remove the comment, or move it to the line above the statement that it applies to.",
};

const ENDLESS: Disallowed = Disallowed {
    statement: "`-- dsql:batch` before a statement without WHERE",
    reason: "every repetition would change the same rows",
    advice: "Add a WHERE clause that excludes the rows that are already changed, and a LIMIT: \
             `UPDATE t SET c = 1 WHERE id IN (SELECT id FROM t WHERE c IS NULL LIMIT 1000)`.",
};

const IN_TRANSACTION: Disallowed = Disallowed {
    statement: "`-- dsql:batch` between BEGIN and COMMIT",
    reason: "each batch runs in its own transaction",
    advice: "Move the statement out of the transaction.",
};

const NO_STATEMENT: Disallowed = Disallowed {
    statement: "`-- dsql:batch` in a position where it applies to no statement",
    reason: "it must be on a line of its own above a statement, after the semicolon of the \
             previous statement",
    advice: "Move the comment to the line above the UPDATE, DELETE or INSERT … SELECT.",
};

const UNKNOWN: Disallowed = Disallowed {
    statement: "an unknown directive",
    reason: "`-- dsql:batch` is the only one",
    advice: "Write `-- dsql:batch`. If the comment is prose, add a space after `dsql:`.",
};

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: &str = "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t WHERE a = 0 LIMIT 9)";

    fn misplaced(text: &str) -> (usize, Disallowed) {
        let misplaced = batches(text, 1).expect_err(text);
        (misplaced.line, misplaced.disallowed)
    }

    #[test]
    fn the_directive_applies_to_the_statement_below_it() {
        let text = format!("CREATE TABLE u (a int);\n-- why\n--dsql:batch\n\n{BATCH};\n{BATCH}");
        assert_eq!(batches(&text, 1), Ok([1].into()));
        assert_eq!(batches(&text.replace('\n', "\r\n"), 1), Ok([1].into()));
        let both = format!("-- dsql:batch\n{BATCH};\n-- dsql:batch \n-- why\n{BATCH};\n");
        assert_eq!(batches(&both, 1), Ok([0, 1].into()));
        assert_eq!(batches("SELECT '\n-- dsql:nothing\n'", 1), Ok([].into()));
        assert_eq!(batches("-- dsql: it has no triggers\nSELECT 1", 1), Ok([].into()));
        assert_eq!(
            batches("-- dsql:batch\nSELECT 'open", 1),
            Ok([].into()),
            "the splitter reports the error"
        );
    }

    #[test]
    fn a_statement_that_excludes_rows_already_changed_may_be_repeated() {
        for sql in [
            "UPDATE t SET a = 1 WHERE a IS NULL",
            "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE old LIMIT 1000)",
            "INSERT INTO n (id) SELECT id FROM o WHERE NOT EXISTS (SELECT FROM n) LIMIT 1000",
            "INSERT INTO n (SELECT id FROM o EXCEPT SELECT id FROM n)",
            "WITH x AS (SELECT id FROM t LIMIT 5) UPDATE t SET a = 1 FROM x WHERE x.id = t.id",
            "WITH x AS (DELETE FROM t WHERE old RETURNING *) INSERT INTO u SELECT * FROM x",
        ] {
            assert_eq!(batches(&format!("-- dsql:batch\n{sql};"), 1), Ok([0].into()), "{sql}");
        }
    }

    #[test]
    fn a_statement_that_cannot_be_repeated_or_never_finishes_is_rejected_with_its_line() {
        for sql in [
            "CREATE TABLE t (a int)",
            "SELECT * FROM t WHERE a = 1",
            "INSERT INTO t VALUES (1)",
            "INSERT INTO t VALUES ((SELECT 1 WHERE true))",
            "WITH x AS (UPDATE t SET a = 1 WHERE b RETURNING *) SELECT * FROM x",
            "GRANT SELECT ON t TO joe",
            "BEGIN",
            "ANALYZE t",
        ] {
            let text = format!("SELECT 1;\n\n-- dsql:batch\n{sql};");
            let disallowed = if sql == "BEGIN" { IN_TRANSACTION } else { NOT_REPEATABLE };
            assert_eq!(misplaced(&text), (3, disallowed), "{sql}");
        }
        for sql in
            ["UPDATE t SET a = (SELECT 1 WHERE true)", "DELETE FROM t", "INSERT INTO t SELECT 1"]
        {
            assert_eq!(misplaced(&format!("-- dsql:batch\n{sql}")), (1, ENDLESS), "{sql}");
        }
    }

    #[test]
    fn a_comment_that_looks_like_a_directive_is_never_ignored() {
        for (text, line, disallowed) in [
            (format!("{BATCH};\n-- dsql:batch\n"), 2, NO_STATEMENT),
            (format!("SELECT 1; -- dsql:batch\n{BATCH};"), 1, NO_STATEMENT),
            (BATCH.replace("SET", "SET\n-- dsql:batch\n"), 2, NO_STATEMENT),
            ("-- dsql:batch\n".to_owned(), 1, NO_STATEMENT),
            (format!("\n-- dsql:batches\n{BATCH};"), 2, UNKNOWN),
            (format!("-- dsql: batch\n{BATCH};"), 1, UNKNOWN),
            (format!("-- dsql:batch 500\n{BATCH};"), 1, UNKNOWN),
            (format!("BEGIN;\n-- dsql:batch\n{BATCH};\nCOMMIT;"), 2, IN_TRANSACTION),
        ] {
            assert_eq!(misplaced(&text), (line, disallowed), "{text}");
        }
        assert_eq!(batches(&format!("BEGIN; COMMIT;\n-- dsql:batch\n{BATCH}"), 7), Ok([2].into()));
    }
}
