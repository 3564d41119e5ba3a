//! One statement with what a rule needs to know of those around it.

use std::collections::{BTreeMap, BTreeSet};

/// Statements that run one after the other.
pub(super) struct Run {
    /// Tables that were created and not dropped, and so have only the rows of this run.
    created: BTreeSet<String>,
    /// Names of constraints, each with the place of the last statement that validates it.
    validated: BTreeMap<String, usize>,
    index: usize,
}

/// A statement for the rules.
pub(super) struct Scene<'a> {
    pub(super) words: Vec<&'a str>,
    run: &'a Run,
}

impl Run {
    /// For statements of these words.
    pub(super) fn new(statements: impl Iterator<Item = Vec<String>>) -> Self {
        let mut validated = BTreeMap::new();
        for (index, words) in statements.enumerate() {
            for part in words.windows(3) {
                if part[0] == "VALIDATE" && part[1] == "CONSTRAINT" {
                    validated.insert(identifier(&part[2]), index);
                }
            }
        }
        Self { created: BTreeSet::new(), validated, index: 0 }
    }

    /// The statement that is next.
    pub(super) fn scene<'a>(&'a self, words: &'a [String]) -> Scene<'a> {
        Scene { words: words.iter().map(String::as_str).collect(), run: self }
    }

    /// Goes on behind it.
    pub(super) fn pass(&mut self, words: &[String]) {
        // The name of a table stands among the first words.
        let head: Vec<&str> = words.iter().take(8).map(String::as_str).collect();
        match head.as_slice() {
            // With IF NOT EXISTS the table may be an old one with rows.
            ["CREATE", "TABLE", rest @ ..] if !rest.starts_with(&["IF"]) => {
                self.created.extend(name(rest));
            }
            ["DROP", "TABLE", rest @ ..] => {
                if let Some(name) = name(without(rest, &["IF", "EXISTS"])) {
                    self.created.remove(&name);
                }
            }
            _ => {}
        }
        self.index += 1;
    }
}

impl Scene<'_> {
    /// Whether the statement begins with these words.
    pub(super) fn begins(&self, words: &[&str]) -> bool {
        self.words.starts_with(words)
    }

    /// Whether these words stand next to each other.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.words.windows(words.len()).any(|part| part == words)
    }

    /// Whether a table that is named by the next words may have rows from before this run.
    pub(super) fn may_have_rows(&self, rest: &[&str]) -> bool {
        let rest = without(without(rest, &["IF", "EXISTS"]), &["ONLY"]);
        name(rest).is_none_or(|name| !self.run.created.contains(&name))
    }

    /// The words after `ON` that name the table of `CREATE INDEX`, and whether it is unique.
    pub(super) fn index(&self) -> Option<(bool, &[&str])> {
        let (unique, rest) = match self.words.as_slice() {
            ["CREATE", "INDEX", rest @ ..] => (false, rest),
            ["CREATE", "UNIQUE", "INDEX", rest @ ..] => (true, rest),
            _ => return None,
        };
        let on = rest.iter().position(|word| *word == "ON")?;
        Some((unique, &rest[on + 1..]))
    }

    /// What `ALTER TABLE` does: the words of its table, and those of each action.
    pub(super) fn alter_table(&self) -> Option<(&[&str], Vec<&[&str]>)> {
        let rest = self.words.strip_prefix(&["ALTER", "TABLE"])?;
        let rest = without(without(without(rest, &["ASYNC"]), &["IF", "EXISTS"]), &["ONLY"]);
        let length = if rest.get(1) == Some(&".") { 3 } else { 1 };
        let (table, actions) = rest.split_at_checked(length)?;
        Some((table, outermost(actions, ",")))
    }

    /// Whether a later statement validates this constraint.
    pub(super) fn is_validated_later(&self, constraint: &str) -> bool {
        self.run.validated.get(&identifier(constraint)).is_some_and(|index| *index > self.run.index)
    }
}

/// The parts between separators that stand in no parenthesis.
pub(super) fn outermost<'a, 'w>(words: &'a [&'w str], separator: &str) -> Vec<&'a [&'w str]> {
    let mut depth = 0_usize;
    words
        .split(|word| {
            match *word {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *word == separator
        })
        .collect()
}

/// What follows these words, if they stand there.
pub(super) fn without<'a, 'w>(words: &'a [&'w str], first: &[&str]) -> &'a [&'w str] {
    if words.starts_with(first) { &words[first.len()..] } else { words }
}

/// The name that the words begin with; the schema `public`, where most tables are, is left out.
fn name(words: &[&str]) -> Option<String> {
    let name = match words {
        [schema, ".", name, ..] => match identifier(schema) {
            schema if schema == "public" => identifier(name),
            schema => format!("{schema}.{}", identifier(name)),
        },
        [name, ..] => identifier(name),
        [] => return None,
    };
    Some(name)
}

/// A name as the server folds it.
fn identifier(word: &str) -> String {
    match word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_ascii_lowercase(),
    }
}
