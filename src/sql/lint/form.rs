//! A form of statements that a row of a table is about.

use crate::sql::tokens::{StatementToken, Tokens};

/// Words between `CREATE` and the kind of an object.
const MODIFIERS: &[&str] = &[
    "OR",
    "REPLACE",
    "TEMP",
    "TEMPORARY",
    "GLOBAL",
    "LOCAL",
    "UNLOGGED",
    "CONSTRAINT",
    "TRUSTED",
    "PROCEDURAL",
];

/// Keywords by which statements are recognized. All parts have to match.
pub(super) struct StatementForm {
    begins: &'static [&'static str],
    /// A word that follows them, or `OR REPLACE` and other words about the object. Empty if it does
    /// not matter.
    kind: &'static str,
    /// Words that occur next to each other anywhere in it. Empty if it does not matter.
    has: &'static [&'static str],
    /// A word that occurs outside parentheses. Empty if it does not matter.
    has_outermost: &'static str,
    /// Words that occur nowhere in it.
    lacks: &'static [&'static str],
}

/// The form of statements that begin with these words.
pub(super) const fn beginning(begins: &'static [&'static str]) -> StatementForm {
    StatementForm { begins, kind: "", has: &[], has_outermost: "", lacks: &[] }
}

impl StatementForm {
    /// The form whose first words are followed by this word, or by words such as `OR REPLACE` and
    /// then by this word.
    pub(super) const fn with_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// The form that in addition has these words.
    pub(super) const fn having(self, has: &'static [&'static str]) -> Self {
        Self { has, ..self }
    }

    /// The form that in addition has this word outside parentheses.
    pub(super) const fn having_outermost(self, has_outermost: &'static str) -> Self {
        Self { has_outermost, ..self }
    }

    /// The form that in addition lacks these words.
    pub(super) const fn lacking(self, lacks: &'static [&'static str]) -> Self {
        Self { lacks, ..self }
    }

    /// Whether a statement has the form.
    pub(super) fn matches(&self, statement: Tokens<'_>) -> bool {
        statement.after(self.begins).is_some_and(|rest| self.has_kind(rest))
            && (self.has.is_empty() || statement.has(self.has))
            && (self.has_outermost.is_empty()
                || statement.outermost().any(|token| token.is(self.has_outermost)))
            && !self.lacks.iter().any(|word| statement.has(&[word]))
    }

    fn has_kind(&self, rest: Tokens<'_>) -> bool {
        let is_modifier = |token: &&StatementToken<'_>| token.is_any(MODIFIERS);
        let kind = rest.iter().find(|token| !is_modifier(token));
        self.kind.is_empty() || kind.is_some_and(|token| token.is(self.kind))
    }

    /// The words of the form, with `…` where other words may be.
    pub(super) fn words(&self) -> String {
        let mut words = self.begins.join(" ");
        let others = [self.kind, &self.has.join(" "), self.has_outermost];
        for other in others.into_iter().filter(|other| !other.is_empty()) {
            words.push_str(" … ");
            words.push_str(other);
        }
        words
    }
}
