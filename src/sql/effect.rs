//! Reads from a schema change what it changes in the catalog.
//!
//! Makes no decisions: it returns which facts a statement changes and what each fact is afterward.
//! A statement that is not recognized has an unknown effect, and a run then stops instead of
//! guessing. Does not check whether a statement is valid.

mod alter;
mod collisions;
mod create;
mod privileges;
mod whole;

use std::collections::HashSet;

pub use self::collisions::{Collision, UsedName, collisions};
pub use self::whole::{Whole, whole};
use super::cursor::Cursor;
use super::definition::{Alteration, Definition};
use super::tokens::{TokenBuf, Tokens, tokens};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};

/// What a statement changes. Either all of it takes effect or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The facts that it changes.
    pub asks: Vec<Ask>,
    /// Whether it can be repeated safely, whatever has happened in between: `GRANT`, `COMMENT`.
    pub repeatable: bool,
    /// The objects that it creates only if they do not exist.
    pub optional: Vec<FactSubject>,
}

/// An object that a statement creates under a name of its own, or moves to that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreatedObject<'a> {
    /// The object.
    pub object: &'a FactSubject,
    /// Its definition; `None` if its name is all that the statement defines.
    pub definition: Option<&'a Definition>,
    /// Whether the statement does nothing if the object exists (`IF NOT EXISTS`).
    pub is_optional: bool,
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
    /// A value that the text does not determine, possibly the same as before. It proves nothing.
    Anything,
    /// Exactly this text.
    Exactly(String),
    /// A list of words with this one.
    With(String),
    /// A list of words without this one, or absent.
    Without(String),
    /// The value that another fact had before: a renamed object.
    MovedFrom(Fact),
    /// The value that another fact has: an owner.
    SameAs(Fact),
    /// The identity of an object with this definition; of one of them, if the fact is a list.
    Defined(Box<Definition>),
    /// A list of identities that contains a new one, whose object has this definition: an object
    /// whose name the server chooses.
    Contains(Box<Definition>),
    /// The definition of an object in which these parts have changed.
    Altered(Vec<Alteration>),
    /// A list of privileges that contains these of each role, or none of them.
    Granted {
        /// The letters of the privileges in the catalog.
        letters: Vec<char>,
        /// The names of the roles; empty for `PUBLIC`.
        grantees: Vec<String>,
        /// Whether the roles have the privileges.
        granted: bool,
    },
    /// A list of the functions with one name, without the one that has arguments of these types.
    WithoutFunction(Vec<String>),
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

impl Becomes {
    fn defined(definition: Option<Definition>) -> Self {
        Self::Defined(Box::new(definition.unwrap_or(Definition::Unknown)))
    }

    /// Whether the value of the fact shows it; `None` if the value alone does not decide.
    #[must_use]
    pub fn is_shown_by(&self, found: Option<&str>) -> Option<bool> {
        let lists = |word: &str| found.is_some_and(|list| list.split(' ').any(|it| it == word));
        Some(match self {
            Self::Present => found.is_some(),
            Self::Absent => found.is_none(),
            Self::Exactly(text) => found == Some(text.as_str()),
            Self::With(word) => lists(word),
            Self::Without(word) => !lists(word),
            Self::Granted { letters, grantees, granted } => grantees.iter().all(|grantee| {
                let of_grantee = format!("{grantee}=");
                let mut items = found.unwrap_or_default().split(' ');
                let item = items.find_map(|item| item.strip_prefix(of_grantee.as_str()));
                let has = item.and_then(|item| item.split('/').next()).unwrap_or_default();
                letters.iter().all(|letter| has.contains(*letter) == *granted)
            }),
            Self::Anything
            | Self::MovedFrom(_)
            | Self::SameAs(_)
            | Self::Defined(_)
            | Self::Contains(_)
            | Self::Altered(_)
            | Self::WithoutFunction(_) => return None,
        })
    }
}

