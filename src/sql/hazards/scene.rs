//! One statement together with what a rule needs to know about the statements around it.

use std::collections::BTreeMap;

use super::Surroundings;
use super::keys::Keys;
use super::objects::{entity, plain, qualified_name, relation};
use super::subject::{HazardSubject, WrittenName};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::effect::{Becomes, Effect};
use crate::sql::tokens::{StatementToken, TokenBuf, Tokens};

/// Statements that run one after the other.
pub(super) struct StatementSequence<'k> {
    surroundings: Surroundings<'k>,
    /// The objects that earlier statements have created, moved or dropped.
    objects: BTreeMap<FactSubject, Became>,
    /// The file that has created an object of the sequence.
    created_by: BTreeMap<FactSubject, &'k str>,
    /// The keys that earlier statements have defined.
    keys: Keys,
    /// Names of constraints, each with the index of the last statement that validates it.
    validated: BTreeMap<String, usize>,
    /// The statement that the next scene is for.
    index: usize,
}

/// What earlier statements of a sequence have made of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    /// Created: nothing in it is from before the sequence.
    New,
    /// It had another name before the sequence.
    Moved,
    Dropped,
}

/// A statement as the rules see it.
pub(super) struct Scene<'a> {
    pub(super) tokens: Tokens<'a>,
    /// What the statement changes.
    pub(super) effect: &'a Effect,
    sequence: &'a StatementSequence<'a>,
    file: &'a str,
}

impl<'k> StatementSequence<'k> {
    /// Reads all statements once.
    pub(super) fn new<'a>(
        statements: impl Iterator<Item = TokenBuf<'a>>,
        surroundings: Surroundings<'k>,
    ) -> Self {
        let mut validated = BTreeMap::new();
        for (index, statement) in statements.enumerate() {
            let constraints = statement.all().after_each(&["VALIDATE", "CONSTRAINT"]);
            for constraint in constraints.filter_map(Tokens::first) {
                validated.insert(identifier(constraint), index);
            }
        }
        let keys = surroundings.keys.clone();
        let (objects, created_by) = Default::default();
        Self { surroundings, objects, created_by, keys, validated, index: 0 }
    }

    /// Returns the scene of the next statement of a file.
    pub(super) fn scene<'a>(
        &'a self,
        tokens: Tokens<'a>,
        effect: &'a Effect,
        file: &'a str,
    ) -> Scene<'a> {
        Scene { tokens, effect, sequence: self, file }
    }

    /// Moves past the statement.
    pub(super) fn advance(&mut self, effect: &Effect, file: &'k str) {
        for ask in &effect.asks {
            let Fact::Identity(object) = &ask.fact else { continue };
            let key = plain_object(object);
            match &ask.becomes {
                Becomes::MovedFrom(Fact::Identity(from)) => {
                    let from = plain_object(from);
                    let is_new = self.objects.get(&from) == Some(&Became::New);
                    let became = if is_new { Became::New } else { Became::Moved };
                    if let Some(file) = self.created_by.remove(&from) {
                        self.created_by.insert(key.clone(), file);
                    }
                    self.objects.insert(key, became);
                }
                Becomes::Absent => {
                    self.created_by.remove(&key);
                    self.objects.insert(key, Became::Dropped);
                }
                Becomes::Defined(_) | Becomes::Present => {
                    self.created_by.insert(key.clone(), file);
                    let is_created = effect.created().any(|created| created.object == object);
                    let is_kept =
                        effect.optional.contains(object) && self.exists(object) != Some(false);
                    if is_created && !is_kept {
                        self.objects.insert(key, Became::New);
                    }
                }
                _ => {}
            }
        }
        self.keys.learn(effect);
        self.index += 1;
    }

    /// Whether an object exists at this point; `None` if that is not known.
    fn exists(&self, object: &FactSubject) -> Option<bool> {
        match self.became(object) {
            Some(Became::New | Became::Moved) => Some(true),
            Some(Became::Dropped) => Some(false),
            // It may have the name only because its table or its schema was moved.
            None if self.is_in_moved(object) => None,
            None => self.surroundings.catalog.and_then(|catalog| catalog.exists(object)),
        }
    }

    /// Whether there may be such an object with something in it from before the sequence.
    fn may_lose(&self, object: &FactSubject) -> bool {
        let part_of_new = |table: &QualifiedName| {
            self.became(&FactSubject::Relation(table.clone())) == Some(Became::New)
        };
        match object {
            FactSubject::Column(table, _) | FactSubject::Constraint(table, _)
                if part_of_new(table) =>
            {
                false
            }
            _ => match self.became(object) {
                Some(Became::New | Became::Dropped) => false,
                Some(Became::Moved) => true,
                None => self.exists(object) != Some(false),
            },
        }
    }

    fn became(&self, object: &FactSubject) -> Option<Became> {
        self.objects.get(&plain_object(object)).copied()
    }

    fn is_in_moved(&self, object: &FactSubject) -> bool {
        let is_moved = |container| self.became(&container) == Some(Became::Moved);
        let schema = object.qualified_name().and_then(|name| name.schema.clone());
        let table = match object {
            FactSubject::Column(table, _) | FactSubject::Constraint(table, _) => Some(table),
            _ => None,
        };
        schema.map(FactSubject::Schema).is_some_and(is_moved)
            || table.is_some_and(|table| is_moved(FactSubject::Relation(table.clone())))
    }
}

