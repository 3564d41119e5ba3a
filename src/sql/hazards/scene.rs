//! One statement together with what a rule needs to know about the statements around it.

use std::collections::{BTreeMap, BTreeSet};

use super::subject::{HazardSubject, WrittenName};
use crate::sql::tokens::{StatementToken, TokenBuf, Tokens};

/// Statements that run one after the other.
pub(super) struct StatementSequence {
    /// Tables that were created and not dropped, so all their rows come from this sequence.
    created: BTreeSet<String>,
    /// Names of constraints, each with the index of the last statement that validates it.
    validated: BTreeMap<String, usize>,
    /// Whether the run waits for its jobs.
    awaits_jobs: bool,
    /// The statement that the next scene is for.
    index: usize,
}

/// A statement as the rules see it.
pub(super) struct Scene<'a> {
    pub(super) tokens: Tokens<'a>,
    sequence: &'a StatementSequence,
}

impl StatementSequence {
    /// Reads all statements once.
    pub(super) fn new<'a>(
        statements: impl Iterator<Item = TokenBuf<'a>>,
        awaits_jobs: bool,
    ) -> Self {
        let mut validated = BTreeMap::new();
        for (index, statement) in statements.enumerate() {
            let constraints = statement.all().after_each(&["VALIDATE", "CONSTRAINT"]);
            for constraint in constraints.filter_map(Tokens::first) {
                validated.insert(identifier(constraint), index);
            }
        }
        Self { created: BTreeSet::new(), validated, awaits_jobs, index: 0 }
    }

    /// Returns the scene of the next statement.
    pub(super) fn scene<'a>(&'a self, tokens: Tokens<'a>) -> Scene<'a> {
        Scene { tokens, sequence: self }
    }

    /// Moves past the statement.
    pub(super) fn advance(&mut self, tokens: Tokens<'_>) {
        if let Some(rest) = tokens.after(&["CREATE", "TABLE"]) {
            // With IF NOT EXISTS it may be an existing table with rows.
            if !rest.begins(&["IF"]) {
                self.created.extend(table_name(rest));
            }
        } else if let Some(rest) = tokens.after(&["DROP", "TABLE"])
            && let Some(name) = table_name(rest.after_optional(&["IF", "EXISTS"]))
        {
            self.created.remove(&name);
        }
        self.index += 1;
    }
}

impl<'a> Scene<'a> {
    /// Whether the statement begins with these words.
    pub(super) fn begins(&self, words: &[&str]) -> bool {
        self.tokens.begins(words)
    }

    /// Whether the run waits for the job of the statement.
    pub(super) fn is_awaited(&self) -> bool {
        self.sequence.awaits_jobs
    }

