//! `rewrite = "safe"`: what DSQL spells in another way, spelt in its way.
//!
//! dsql-lint tells what is wrong and could print a mended statement, but it prints the whole
//! statement from its syntax tree: comments are lost, types and names come out in other words, and
//! whatever its printer does not know is gone. So the edits here are made in the author's own text,
//! and only those whose result is the same to everybody who looks at the database. [`REWRITES`] is
//! the list, with a reason for each; what is not in it is the author's to decide.

use super::lex::{TokenKind, significant};

/// An edit that changes how a statement is written, not what it does.
#[derive(Debug)]
pub struct Rewrite {
    /// The rule of the linter that it satisfies.
    pub rule: &'static str,
    /// What it does, in words.
    pub what: &'static str,
    /// Why the result is the same.
    pub reason: &'static str,
    edits: fn(&[Word<'_>]) -> Vec<Edit>,
}

/// All edits.
pub static REWRITES: &[Rewrite] = &[
    Rewrite {
        rule: "index_async",
        what: "`CREATE INDEX` becomes `CREATE INDEX ASYNC`.",
        reason: "The provider waits for the job of the build and checks that the index is valid, \
                 so the index is ready when the statement counts as done, as without `ASYNC`.",
        edits: index_async,
    },
    Rewrite {
        rule: "index_concurrently",
        what: "`CREATE INDEX CONCURRENTLY` becomes `CREATE INDEX ASYNC`.",
        reason: "Both build without keeping writers out, and the provider waits for the end.",
        edits: index_concurrently,
    },
    Rewrite {
        rule: "index_using",
        what: "`USING btree` goes.",
        reason: "It is the only method and the default. Other methods stay, and are refused: they \
                 would serve other queries.",
        edits: index_using,
    },
    Rewrite {
        rule: "index_sort_direction",
        what: "`ASC` behind a key of an index goes.",
        reason: "It is the default. `DESC` stays, and is refused: the order would be another one.",
        edits: index_sort_direction,
    },
    Rewrite {
        rule: "validate_constraint_async",
        what: "`ALTER TABLE … VALIDATE CONSTRAINT` becomes `ALTER TABLE ASYNC …`.",
        reason: "The provider waits for the job of the validation, and a failed one fails the run.",
        edits: validate_constraint_async,
    },
    Rewrite {
        rule: "sequence_cache_missing",
        what: "`CREATE SEQUENCE` without `CACHE` gets `CACHE 1`.",
        reason: "It is PostgreSQL's default; DSQL wants it written.",
        edits: sequence_cache_missing,
    },
    Rewrite {
        rule: "identity_cache_missing",
        what: "`AS IDENTITY` without `CACHE` gets `CACHE 1`.",
        reason: "It is PostgreSQL's default; DSQL wants it written.",
        edits: identity_cache_missing,
    },
    Rewrite {
        rule: "collation",
        what: "`COLLATE \"C\"` and `COLLATE \"POSIX\"` behind a column go.",
        reason: "DSQL orders all text so. Other collations stay, and are refused.",
        edits: collation,
    },
];

/// The statement as DSQL spells it; `None` if it is written so already.
#[must_use]
pub fn rewrite(sql: &str) -> Option<String> {
    let words = placed(sql);
    let mut edits: Vec<Edit> = REWRITES.iter().flat_map(|rule| (rule.edits)(&words)).collect();
    if edits.is_empty() {
        return None;
    }
    // From the end, so that places before stay right.
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.start));
    let mut text = sql.to_owned();
    for edit in edits {
        text.replace_range(edit.start..edit.end, edit.new);
    }
    Some(text)
}

/// A token with its place.
struct Word<'a> {
    /// In upper case if it is a word.
    word: String,
    start: usize,
    end: usize,
    /// How many parentheses it stands in; those of its own do not count.
    depth: usize,
    /// The blanks and comments before it.
    gap: &'a str,
}

/// Replaces a part of the text.
struct Edit {
    start: usize,
    end: usize,
    new: &'static str,
}

