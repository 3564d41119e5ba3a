//! Implements `rewrite = "safe"`: replaces syntax for which DSQL has an equivalent.
//!
//! dsql-lint reports such syntax and can print a fixed statement, but it prints the whole statement
//! from its syntax tree: comments are lost, types and names are spelled differently, and anything
//! that its printer does not know is missing. So the edits here change the author's own text, and
//! only where the resulting schema is the same. [`REWRITES`] lists them, with a reason for each.
//! Any other change is left to the author.

use super::edit::{self, Edit, insert_after, remove, replace};
use super::tokens::{StatementToken, TokenBuf, Tokens};

/// An edit that changes how a statement is written, not what it does.
#[derive(Debug)]
pub struct Rewrite {
    /// The rule of the linter that the result satisfies.
    pub rule: &'static str,
    /// What it changes, in a sentence.
    pub what: &'static str,
    /// Why the result is the same, in sentences.
    pub reason: &'static str,
    edits: fn(Tokens<'_>) -> Vec<Edit>,
}

/// All rewrites.
pub static REWRITES: &[Rewrite] = &[
    Rewrite {
        rule: "index_async",
        what: "`CREATE INDEX` becomes `CREATE INDEX ASYNC`.",
        reason: "The provider waits for the build job and checks that the index is valid, so the \
                 index is ready when the statement counts as done, as without `ASYNC`.",
        edits: index_async,
    },
    Rewrite {
        rule: "index_concurrently",
        what: "`CREATE INDEX CONCURRENTLY` becomes `CREATE INDEX ASYNC`.",
        reason: "Neither form blocks writes during the build, and the provider waits until the \
                 build is finished.",
        edits: index_concurrently,
    },
    Rewrite {
        rule: "index_using",
        what: "`USING btree` is removed.",
        reason: "It is the default and the only method. Other methods are kept, because they serve \
                 other queries, and DSQL rejects them.",
        edits: index_using,
    },
    Rewrite {
        rule: "index_sort_direction",
        what: "`ASC` after an index key is removed.",
        reason: "It is the default. `DESC` is kept, because its order differs, and DSQL rejects it.",
        edits: index_sort_direction,
    },
    Rewrite {
        rule: "validate_constraint_async",
        what: "`ALTER TABLE … VALIDATE CONSTRAINT` becomes `ALTER TABLE ASYNC …`.",
        reason: "The provider waits for the validation job, and the apply fails if the job fails.",
        edits: validate_constraint_async,
    },
    Rewrite {
        rule: "sequence_cache_missing",
        what: "`CACHE 1` is added to `CREATE SEQUENCE` without `CACHE`.",
        reason: "It is the default of PostgreSQL. DSQL requires that it is specified.",
        edits: sequence_cache_missing,
    },
    Rewrite {
        rule: "identity_cache_missing",
        what: "`CACHE 1` is added to `AS IDENTITY` without `CACHE`.",
        reason: "It is the default of PostgreSQL. DSQL requires that it is specified.",
        edits: identity_cache_missing,
    },
    Rewrite {
        rule: "collation",
        what: "`COLLATE \"C\"` and `COLLATE \"POSIX\"` after a column or an index key are removed.",
        reason: "DSQL sorts all text this way. Other collations are kept, and DSQL rejects them.",
        edits: collation,
    },
];

/// Returns the statement as DSQL spells it. `None` if nothing is to be changed.
#[must_use]
pub fn rewrite(sql: &str) -> Option<String> {
    let statement = TokenBuf::of(sql);
    let tokens = statement.all();
    let edits: Vec<Edit> = REWRITES.iter().flat_map(|rule| (rule.edits)(tokens)).collect();
    if edits.is_empty() {
        return None;
    }
    Some(edit::apply(sql, edits))
}

/// The token `INDEX` of `CREATE INDEX`, and the tokens after it.
fn create_index<'t>(tokens: Tokens<'t>) -> Option<(&'t StatementToken<'t>, Tokens<'t>)> {
    let created = tokens.after(&["CREATE"])?.after_optional(&["UNIQUE"]);
    Some((created.first()?, created.after(&["INDEX"])?))
}

fn index_async(tokens: Tokens<'_>) -> Vec<Edit> {
    let Some((index, rest)) = create_index(tokens) else { return Vec::new() };
    match rest.first() {
        Some(next) if !next.is_any(&["ASYNC", "CONCURRENTLY"]) => {
            vec![insert_after(index, " ASYNC")]
        }
        _ => Vec::new(),
    }
}

fn index_concurrently(tokens: Tokens<'_>) -> Vec<Edit> {
    let next = create_index(tokens).and_then(|(_, rest)| rest.first());
    next.filter(|next| next.is("CONCURRENTLY"))
        .map(|next| replace(next, "ASYNC"))
        .into_iter()
        .collect()
}

