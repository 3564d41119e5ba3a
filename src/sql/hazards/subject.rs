//! What a hazard is about: the object and the grantee, as a statement writes them.

use std::ops::Range;

use super::objects::relation;
use crate::migration::fact::{FactSubject, QualifiedName};
use crate::migration::{HiddenValue, quoted_identifier};
use crate::sql::tokens::{StatementToken, Tokens, tokens};

/// The object that a statement creates, changes or drops, and the role that gets a privilege.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HazardSubject {
    /// The object.
    pub object: WrittenName,
    /// The role, of a statement that grants or revokes.
    pub grantee: WrittenName,
    /// The object as the catalog knows it; `None` if there is nothing to look up.
    pub entity: Option<FactSubject>,
    /// The table of an index.
    pub(super) table: Option<QualifiedName>,
}

/// The parts of a name in a statement, as ranges of bytes. Empty if the statement has no such name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenName(Vec<Range<usize>>);

/// A name as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownName {
    /// As the server writes it, for example `app."Users".email`. A value that must not be shown is
    /// the name of its variable: `${name}`.
    pub text: String,
    /// Whether it contains a value that must not be shown.
    pub is_hidden: bool,
}

impl HazardSubject {
    /// What concerns an object.
    pub(super) fn of(object: WrittenName) -> Self {
        Self { object, ..Self::default() }
    }

    /// What concerns the relation with which the tokens begin.
    pub(super) fn of_relation(tokens: Tokens<'_>) -> Self {
        Self { entity: relation(tokens), ..Self::of(WrittenName::first(tokens)) }
    }

    /// The table whose rows are concerned, or another relation.
    #[must_use]
    pub fn table(&self) -> Option<&QualifiedName> {
        let of_entity = || match self.entity.as_ref()? {
            FactSubject::Relation(name)
            | FactSubject::Column(name, _)
            | FactSubject::Constraint(name, _) => Some(name),
            _ => None,
        };
        self.table.as_ref().or_else(of_entity)
    }
}

impl WrittenName {
    /// Reads the name with which the tokens begin.
    pub(super) fn first(tokens: Tokens<'_>) -> Self {
        let mut parts = Vec::new();
        let mut rest = tokens;
        while let Some(part) = rest.first().filter(|part| part.written_identifier().is_some()) {
            parts.push(part.start..part.end());
            match rest.skip(1).after(&["."]) {
                Some(next) => rest = next,
                None => break,
            }
        }
        Self(parts)
    }

    /// Its place in the statement, if it has one part.
    pub(super) fn range(&self) -> Option<Range<usize>> {
        let [part] = &self.0[..] else { return None };
        Some(part.clone())
    }

    /// Reads a whole token, which may be a string.
    pub(super) fn token(token: &StatementToken<'_>) -> Self {
        Self(std::iter::once(token.start..token.end()).collect())
    }

    /// Adds the name of a column or a constraint to that of its table.
    pub(super) fn with(&self, part: Self) -> Self {
        Self(self.0.iter().cloned().chain(part.0).collect())
    }

    /// The name as it may be shown; `None` if there is none. `sql` is the statement.
    #[must_use]
    pub fn shown(&self, sql: &str, hidden: &[HiddenValue]) -> Option<ShownName> {
        let mut is_hidden = false;
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|part| {
                let values: Vec<_> = hidden.iter().filter(|value| value.overlaps(part)).collect();
                is_hidden |= !values.is_empty();
                if values.is_empty() {
                    server_form(&sql[part.clone()])
                } else {
                    masked(sql, part, &values)
                }
            })
            .collect();
        (!parts.is_empty()).then(|| ShownName { text: parts.join("."), is_hidden })
    }
}

/// An identifier as the server writes it, and another token as it is.
fn server_form(text: &str) -> String {
    let identifier = tokens(text).next().and_then(|token| token.identifier());
    identifier.map_or_else(|| text.to_owned(), |name| quoted_identifier(&name))
}

/// A part of a statement with the names of variables in place of their values.
fn masked(sql: &str, part: &Range<usize>, values: &[&HiddenValue]) -> String {
    let (mut text, mut at) = (String::new(), part.start);
    for value in values {
        text.push_str(&sql[at..value.range.start.max(at)]);
        text.push_str(&value.written);
        at = value.range.end.clamp(at, part.end);
    }
    text.push_str(&sql[at..part.end]);
    text
}
