//! The objects that migrations drop and that nothing creates again. Pure.

use crate::engine::expected::{Expectations, Expected, TemporaryTables};
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::migration::{Class, Migration, Origin, Statement};
use crate::sql::{self, Ask, Becomes, Effect};

/// An object that a migration drops or renames and that still exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillThere {
    /// The statement that drops it.
    pub origin: Origin,
    /// The object.
    pub object: FactSubject,
}

/// The objects that uncertain migrations drop and nothing creates again.
#[derive(Default)]
pub(super) struct DroppedObjects {
    objects: Vec<(FactSubject, Expected)>,
    temporary: TemporaryTables,
}

impl DroppedObjects {
    /// Removes what a migration creates again, and adds what it drops if it is uncertain.
    pub(super) fn add(&mut self, migration: &Migration, is_uncertain: bool) {
        for statement in migration.known_statements() {
            let effect = self.temporary.permanent(statement, sql::effect(&statement.text));
            self.remove_created(statement, &effect);
            if is_uncertain {
                self.objects.extend(dropped(statement, &effect));
            }
        }
        if migration.unknown_from.is_some() {
            self.objects.clear();
        }
    }

    /// Removes what a statement may create. The server derives the names of indexes and constraints
    /// from that of their table.
    fn remove_created(&mut self, statement: &Statement, effect: &Effect) {
        let is_row_change = matches!(statement.class, Class::Dml | Class::Batch);
        let drops =
            |ask: &Ask| matches!(ask.becomes, Becomes::Absent | Becomes::WithoutFunction(_));
        let only_drops = !effect.asks.is_empty() && effect.asks.iter().all(drops);
        if self.objects.is_empty() || is_row_change || only_drops {
            return;
        }
        let is = |word: &str| sql::begins_with(&statement.text, word);
        let mut names = sql::mentioned(&statement.text);
        if is("DO") {
            names.extend(words(&statement.text));
        }
        // Nothing is known of a procedure and of SQL that a block puts together.
        if is("CALL") || is("DO") && names.contains("execute") {
            return self.objects.clear();
        }
        self.objects.retain(|(object, _)| {
            let own = object.own_name();
            let is_derived = has_derived_name(object)
                && own.match_indices('_').any(|(at, _)| names.contains(&own[..at]));
            !is_derived && !names.contains(own)
        });
    }

    /// The objects that still exist.
    pub(super) fn still_there(self, facts: &Facts) -> Vec<StillThere> {
        let found = self.objects.into_iter().filter(|(_, expected)| expected.exists(facts));
        found.map(|(object, expected)| StillThere { origin: expected.origin, object }).collect()
    }
}

/// The words of a text, also of its literals, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.map(str::to_ascii_lowercase)
}

fn has_derived_name(object: &FactSubject) -> bool {
    matches!(object, FactSubject::Relation(_) | FactSubject::Constraint(..))
}

/// The objects that a statement drops or renames, each with how the catalog shows it.
pub(in crate::engine::adoption) fn dropped(
    statement: &Statement,
    effect: &Effect,
) -> Vec<(FactSubject, Expected)> {
    let is_created = |object: &FactSubject| {
        effect.asks.iter().any(|ask| match &ask.fact {
            Fact::Identity(created) => created == object && ask.becomes != Becomes::Absent,
            Fact::IndexIds(_) | Fact::ConstraintIds(_) => has_derived_name(object),
            _ => false,
        })
    };
    let objects = effect.asks.iter().filter_map(|ask| match (&ask.fact, &ask.becomes) {
        (Fact::Identity(object), Becomes::Absent) if !is_created(object) => Some(object),
        _ => None,
    });
    let expected = |object: &FactSubject| {
        let mut alone = Expectations::default();
        let ask = Ask { fact: Fact::Identity(object.clone()), becomes: Becomes::Present };
        alone.add_created(statement, Effect { asks: vec![ask], ..Effect::default() });
        Some((object.clone(), alone.0.pop()?))
    };
    objects.filter_map(expected).collect()
}