fn index_using(tokens: Tokens<'_>) -> Vec<Edit> {
    let Some((_, rest)) = create_index(tokens) else { return Vec::new() };
    let keys = rest.iter().position(|token| token.is("(")).unwrap_or(rest.len());
    let (before_keys, _) = rest.split_at(keys);
    let using = before_keys.suffixes().find(|suffix| suffix.begins(&["USING", "BTREE"]));
    using.and_then(|using| remove(using.split_at(2).0)).into_iter().collect()
}

fn index_sort_direction(tokens: Tokens<'_>) -> Vec<Edit> {
    let Some((_, rest)) = create_index(tokens) else { return Vec::new() };
    let mut edits = Vec::new();
    // The first parentheses are those of the keys.
    let keys = rest.suffixes().skip_while(|suffix| !suffix.begins(&["("]));
    for suffix in keys {
        let [token, next, ..] = suffix.as_slice() else { break };
        if token.depth == 1 && token.is("ASC") && next.is_any(&[",", ")", "NULLS"]) {
            edits.extend(remove(suffix.split_at(1).0));
        }
        if next.depth == 0 {
            break;
        }
    }
    edits
}

fn validate_constraint_async(tokens: Tokens<'_>) -> Vec<Edit> {
    let [_, table, ..] = tokens.as_slice() else { return Vec::new() };
    let is_plain = tokens.after(&["ALTER", "TABLE"]).is_some_and(|rest| !rest.begins(&["ASYNC"]));
    let is_only_action = tokens.items().len() == 1;
    if is_plain && is_only_action && tokens.has(&["VALIDATE", "CONSTRAINT"]) {
        vec![insert_after(table, " ASYNC")]
    } else {
        Vec::new()
    }
}

fn sequence_cache_missing(tokens: Tokens<'_>) -> Vec<Edit> {
    match tokens.last() {
        Some(last) if tokens.begins(&["CREATE", "SEQUENCE"]) && !tokens.has(&["CACHE"]) => {
            vec![insert_after(last, " CACHE 1")]
        }
        _ => Vec::new(),
    }
}

fn identity_cache_missing(tokens: Tokens<'_>) -> Vec<Edit> {
    if !tokens.begins_with_any(&[&["CREATE", "TABLE"], &["ALTER", "TABLE"]]) {
        return Vec::new();
    }
    tokens.suffixes().filter_map(identity_cache).collect()
}

/// Adds `CACHE` to the identity column whose `AS IDENTITY` begins at the second token.
fn identity_cache(tokens: Tokens<'_>) -> Option<Edit> {
    let kind = tokens.first()?;
    let options = tokens.skip(1).after(&["AS", "IDENTITY"])?;
    if !kind.is_any(&["ALWAYS", "DEFAULT"]) {
        return None;
    }
    let identity = tokens.split_at(3).0.last()?;
    let Some(options) = options.after(&["("]) else {
        return Some(insert_after(identity, " (CACHE 1)"));
    };
    let close = options.iter().position(|token| token.is(")") && token.depth == identity.depth)?;
    let (options, _) = options.split_at(close);
    if options.has(&["CACHE"]) {
        return None;
    }
    Some(match options.last() {
        Some(last) => insert_after(last, " CACHE 1"),
        None => insert_after(tokens.split_at(4).0.last()?, "CACHE 1"),
    })
}

fn collation(tokens: Tokens<'_>) -> Vec<Edit> {
    // Only the collation of a column or an index key. Deeper, it is part of an expression, where
    // DSQL accepts it.
    let (depth, tokens) = match tokens.index_keys() {
        Some(keys) => (1, keys),
        None if tokens.begins(&["CREATE", "TABLE"]) => (1, tokens),
        None if tokens.begins(&["ALTER", "TABLE"]) => (0, tokens),
        None => return Vec::new(),
    };
    let is_at_depth = |suffix: &Tokens<'_>| suffix.first().is_some_and(|t| t.depth == depth);
    tokens.suffixes().filter(is_at_depth).filter_map(default_collation).collect()
}

