//! Reads directives, that is, comments addressed to this provider, each on a line of its own above
//! a statement. `-- dsql:batch` repeats the statement until it changes no rows. `--
//! dsql:keep-existing` accepts that an object which exists already has another definition.
//!
//! A comment that looks like a directive but is not a valid one is an error, because its author
//! relies on it. Not every statement that never finishes is detected, but one that clearly repeats
//! the same changes is rejected.

use std::collections::BTreeMap;

use super::classify::{StatementKind, classify};
use super::comments::line_comments;
use super::disallowed::Disallowed;
use super::effect::effect;
use super::lex::count_lines;
use super::split::{Piece, pieces_with};
use super::tokens::TokenBuf;
use crate::migration::VariableSyntax;

/// What the author of a statement declares about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementDirective {
    /// It is repeated until it changes no rows.
    Batch,
    /// It may find an object with another definition, and then leaves it as it is.
    KeepExisting,
}

/// A directive that is in the wrong place or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misplaced {
    /// Line number of the comment.
    pub line: usize,
    /// What is wrong with it.
    pub disallowed: Disallowed,
}

/// Returns the directives of a text, by the index of the statement among those that [`pieces_with`]
/// returns. Text that cannot be split is read up to the first error.
///
/// # Errors
///
/// Fails with the first directive that is unknown or in the wrong place.
pub fn directives(
    text: &str,
    first_line: usize,
    variables: VariableSyntax,
) -> Result<BTreeMap<usize, StatementDirective>, Misplaced> {
    let mut found = BTreeMap::new();
    if !text.contains("dsql:") {
        return Ok(found);
    }
    let mut read = Vec::new();
    let mut in_transaction = false;
    for (index, piece) in pieces_with(text, first_line, variables).enumerate() {
        let Ok(piece) = piece else { return Ok(found) };
        match classify(piece.text) {
            StatementKind::TransactionBegin => in_transaction = true,
            StatementKind::TransactionEnd => in_transaction = false,
            StatementKind::Run(_) | StatementKind::Disallowed(_) => {}
        }
        for (line, directive) in directives_before(&piece, index > 0)? {
            let check = match directive {
                StatementDirective::Batch if in_transaction => Err(IN_TRANSACTION),
                StatementDirective::Batch => repeatable(piece.text),
                StatementDirective::KeepExisting => optional(piece.text),
            };
            check.map_err(|disallowed| Misplaced { line, disallowed })?;
            read.push(line);
            found.insert(index, directive);
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

/// Returns the directives before a statement, each with its line.
fn directives_before(
    piece: &Piece<'_>,
    follows_another: bool,
) -> Result<Vec<(usize, StatementDirective)>, Misplaced> {
    let first_line = piece.line - count_lines(piece.before);
    let mut found = Vec::new();
    for comment in line_comments(piece.before) {
        let line = first_line + comment.line - 1;
        match directive(comment.text) {
            None => {}
            Some(Err(disallowed)) => return Err(Misplaced { line, disallowed }),
            // On the line where the previous statement ends, it could refer to that statement.
            Some(Ok(_)) if follows_another && comment.line == 1 => {
                return Err(Misplaced { line, disallowed: NO_STATEMENT });
            }
            Some(Ok(directive)) => found.push((line, directive)),
        }
    }
    Ok(found)
}

/// Reads a comment as a directive. `None` if it is prose.
fn directive(comment: &str) -> Option<Result<StatementDirective, Disallowed>> {
    const NAMES: [(&str, StatementDirective); 2] =
        [("batch", StatementDirective::Batch), ("keep-existing", StatementDirective::KeepExisting)];
    let rest = comment.trim_start_matches('-').trim_start().strip_prefix("dsql:")?;
    let is_name = |name: &str| rest.trim().eq_ignore_ascii_case(name);
    if rest.starts_with(char::is_whitespace) && !NAMES.iter().any(|(name, _)| is_name(name)) {
        return None;
    }
    let named = NAMES.iter().find(|(name, _)| rest.trim_end() == *name);
    Some(named.map(|(_, directive)| *directive).ok_or(UNKNOWN))
}

/// Whether a statement does nothing if what it creates exists.
fn optional(sql: &str) -> Result<(), Disallowed> {
    if effect(sql).optional.is_empty() { Err(NOT_OPTIONAL) } else { Ok(()) }
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

const NOT_OPTIONAL: Disallowed = Disallowed {
    statement: "`-- dsql:keep-existing` before a statement without IF NOT EXISTS",
    reason: "the server rejects the statement if the object exists",
    advice: "Add IF NOT EXISTS to the statement, or remove the comment.",
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
    statement: "a directive in a position where it applies to no statement",
    reason: "it must be on a line of its own above a statement, after the semicolon of the \
             previous statement",
    advice: "Move the comment to the line above the statement.",
};

const UNKNOWN: Disallowed = Disallowed {
    statement: "an unknown directive",
    reason: "only `-- dsql:batch` and `-- dsql:keep-existing` exist",
    advice: "Write one of them. If the comment is prose, add a space after `dsql:`.",
};

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: &str = "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t WHERE a = 0 LIMIT 9)";

    fn directives(
        text: &str,
        first_line: usize,
    ) -> Result<BTreeMap<usize, StatementDirective>, Misplaced> {
        super::directives(text, first_line, VariableSyntax::Own)
    }

    fn misplaced(text: &str) -> (usize, Disallowed) {
        let misplaced = directives(text, 1).expect_err(text);
        (misplaced.line, misplaced.disallowed)
    }

    #[test]
    fn the_directive_applies_to_the_statement_below_it() {
        let text = format!("CREATE TABLE u (a int);\n-- why\n--dsql:batch\n\n{BATCH};\n{BATCH}");
        assert_eq!(directives(&text, 1), Ok([(1, StatementDirective::Batch)].into()));
        assert_eq!(
            directives(&text.replace('\n', "\r\n"), 1),
            Ok([(1, StatementDirective::Batch)].into())
        );
        let both = format!("-- dsql:batch\n{BATCH};\n-- dsql:batch \n-- why\n{BATCH};\n");
        assert_eq!(
            directives(&both, 1),
            Ok([(0, StatementDirective::Batch), (1, StatementDirective::Batch)].into())
        );
        assert_eq!(directives("SELECT '\n-- dsql:nothing\n'", 1), Ok([].into()));
        assert_eq!(directives("-- dsql: it has no triggers\nSELECT 1", 1), Ok([].into()));
        assert_eq!(
            directives("-- dsql:batch\nSELECT 'open", 1),
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
            assert_eq!(
                directives(&format!("-- dsql:batch\n{sql};"), 1),
                Ok([(0, StatementDirective::Batch)].into()),
                "{sql}"
            );
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
        assert_eq!(
            directives(&format!("BEGIN; COMMIT;\n-- dsql:batch\n{BATCH}"), 7),
            Ok([(2, StatementDirective::Batch)].into())
        );
    }

    #[test]
    fn an_existing_object_may_be_kept_by_a_statement_that_would_do_nothing() {
        for sql in [
            "CREATE TABLE IF NOT EXISTS t (a int)",
            "CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)",
            "ALTER TABLE t ADD COLUMN b int, ADD COLUMN IF NOT EXISTS c int",
            "CREATE SCHEMA IF NOT EXISTS s",
            "CREATE SEQUENCE IF NOT EXISTS q",
        ] {
            let text = format!("BEGIN;\n-- dsql:keep-existing\n{sql};\nCOMMIT;");
            assert_eq!(
                directives(&text, 1),
                Ok([(1, StatementDirective::KeepExisting)].into()),
                "{sql}"
            );
        }
        for sql in ["CREATE TABLE t (a int)", "CREATE VIEW v AS SELECT 1", BATCH, "COMMIT"] {
            let text = format!("-- dsql:keep-existing\n{sql};");
            assert_eq!(misplaced(&text), (1, NOT_OPTIONAL), "{sql}");
        }
        let text = "-- dsql: keep-existing\nCREATE SCHEMA IF NOT EXISTS s";
        assert_eq!(misplaced(text), (1, UNKNOWN));
    }
}
