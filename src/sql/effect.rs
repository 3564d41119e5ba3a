//! Reads from a schema change what it changes in the catalog.
//!
//! Makes no decisions: it returns which facts a statement changes and what each fact is afterward.
//! A statement that is not recognized has an unknown effect, and a run then stops instead of
//! guessing. Does not check whether a statement is valid.

mod alter;
mod collisions;
mod create;
mod cursor;
mod privileges;
mod whole;

use std::collections::HashSet;

pub use self::collisions::{Collision, UsedName, collisions};
use self::cursor::Cursor;
pub use self::whole::{Whole, whole};
use super::tokens::{TokenBuf, tokens};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};

/// What a statement changes. Either all of it takes effect or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The facts that it changes.
    pub asks: Vec<Ask>,
    /// Whether it can be repeated safely, whatever has happened in between: `GRANT`, `COMMENT`.
    pub repeatable: bool,
}

/// A fact to read from the catalog, and what it is after the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The fact.
    pub fact: Fact,
    /// What it is after the statement.
    pub becomes: Becomes,
}

/// What a fact is after a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Becomes {
    /// Present, with any value.
    Present,
    /// Absent.
    Absent,
    /// A value that the text does not determine, possibly the same as before.
    Anything,
    /// Exactly this text.
    Exactly(String),
    /// The value that another fact had before: a renamed object.
    MovedFrom(Fact),
}

/// What an asynchronous statement builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobTarget {
    /// An index.
    Index {
        /// Its name. `None` if the server chooses one.
        index: Option<QualifiedName>,
        /// Its table.
        table: QualifiedName,
        /// Whether it is unique, so that other statements may rely on it.
        unique: bool,
    },
    /// The validity of a constraint.
    Constraint {
        /// Its table.
        table: QualifiedName,
        /// Its name.
        constraint: String,
    },
}

impl Effect {
    /// Whether neither the catalog nor a repetition can resolve an unknown outcome.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.asks.is_empty() && !self.repeatable
    }

    /// All facts to read from the catalog, before and after the statement.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        for ask in &self.asks {
            facts.push(ask.fact.clone());
            if let Becomes::MovedFrom(fact) = &ask.becomes {
                facts.push(fact.clone());
            }
        }
        facts.sort();
        facts.dedup();
        facts
    }

    fn ask(mut self, fact: Fact, becomes: Becomes) -> Self {
        self.asks.push(Ask { fact, becomes });
        self
    }

    fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable |= repeatable;
        self
    }

    /// Adds the move of an object from one name to another.
    fn moved(self, from: FactSubject, to: FactSubject) -> Self {
        let from = Fact::Identity(from);
        self.ask(Fact::Identity(to), Becomes::MovedFrom(from.clone())).ask(from, Becomes::Absent)
    }
}

/// Reads the effect of one statement.
#[must_use]
pub fn effect(sql: &str) -> Effect {
    let statement = TokenBuf::of(sql);
    read(&mut Cursor::new(statement.all())).unwrap_or_default()
}

/// Reads what an asynchronous statement builds.
#[must_use]
pub fn job_target(sql: &str) -> Option<JobTarget> {
    let statement = TokenBuf::of(sql);
    let mut cursor = Cursor::new(statement.all());
    if cursor.eat("CREATE") {
        let unique = cursor.eat("UNIQUE");
        if !cursor.eat("INDEX") {
            return None;
        }
        let (index, table) = create::index_and_table(&mut cursor)?;
        return Some(JobTarget::Index { index, table, unique });
    }
    if !(cursor.eat("ALTER") && cursor.eat("TABLE") && cursor.eat("ASYNC")) {
        return None;
    }
    let table = alter::table_name(&mut cursor)?;
    if !(cursor.eat("VALIDATE") && cursor.eat("CONSTRAINT")) {
        return None;
    }
    Some(JobTarget::Constraint { table, constraint: cursor.identifier()? })
}

/// Whether a statement contains a name anywhere, as a word or as a quoted identifier.
#[must_use]
pub fn mentions(sql: &str, name: &str) -> bool {
    identifiers(sql).any(|found| found == name)
}

/// Returns all names that a statement [`mentions`], for callers that look for many.
#[must_use]
pub fn mentioned(sql: &str) -> HashSet<String> {
    identifiers(sql).collect()
}

/// All identifiers of a statement, keywords among them.
fn identifiers(sql: &str) -> impl Iterator<Item = String> {
    tokens(sql).filter_map(|token| token.identifier())
}

/// Reads an effect. `None` if it is unknown.
fn read(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if cursor.eat("CREATE") {
        create::create(cursor)
    } else if cursor.eat("DROP") {
        create::drop(cursor)
    } else if cursor.eat("ALTER") {
        alter::alter(cursor)
    } else if cursor.eat("COMMENT") {
        alter::comment(cursor)
    } else if cursor.eat_any(&["GRANT", "REVOKE"]) {
        privileges::privileges(cursor)
    } else if cursor.eat("AWS") {
        privileges::aws_iam(cursor)
    } else if cursor.eat("ANALYZE") {
        Some(Effect::default().repeatable(true))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