/// Removes the collation that the tokens begin with, if it is the one that DSQL always uses.
fn default_collation(tokens: Tokens<'_>) -> Option<Edit> {
    let name = tokens.after(&["COLLATE"])?.after_optional(&["PG_CATALOG", "."]);
    let rest = name.after(&["\"C\""]).or(name.after(&["\"POSIX\""]))?;
    remove(tokens.split_at(tokens.len() - rest.len()).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Class;
    use crate::sql::testing::{Random, noise};
    use crate::sql::{StatementKind, classify, lint};

    /// Statements as they are written and as they run.
    const TABLE: &[(&str, &str)] = &[
        ("create index i on t (a)", "create index ASYNC i on t (a)"),
        (
            "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)",
            "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS i ON t (a)",
        ),
        ("CREATE INDEX ON t (a)", "CREATE INDEX ASYNC ON t (a)"),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX ASYNC i ON t (a)"),
        (
            "CREATE INDEX \"i\" ON \"t\" USING btree (\"a\" ASC NULLS LAST, lower(b) ASC) INCLUDE (c) WHERE a > 0",
            "CREATE INDEX ASYNC \"i\" ON \"t\" (\"a\" NULLS LAST, lower(b)) INCLUDE (c) WHERE a > 0",
        ),
        (
            "CREATE INDEX i -- why\n ON t /* b */ USING btree (a)",
            "CREATE INDEX ASYNC i -- why\n ON t /* b */  (a)",
        ),
        (
            "CREATE INDEX ASYNC i ON ${schema}.t USING btree (a)",
            "CREATE INDEX ASYNC i ON ${schema}.t (a)",
        ),
        (
            "CREATE UNIQUE INDEX ASYNC i ON t (a COLLATE \"C\", (b || c COLLATE \"C\") COLLATE pg_catalog.\"POSIX\") WHERE (a COLLATE \"C\" > 'x')",
            "CREATE UNIQUE INDEX ASYNC i ON t (a, (b || c COLLATE \"C\")) WHERE (a COLLATE \"C\" > 'x')",
        ),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c"),
        ("CREATE SEQUENCE s START 5", "CREATE SEQUENCE s START 5 CACHE 1"),
        (
            "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint GENERATED BY DEFAULT AS IDENTITY (START 5))",
            "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY, n bigint GENERATED BY DEFAULT AS IDENTITY (START 5 CACHE 1))",
        ),
        (
            "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY",
            "ALTER TABLE t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (CACHE 1)",
        ),
        (
            "CREATE TABLE t (a text COLLATE \"C\" NOT NULL, b text COLLATE pg_catalog.\"POSIX\", CHECK (a COLLATE \"C\" > 'x'))",
            "CREATE TABLE t (a text NOT NULL, b text, CHECK (a COLLATE \"C\" > 'x'))",
        ),
    ];

    #[test]
    fn statements_are_rewritten_to_the_syntax_of_dsql_and_keep_the_rest() {
        for (written, runs) in TABLE {
            assert_eq!(rewrite(written).as_deref(), Some(*runs));
            assert_eq!(rewrite(runs), None, "a second rewrite changes nothing: {runs}");
            let plain = runs.replace("${schema}", "s");
            assert_eq!(lint(&[plain]), [[]], "{runs}");
        }
    }

    #[test]
    fn every_rewrite_satisfies_its_rule() {
        for rewrite in REWRITES {
            let satisfies = TABLE.iter().any(|(written, _)| {
                lint(&[written])[0].iter().any(|finding| finding.rule == rewrite.rule)
            });
            assert!(satisfies, "{}", rewrite.rule);
        }
    }

    #[test]
    fn statements_whose_meaning_would_change_are_not_rewritten() {
        for sql in [
            "CREATE TABLE t (id serial PRIMARY KEY)",
            "CREATE INDEX ASYNC i ON t (a DESC)",
            "CREATE INDEX ASYNC i ON t USING gin (a)",
            "CREATE INDEX ASYNC i ON t (a) WHERE b = 'x ASC, y'",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
            "ALTER TABLE t VALIDATE CONSTRAINT c, ADD COLUMN d int",
            "CREATE TABLE t (a text COLLATE \"de_DE\")",
            "CREATE INDEX ASYNC i ON t (a COLLATE \"de_DE\")",
            "CREATE SEQUENCE s AS integer CACHE 1",
            "CREATE TABLE t (a int GENERATED ALWAYS AS (b) STORED)",
            "COMMENT ON TABLE t IS 'CREATE INDEX i ON t (a)'",
            "SELECT 1",
            "",
        ] {
            assert_eq!(rewrite(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_rewritten_statement_has_the_class_of_its_new_syntax() {
        let sql = rewrite("CREATE INDEX i ON t (a)").unwrap();
        assert_eq!(classify(&sql), StatementKind::Run(Class::AsyncIndex));
        let sql = rewrite("ALTER TABLE t VALIDATE CONSTRAINT c").unwrap();
        assert_eq!(classify(&sql), StatementKind::Run(Class::Validate));
    }

    #[test]
    fn noise_does_not_panic() {
        let mut random = Random::new(3);
        for head in ["CREATE INDEX ", "CREATE TABLE t (", "ALTER TABLE t ", "CREATE SEQUENCE "] {
            for _ in 0..500 {
                let sql = format!("{head}{}", noise(&mut random, 12));
                let again = rewrite(&sql).map(|sql| rewrite(&sql));
                assert!(again.is_none_or(|again| again.is_none()), "{sql:?}");
            }
        }
    }
}