impl<'a> Scene<'a> {
    /// Whether the statement begins with these words.
    pub(super) fn begins(&self, words: &[&str]) -> bool {
        self.tokens.begins(words)
    }

    /// Whether the run waits for the job of the statement.
    pub(super) fn is_awaited(&self) -> bool {
        self.sequence.surroundings.awaits_jobs
    }

    /// Whether these words occur next to each other in the statement.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.tokens.has(words)
    }

    /// Whether the table that these tokens name may have rows from before the sequence.
    pub(super) fn may_have_rows(&self, table: Tokens<'_>) -> bool {
        let table = table.after_optional(&["IF", "EXISTS"]).after_optional(&["ONLY"]);
        relation(table).is_none_or(|table| self.sequence.may_lose(&table))
    }

    /// Whether an object may hold something from before the sequence.
    pub(super) fn may_lose(&self, subject: &HazardSubject) -> bool {
        subject.entity.as_ref().is_none_or(|entity| self.sequence.may_lose(entity))
    }

    /// Whether an object may exist when the statement runs.
    pub(super) fn may_exist(&self, entity: &FactSubject) -> bool {
        self.sequence.exists(entity) != Some(false)
    }

    /// Whether an earlier statement of the same file has created the object.
    pub(super) fn is_of_same_file(&self, entity: &FactSubject) -> bool {
        self.sequence.created_by.get(&plain_object(entity)) == Some(&self.file)
    }

    /// Whether one of the keys of a table fulfills a condition. The catalog knows them all.
    pub(super) fn has_key(
        &self,
        table: &QualifiedName,
        is_found: impl Fn(&[String]) -> bool,
    ) -> bool {
        let catalog = self.sequence.surroundings.catalog;
        match catalog.and_then(|catalog| catalog.table(table)) {
            Some(table) if table.keys.iter().any(|key| is_found(key)) => true,
            _ => self.sequence.keys.of(table).any(is_found),
        }
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
        let found = actions.into_iter().filter(is_found);
        found.map(|action| action_subject(table, action)).collect()
    }

    /// The same, without what holds nothing from before the sequence.
    pub(super) fn lost_actions(
        &self,
        is_found: impl Fn(&Tokens<'_>) -> bool,
    ) -> Vec<HazardSubject> {
        let has_rows = self.alter_table().is_some_and(|(table, _)| self.may_have_rows(table));
        let mut found = self.actions(|action| has_rows && is_found(action));
        found.retain(|subject| self.may_lose(subject));
        found
    }

    /// The objects of `DROP` that fulfill a condition.
    pub(super) fn dropped(&self, is_found: impl Fn(Tokens<'a>) -> bool) -> Vec<HazardSubject> {
        let Some(rest) = self.tokens.after(&["DROP"]) else { return Vec::new() };
        let names = rest.skip(1).after_optional(&["IF", "EXISTS"]).items();
        let found = names.into_iter().filter(|name| is_found(*name));
        let subject = |name| HazardSubject {
            entity: rest.first().and_then(|kind| entity(kind.text, name)),
            ..HazardSubject::of(WrittenName::first(name))
        };
        found.map(subject).collect()
    }

    /// The same, without objects that hold nothing from before the sequence.
    pub(super) fn lost(&self, is_found: impl Fn(Tokens<'a>) -> bool) -> Vec<HazardSubject> {
        let mut dropped = self.dropped(is_found);
        dropped.retain(|subject| self.may_lose(subject));
        dropped
    }

    /// The objects of `DROP` of one kind that may hold something.
    pub(super) fn lost_kind(&self, kind: &str) -> Vec<HazardSubject> {
        let is_kind = self.begins(&["DROP", kind]);
        self.lost(|_| is_kind)
    }

    /// What the job of the statement builds: an index, or its table if it has no name, or a
    /// constraint. Empty if the statement starts no job.
    pub(super) fn job_subjects(&self) -> Vec<HazardSubject> {
        let Some((_, table)) = self.index() else {
            return self.actions(|action| action.begins(&["VALIDATE", "CONSTRAINT"]));
        };
        let table = table.after_optional(&["ONLY"]);
        let index = self.tokens.after_each(&["INDEX"]).next().map(|rest| {
            let rest = rest.after_optional(&["ASYNC"]).after_optional(&["CONCURRENTLY"]);
            rest.after_optional(&["IF", "NOT", "EXISTS"])
        });
        let table_name = qualified_name(table);
        let Some(index) = index.filter(|name| !name.begins(&["ON"])) else {
            return vec![HazardSubject::of_relation(table)];
        };
        // An index is in the schema of its table.
        let name = index.first().and_then(StatementToken::identifier);
        let entity = table_name.as_ref().zip(name);
        vec![HazardSubject {
            entity: entity.map(|(table, name)| FactSubject::Relation(table.sibling(name))),
            table: table_name,
            ..HazardSubject::of(WrittenName::first(index))
        }]
    }

    /// Whether a later statement validates this constraint.
    pub(super) fn is_validated_later(&self, constraint: &StatementToken<'_>) -> bool {
        let last = self.sequence.validated.get(&identifier(constraint));
        last.is_some_and(|index| *index > self.sequence.index)
    }
}

/// What an action of `ALTER TABLE` is about.
fn action_subject(table: Tokens<'_>, action: Tokens<'_>) -> HazardSubject {
    let rest = action.skip(1);
    let is_move = action.begins(&["SET"]) || action.begins(&["RENAME", "TO"]);
    let constraint = rest.after(&["CONSTRAINT"]);
    let is_unnamed = constraint.is_none()
        && rest
            .first()
            .is_some_and(|word| word.is_any(&["CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE"]));
    let name = constraint.unwrap_or(rest.after_optional(&["COLUMN"]));
    let name = name.after_optional(&["IF", "EXISTS"]).after_optional(&["IF", "NOT", "EXISTS"]);
    let Some(part) = name.first().filter(|_| !is_move && !is_unnamed) else {
        return HazardSubject::of_relation(table);
    };
    let kind = match constraint {
        Some(_) => FactSubject::Constraint,
        None => FactSubject::Column,
    };
    HazardSubject {
        entity: qualified_name(table).zip(part.identifier()).map(|(table, it)| kind(table, it)),
        ..HazardSubject::of(WrittenName::first(table).with(WrittenName::token(part)))
    }
}

fn plain_object(object: &FactSubject) -> FactSubject {
    match object {
        FactSubject::Relation(name) => FactSubject::Relation(plain(name)),
        FactSubject::Domain(name) => FactSubject::Domain(plain(name)),
        FactSubject::Routine(name) => FactSubject::Routine(plain(name)),
        FactSubject::Column(table, name) => FactSubject::Column(plain(table), name.clone()),
        FactSubject::Constraint(table, name) => FactSubject::Constraint(plain(table), name.clone()),
        FactSubject::Schema(_) | FactSubject::Role(_) => object.clone(),
    }
}

/// An identifier, or the text of a token that is read as none.
fn identifier(token: &StatementToken<'_>) -> String {
    token.identifier().unwrap_or_else(|| token.text.to_owned())
}
