//! Finds the statements after which the effect of a file is not known, although it was split.
//!
//! Only files that another tool has applied contain them, because the provider does not run such a
//! file.

use super::tokens::{StatementToken, TokenBuf, Tokens, tokens};

/// The first words of all SQL commands of PostgreSQL and DSQL.
const COMMANDS: &[&str] = &[
    "ABORT",
    "ALTER",
    "ANALYSE",
    "ANALYZE",
    "AWS",
    "BEGIN",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "IMPORT",
    "INSERT",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TABLE",
    "TRUNCATE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];

/// The setting that decides what a name without a schema means.
const PATH: &str = "search_path";

/// Statements that undo what precedes them.
const UNDOING: &[&[&str]] = &[&["ROLLBACK"], &["ABORT"], &["PREPARE", "TRANSACTION"]];

/// Whether the effect of a file is not known from this statement on: data follows, what precedes is
/// undone, names have another meaning, or it is not SQL.
#[must_use]
pub fn obscures(sql: &str) -> bool {
    let head: TokenBuf<'_> = tokens(sql).take(2).collect();
    let head = head.all();
    if head.begins_with_any(UNDOING) || !is_command(head) {
        return true;
    }
    if head.begins(&["DO"]) {
        return contains(sql, PATH);
    }
    if !head.begins_with_any(&[&["COPY"], &["SET"]]) && !contains(sql, "set_config") {
        return false;
    }
    let statement = TokenBuf::of(sql);
    let tokens = statement.all();
    tokens.begins(&["COPY"]) && tokens.has(&["FROM", "STDIN"]) || moves_names(tokens)
}

/// Whether a text contains a word in any case. Avoids reading the tokens of most statements.
fn contains(sql: &str, word: &str) -> bool {
    sql.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// A statement that begins with a variable or a parenthesis may be any command.
fn is_command(tokens: Tokens<'_>) -> bool {
    tokens.first().is_none_or(|first| first.is_any(COMMANDS) || first.is_any(&["(", "$"]))
}

/// Whether a statement sets a search path in which names without a schema are not those of the
/// schema `public`.
fn moves_names(tokens: Tokens<'_>) -> bool {
    let is_path = |token: &StatementToken<'_>| {
        token.identifier().as_deref() == Some(PATH) || token.plain_string().as_deref() == Some(PATH)
    };
    let set = tokens
        .after(&["SET"])
        .map(|rest| rest.after(&["LOCAL"]).unwrap_or_else(|| rest.after_optional(&["SESSION"])));
    if let Some(schema) = set.and_then(|set| set.after(&["SCHEMA"])) {
        return !is_public(schema);
    }
    let Some(at) = tokens.iter().position(is_path) else { return false };
    let is_setting = set.is_some_and(|set| set.first().is_some_and(is_path));
    let is_call = tokens.has(&["SET_CONFIG", "("]);
    // After `=`, `TO`, or the comma of `set_config`.
    (is_setting || is_call) && !is_public(tokens.skip(at + 2))
}

/// Whether the first schema of a search path is `public`. An empty path has only qualified names.
fn is_public(path: Tokens<'_>) -> bool {
    let Some(first) = path.first() else { return false };
    let names = first.plain_string().or_else(|| first.identifier()).unwrap_or_default();
    let name = names.split(',').next().unwrap_or_default().trim().trim_matches('"');
    let is_first = |name: &str| matches!(name, "" | "public" | "default");
    if matches!(name, "$user" | "pg_catalog") {
        let rest = names.split_once(',').map(|(_, rest)| rest.trim().trim_matches('"'));
        return match rest {
            Some(rest) => is_first(rest.split(',').next().unwrap_or_default().trim()),
            None => path.len() < 3 || is_public(path.skip(2)),
        };
    }
    is_first(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_a_rollback_another_search_path_and_other_text_obscure_what_a_file_does() {
        for sql in [
            "COPY a (id) FROM stdin",
            "ROLLBACK",
            "rollback to savepoint s",
            "ABORT",
            "PREPARE TRANSACTION 'x'",
            "SET search_path = app",
            "SET LOCAL search_path TO app, public",
            "set session search_path to 'app'",
            "SET search_path = \"$user\", app",
            "SET SCHEMA 'app'",
            "SELECT pg_catalog.set_config('search_path', 'app, public', false)",
            "SELECT set_config('search_path', current_setting('x'), false)",
            "DO $$ BEGIN SET search_path = app; END $$",
            "pg_dump: error: connection to server failed",
        ] {
            assert!(obscures(sql), "{sql}");
        }
    }

    #[test]
    fn other_statements_that_do_not_run_here_hide_nothing() {
        for sql in [
            "SET statement_timeout = 0",
            "SET LOCAL lock_timeout = '5s'",
            "SET search_path = public, pg_catalog",
            "SET search_path TO DEFAULT",
            "SET search_path = \"$user\", public",
            "SET search_path = '\"$user\", public'",
            "SET search_path = ''",
            "SET SCHEMA 'public'",
            "RESET search_path",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SELECT set_config('lock_timeout', '5s', false)",
            "ALTER ROLE app SET search_path = app",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = app AS 'SELECT 1'",
            "LOCK TABLE a IN ACCESS EXCLUSIVE MODE",
            "COPY a FROM '/data/a.csv'",
            "COPY a TO STDOUT",
            "COMMENT ON TABLE a IS 'FROM STDIN'",
            "ALTER TABLE public.a OWNER TO app",
            "(SELECT 1)",
            "${statement}",
            "AWS IAM GRANT app TO 'arn'",
        ] {
            assert!(!obscures(sql), "{sql}");
        }
    }
}