impl Word<'_> {
    fn is(&self, word: &str) -> bool {
        self.word == word
    }

    fn insert_after(&self, new: &'static str) -> Edit {
        Edit { start: self.end, end: self.end, new }
    }

    fn replace(&self, new: &'static str) -> Edit {
        Edit { start: self.start, end: self.end, new }
    }
}

fn placed(sql: &str) -> Vec<Word<'_>> {
    let mut depth = 0_usize;
    let mut before = 0;
    significant(sql)
        .map(|token| {
            let closes = token.is_symbol(")");
            depth -= usize::from(closes && depth > 0);
            let word = match token.kind {
                TokenKind::Word => token.text.to_ascii_uppercase(),
                _ => token.text.to_owned(),
            };
            let gap = &sql[before..token.start];
            before = token.end();
            let placed = Word { word, start: token.start, end: token.end(), depth, gap };
            depth += usize::from(token.is_symbol("("));
            placed
        })
        .collect()
}

/// Takes words out, with the blanks before them; a comment before them stays.
fn remove(words: &[Word<'_>]) -> Option<Edit> {
    let (first, last) = (words.first()?, words.last()?);
    let blank = first.gap.chars().all(char::is_whitespace);
    let start = if blank { first.start - first.gap.len() } else { first.start };
    Some(Edit { start, end: last.end, new: "" })
}

fn begins(words: &[Word<'_>], with: &[&str]) -> bool {
    words.len() >= with.len() && words.iter().zip(with).all(|(word, with)| word.is(with))
}

/// The place of `INDEX` in `CREATE INDEX`.
fn index(words: &[Word<'_>]) -> Option<usize> {
    [["CREATE", "INDEX"].as_slice(), &["CREATE", "UNIQUE", "INDEX"]]
        .into_iter()
        .find(|head| begins(words, head))
        .map(|head| head.len() - 1)
}

fn index_async(words: &[Word<'_>]) -> Vec<Edit> {
    let missing = |index: &usize| {
        words.get(index + 1).is_some_and(|next| !next.is("ASYNC") && !next.is("CONCURRENTLY"))
    };
    index(words)
        .filter(missing)
        .map(|index| words[index].insert_after(" ASYNC"))
        .into_iter()
        .collect()
}

fn index_concurrently(words: &[Word<'_>]) -> Vec<Edit> {
    let next = index(words).and_then(|index| words.get(index + 1));
    next.filter(|next| next.is("CONCURRENTLY"))
        .map(|next| next.replace("ASYNC"))
        .into_iter()
        .collect()
}

fn index_using(words: &[Word<'_>]) -> Vec<Edit> {
    if index(words).is_none() {
        return Vec::new();
    }
    let keys = words.iter().position(|word| word.is("(")).unwrap_or(words.len());
    let found = words[..keys].windows(2).find(|part| part[0].is("USING") && part[1].is("BTREE"));
    found.and_then(remove).into_iter().collect()
}

fn index_sort_direction(words: &[Word<'_>]) -> Vec<Edit> {
    if index(words).is_none() {
        return Vec::new();
    }
    let mut edits = Vec::new();
    // The first parentheses are those of the keys.
    for part in words.windows(2).skip_while(|part| !part[0].is("(")) {
        let (word, next) = (&part[0], &part[1]);
        let ends = next.is(",") || next.is(")") || next.is("NULLS");
        if word.depth == 1 && word.is("ASC") && ends {
            edits.extend(remove(&part[..1]));
        }
        if next.depth == 0 {
            break;
        }
    }
    edits
}

fn validate_constraint_async(words: &[Word<'_>]) -> Vec<Edit> {
    let validates = words.windows(2).any(|p| p[0].is("VALIDATE") && p[1].is("CONSTRAINT"));
    let alone = words.iter().all(|word| !(word.depth == 0 && word.is(",")));
    let plain = begins(words, &["ALTER", "TABLE"]) && !begins(words, &["ALTER", "TABLE", "ASYNC"]);
    if validates && alone && plain { vec![words[1].insert_after(" ASYNC")] } else { Vec::new() }
}

fn sequence_cache_missing(words: &[Word<'_>]) -> Vec<Edit> {
    let cached = words.iter().any(|word| word.is("CACHE"));
    match words.last() {
        Some(last) if begins(words, &["CREATE", "SEQUENCE"]) && !cached => {
            vec![last.insert_after(" CACHE 1")]
        }
        _ => Vec::new(),
    }
}

fn identity_cache_missing(words: &[Word<'_>]) -> Vec<Edit> {
    if !begins(words, &["CREATE", "TABLE"]) && !begins(words, &["ALTER", "TABLE"]) {
        return Vec::new();
    }
    let identity = |index: &usize| {
        *index >= 2
            && words[*index].is("IDENTITY")
            && words[index - 1].is("AS")
            && (words[index - 2].is("ALWAYS") || words[index - 2].is("DEFAULT"))
    };
    (0..words.len())
        .filter(identity)
        .filter_map(|index| {
            let options = &words[index + 1..];
            if !options.first().is_some_and(|next| next.is("(")) {
                return Some(words[index].insert_after(" (CACHE 1)"));
            }
            let depth = words[index].depth;
            let close = options.iter().position(|word| word.is(")") && word.depth == depth)?;
            let cached = options[..close].iter().any(|word| word.is("CACHE"));
            (!cached).then(|| {
                options[close - 1].insert_after(if close == 1 { "CACHE 1" } else { " CACHE 1" })
            })
        })
        .collect()
}

fn collation(words: &[Word<'_>]) -> Vec<Edit> {
    // Among the columns. Deeper, it belongs to an expression, where DSQL accepts it.
    let depth = match () {
        () if begins(words, &["CREATE", "TABLE"]) => 1,
        () if begins(words, &["ALTER", "TABLE"]) => 0,
        () => return Vec::new(),
    };
    let fixed = |word: &Word<'_>| word.is("\"C\"") || word.is("\"POSIX\"");
    let mut edits = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if word.depth != depth || !word.is("COLLATE") {
            continue;
        }
        let rest = &words[index + 1..];
        let length = match rest {
            [name, ..] if fixed(name) => 2,
            [schema, dot, name, ..] if schema.is("PG_CATALOG") && dot.is(".") && fixed(name) => 4,
            _ => continue,
        };
        edits.extend(remove(&words[index..index + length]));
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Class;
    use crate::sql::testing::{Random, noise};
    use crate::sql::{StatementKind, classify, lint};

    /// What is written, and what runs.
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
    fn statements_are_spelt_as_dsql_wants_them_and_keep_the_rest() {
        for (written, runs) in TABLE {
            assert_eq!(rewrite(written).as_deref(), Some(*runs));
            assert_eq!(rewrite(runs), None, "a second time changes nothing: {runs}");
            let plain = runs.replace("${schema}", "s");
            assert_eq!(lint(&[plain]), [[]], "{runs}");
        }
    }

    #[test]
    fn every_rewrite_satisfies_the_rule_that_it_is_for() {
        for rewrite in REWRITES {
            let satisfies = TABLE.iter().any(|(written, _)| {
                lint(&[written])[0].iter().any(|finding| finding.rule == rewrite.rule)
            });
            assert!(satisfies, "{}", rewrite.rule);
        }
    }

    #[test]
    fn what_would_become_something_else_is_left_alone() {
        for sql in [
            "CREATE TABLE t (id serial PRIMARY KEY)",
            "CREATE INDEX ASYNC i ON t (a DESC)",
            "CREATE INDEX ASYNC i ON t USING gin (a)",
            "CREATE INDEX ASYNC i ON t (a) WHERE b = 'x ASC, y'",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
            "ALTER TABLE t VALIDATE CONSTRAINT c, ADD COLUMN d int",
            "CREATE TABLE t (a text COLLATE \"de_DE\")",
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
    fn an_index_that_was_rewritten_is_run_as_one_that_builds_in_the_background() {
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
