//! What a schema change changes in the catalog, read from its words.
//!
//! Decides nothing: it says which facts a statement touches and what each is after it. Whatever
//! this file does not recognise has an unknown effect, which makes a run stop and ask rather than
//! guess. Nothing here judges whether a statement is valid.

mod alter;
mod create;
mod cursor;
mod privileges;
mod whole;

use std::collections::HashSet;

use self::cursor::Cursor;
pub use self::whole::{Whole, whole};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};

/// What a statement does, all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The facts that it touches.
    pub asks: Vec<Ask>,
    /// Whether a repetition changes nothing, whatever happened between: `GRANT`, `COMMENT`.
    pub repeatable: bool,
}

/// One fact, and what it is after the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The fact.
    pub fact: Fact,
    /// What it becomes.
    pub becomes: Becomes,
}

/// What a fact is after a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Becomes {
    /// There, whatever it says.
    Present,
    /// Not there.
    Absent,
    /// Something that cannot be told from the text, perhaps the same as before.
    Anything,
    /// This text.
    Exactly(String),
    /// What another fact was before: a renamed object.
    MovedFrom(Fact),
}

/// What an asynchronous statement builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobTarget {
    /// An index.
    Index {
        /// Its name; the server invents one where the statement gives none.
        index: Option<QualifiedName>,
        /// Its table.
        table: QualifiedName,
        /// Whether other statements can rely on its uniqueness.
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
    /// Whether neither the facts nor a repetition can tell or settle anything.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.asks.is_empty() && !self.repeatable
    }

    /// All facts to ask for, before and after.
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

    /// An object that goes from one name to another.
    fn moved(self, from: FactSubject, to: FactSubject) -> Self {
        let from = Fact::Identity(from);
        self.ask(Fact::Identity(to), Becomes::MovedFrom(from.clone())).ask(from, Becomes::Absent)
    }
}

/// Reads the effect of one statement.
#[must_use]
pub fn effect(sql: &str) -> Effect {
    read(&mut Cursor::new(sql)).unwrap_or_default()
}

/// Reads what an asynchronous statement builds.
#[must_use]
pub fn job_target(sql: &str) -> Option<JobTarget> {
    let mut cursor = Cursor::new(sql);
    if cursor.eat("create") {
        let unique = cursor.eat("unique");
        if !cursor.eat("index") {
            return None;
        }
        let (index, table) = create::index_and_table(&mut cursor)?;
        return Some(JobTarget::Index { index, table, unique });
    }
    if !(cursor.eat("alter") && cursor.eat("table") && cursor.eat("async")) {
        return None;
    }
    let table = alter::table_name(&mut cursor)?;
    if !(cursor.eat("validate") && cursor.eat("constraint")) {
        return None;
    }
    Some(JobTarget::Constraint { table, constraint: cursor.identifier()? })
}

/// Whether a statement names something as a word or a quoted identifier, anywhere.
#[must_use]
pub fn mentions(sql: &str, name: &str) -> bool {
    Cursor::new(sql).any_identifier(name)
}

/// All that a statement [`mentions`], for those who ask for many names.
#[must_use]
pub fn mentioned(sql: &str) -> HashSet<String> {
    Cursor::new(sql).identifiers().collect()
}

/// `None` is an effect that is not known.
fn read(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if cursor.eat("create") {
        create::create(cursor)
    } else if cursor.eat("drop") {
        create::drop(cursor)
    } else if cursor.eat("alter") {
        alter::alter(cursor)
    } else if cursor.eat("comment") {
        alter::comment(cursor)
    } else if cursor.eat("grant") || cursor.eat("revoke") {
        privileges::privileges(cursor)
    } else if cursor.eat("aws") {
        privileges::aws_iam(cursor)
    } else if cursor.eat("analyze") {
        Some(Effect::default().repeatable(true))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