impl Effect {
    /// Whether neither the catalog nor a repetition can resolve an unknown outcome.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.asks.is_empty() && !self.repeatable
    }

    /// The objects that it creates. An object that it may replace is not one of them.
    pub fn created(&self) -> impl Iterator<Item = CreatedObject<'_>> {
        self.asks.iter().filter_map(|ask| {
            let Fact::Identity(object) = &ask.fact else { return None };
            let definition = match &ask.becomes {
                Becomes::Defined(definition) => Some(&**definition),
                Becomes::Present if !self.replaces(object) => None,
                // Several functions may have one name.
                Becomes::MovedFrom(from)
                    if *from != ask.fact && !matches!(object, FactSubject::Routine(_)) =>
                {
                    None
                }
                _ => return None,
            };
            let is_optional = self.optional.contains(object);
            Some(CreatedObject { object, definition, is_optional })
        })
    }

    fn replaces(&self, object: &FactSubject) -> bool {
        let replaced = Fact::Definition(object.clone());
        let is_defined = |ask: &Ask| matches!(ask.becomes, Becomes::Defined(_));
        self.asks.iter().any(|ask| ask.fact == replaced && is_defined(ask))
    }

    /// All facts to read from the catalog, before and after the statement.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        for ask in &self.asks {
            facts.push(ask.fact.clone());
            if let Becomes::MovedFrom(fact) | Becomes::SameAs(fact) = &ask.becomes {
                facts.push(fact.clone());
            }
        }
        facts.sort();
        facts.dedup();
        facts
    }

    /// The facts that identify what definitions refer to. Only a comparison of definitions needs
    /// them.
    #[must_use]
    pub fn context(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut relation = |name: &QualifiedName| {
            facts.push(Fact::Identity(FactSubject::Relation(name.clone())));
        };
        for ask in &self.asks {
            if let Becomes::Defined(definition) | Becomes::Contains(definition) = &ask.becomes {
                definition.relations().into_iter().for_each(&mut relation);
            }
            match &ask.fact {
                Fact::Identity(
                    FactSubject::Column(table, _) | FactSubject::Constraint(table, _),
                )
                | Fact::Definition(
                    FactSubject::Column(table, _) | FactSubject::Constraint(table, _),
                )
                | Fact::IndexIds(table)
                | Fact::ConstraintIds(table) => relation(table),
                _ => {}
            }
        }
        for ask in &self.asks {
            if let Fact::Definition(object) = &ask.fact {
                facts.push(Fact::Identity(object.clone()));
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

    fn optional(mut self, object: FactSubject, is_optional: bool) -> Self {
        if is_optional {
            self.optional.push(object);
        }
        self
    }

    fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable |= repeatable;
        self
    }

    /// Adds what an `ALTER` sets in an object; `None` if it cannot be compared. What the statement
    /// sets in a column that it adds belongs to the definition of the column.
    fn altered(mut self, object: FactSubject, altered: Option<Alteration>) -> Self {
        let created = Fact::Identity(object.clone());
        if let Some(ask) = self.asks.iter_mut().find(|ask| ask.fact == created) {
            if let Becomes::Defined(definition) = &mut ask.becomes {
                definition.alter(altered);
            }
            return self;
        }
        let fact = Fact::Definition(object);
        let known = self.asks.iter_mut().find(|ask| ask.fact == fact);
        match (known.map(|ask| &mut ask.becomes), altered) {
            (Some(Becomes::Altered(all)), Some(altered)) => all.push(altered),
            (Some(becomes), _) => *becomes = Becomes::Anything,
            (None, Some(altered)) => return self.ask(fact, Becomes::Altered(vec![altered])),
            (None, None) => return self.ask(fact, Becomes::Anything),
        }
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
    effect_of(TokenBuf::of(sql).all())
}

/// As [`effect`], from the tokens of the statement.
pub(super) fn effect_of(tokens: Tokens<'_>) -> Effect {
    read(&mut Cursor::new(tokens)).unwrap_or_default()
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
        let create::IndexNames { index, table, .. } = create::index_names(&mut cursor)?;
        return Some(JobTarget::Index { index, table, unique });
    }
    if !(cursor.eat("ALTER") && cursor.eat("TABLE") && cursor.eat_async()) {
        return None;
    }
    let table = alter::table_name(&mut cursor)?;
    if !(cursor.eat("VALIDATE") && cursor.eat("CONSTRAINT")) {
        return None;
    }
    Some(JobTarget::Constraint { table, constraint: cursor.identifier()? })
}

/// Returns the temporary table that a statement creates.
#[must_use]
pub fn temporary_table(sql: &str) -> Option<QualifiedName> {
    let statement = TokenBuf::of(sql);
    let mut cursor = Cursor::new(statement.all());
    if cursor.eat("CREATE") {
        return create::temporary_table(&mut cursor);
    }
    let is_stored = cursor.eat("SELECT") && cursor.skip_past(&["INTO"]);
    let is_temporary = is_stored && cursor.eat_any(&["TEMPORARY", "TEMP"]);
    cursor.eat("TABLE");
    if is_temporary { cursor.name() } else { None }
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

/// Whether a statement begins with these words, in any case and exactly with these blanks.
#[must_use]
pub fn begins_with(sql: &str, words: &str) -> bool {
    sql.get(..words.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(words))
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
    } else if cursor.eat("GRANT") {
        privileges::privileges(cursor, true)
    } else if cursor.eat("REVOKE") {
        privileges::privileges(cursor, false)
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