    /// Whether these words occur next to each other in the statement.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.tokens.has(words)
    }

    /// Whether the table that these tokens name may have rows from before the sequence.
    pub(super) fn may_have_rows(&self, table: Tokens<'_>) -> bool {
        let table = table.after_optional(&["IF", "EXISTS"]).after_optional(&["ONLY"]);
        table_name(table).is_none_or(|name| !self.sequence.created.contains(&name))
    }

    /// Whether the index of `CREATE INDEX` is unique, and the tokens that begin with its table.
    pub(super) fn index(&self) -> Option<(bool, Tokens<'a>)> {
        let created = self.tokens.after(&["CREATE"])?;
        let index = created.after_optional(&["UNIQUE"]).after(&["INDEX"])?;
        let table = index.after_each(&["ON"]).next()?;
        Some((created.begins(&["UNIQUE"]), table))
    }

    /// The name of the table of `ALTER TABLE`, and its actions.
    pub(super) fn alter_table(&self) -> Option<(Tokens<'a>, Vec<Tokens<'a>>)> {
        let rest = self.tokens.after(&["ALTER", "TABLE"])?;
        let rest = if rest.begins_async_validation() { rest.skip(1) } else { rest };
        let rest = rest.after_optional(&["IF", "EXISTS"]).after_optional(&["ONLY"]);
        let is_qualified = rest.skip(1).begins(&["."]);
        let (table, actions) = rest.split_at(if is_qualified { 3 } else { 1 });
        (!table.is_empty()).then(|| (table, actions.items()))
    }

    /// What the actions of `ALTER TABLE` that fulfill a condition are about: a column or a
    /// constraint, or else the table.
    pub(super) fn actions(&self, is_found: impl Fn(&Tokens<'_>) -> bool) -> Vec<HazardSubject> {
        let Some((table, actions)) = self.alter_table() else { return Vec::new() };
        let table = WrittenName::first(table);
        let found = actions.into_iter().filter(is_found);
        found.map(|action| HazardSubject::of(table.with(part_of_table(action)))).collect()
    }

    /// The same, if the table may have rows from before the sequence.
    pub(super) fn actions_with_rows(
        &self,
        is_found: impl Fn(&Tokens<'_>) -> bool,
    ) -> Vec<HazardSubject> {
        let has_rows = self.alter_table().is_some_and(|(table, _)| self.may_have_rows(table));
        self.actions(|action| has_rows && is_found(action))
    }

    /// The objects of `DROP` that fulfill a condition.
    pub(super) fn dropped(&self, is_found: impl Fn(Tokens<'a>) -> bool) -> Vec<HazardSubject> {
        let Some(rest) = self.tokens.after(&["DROP"]) else { return Vec::new() };
        let names = rest.skip(1).after_optional(&["IF", "EXISTS"]).items();
        let found = names.into_iter().filter(|name| is_found(*name));
        found.map(|name| HazardSubject::of(WrittenName::first(name))).collect()
    }

    /// The objects of `DROP` of one kind.
    pub(super) fn dropped_kind(&self, kind: &str) -> Vec<HazardSubject> {
        let is_kind = self.begins(&["DROP", kind]);
        self.dropped(|_| is_kind)
    }

    /// What the job of the statement builds: an index, or its table if it has no name, or a
    /// constraint. Empty if the statement starts no job.
    pub(super) fn job_subjects(&self) -> Vec<HazardSubject> {
        let Some((_, table)) = self.index() else {
            return self.actions(|action| action.begins(&["VALIDATE", "CONSTRAINT"]));
        };
        let index = self.tokens.after_each(&["INDEX"]).next().map(|rest| {
            let rest = rest.after_optional(&["ASYNC"]).after_optional(&["CONCURRENTLY"]);
            rest.after_optional(&["IF", "NOT", "EXISTS"])
        });
        let named = index.filter(|name| !name.begins(&["ON"]));
        let object = named.unwrap_or(table.after_optional(&["ONLY"]));
        vec![HazardSubject::of(WrittenName::first(object))]
    }

    /// Whether a later statement validates this constraint.
    pub(super) fn is_validated_later(&self, constraint: &StatementToken<'_>) -> bool {
        let last = self.sequence.validated.get(&identifier(constraint));
        last.is_some_and(|index| *index > self.sequence.index)
    }
}

/// The column or the constraint that an action of `ALTER TABLE` is about.
fn part_of_table(action: Tokens<'_>) -> WrittenName {
    let rest = action.skip(1);
    let is_move = action.begins(&["SET"]) || action.begins(&["RENAME", "TO"]);
    let constraint = rest.after(&["CONSTRAINT"]);
    let is_unnamed = constraint.is_none()
        && rest
            .first()
            .is_some_and(|word| word.is_any(&["CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE"]));
    if is_move || is_unnamed {
        return WrittenName::default();
    }
    let name = constraint.unwrap_or(rest.after_optional(&["COLUMN"]));
    let name = name.after_optional(&["IF", "EXISTS"]).after_optional(&["IF", "NOT", "EXISTS"]);
    name.first().map(WrittenName::token).unwrap_or_default()
}

/// The name that the tokens begin with. The schema `public`, where most tables are, is left out.
fn table_name(tokens: Tokens<'_>) -> Option<String> {
    let first = identifier(tokens.first()?);
    match tokens.skip(1).after(&["."]).and_then(Tokens::first).map(identifier) {
        Some(name) if first == "public" => Some(name),
        Some(name) => Some(format!("{first}.{name}")),
        None => Some(first),
    }
}

/// An identifier, or the text of a token that is read as none.
fn identifier(token: &StatementToken<'_>) -> String {
    token.identifier().unwrap_or_else(|| token.text.to_owned())
}
