//! A form of statements that a row of a table is about.

use crate::sql::tokens::Tokens;

/// Keywords by which statements are recognized. All parts have to match.
pub(super) struct StatementForm {
    begins: &'static [&'static str],
    /// Words that occur next to each other anywhere in it. Empty if it does not matter.
    has: &'static [&'static str],
    /// A word that occurs outside parentheses. Empty if it does not matter.
    has_outermost: &'static str,
    /// Words that occur nowhere in it.
    lacks: &'static [&'static str],
}

/// The form of statements that begin with these words.
pub(super) const fn beginning(begins: &'static [&'static str]) -> StatementForm {
    StatementForm { begins, has: &[], has_outermost: "", lacks: &[] }
}

impl StatementForm {
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
        statement.begins(self.begins)
            && (self.has.is_empty() || statement.has(self.has))
            && (self.has_outermost.is_empty()
                || statement.outermost().any(|token| token.is(self.has_outermost)))
            && !self.lacks.iter().any(|word| statement.has(&[word]))
    }
}
