//! The expressions that the server prints for a comparison.

use std::collections::{BTreeMap, BTreeSet};

use crate::migration::expression::{Expression, ExpressionScope};
use crate::sql;

/// What the server prints, and what it still has to print.
#[derive(Debug, Default)]
pub(in crate::engine) struct Printer {
    /// `None` for what it cannot print.
    printed: BTreeMap<Expression, Option<String>>,
    missing: BTreeSet<Expression>,
}

/// An expression of the statement or of the catalog.
pub(super) struct Side<'a> {
    pub(super) scope: ExpressionScope,
    pub(super) text: &'a str,
}

impl Printer {
    /// The expressions that a comparison needed and that are not printed yet.
    pub(in crate::engine) fn missing(&self) -> Vec<Expression> {
        self.missing.iter().cloned().collect()
    }

    /// Adds what the server prints.
    pub(in crate::engine) fn add(&mut self, printed: Vec<(Expression, Option<String>)>) {
        for (expression, text) in printed {
            self.missing.remove(&expression);
            self.printed.insert(expression, text);
        }
    }

    /// Whether two expressions with the same scope are the same; `None` if that is not known.
    pub(super) fn is_alike(
        &mut self,
        scope: &ExpressionScope,
        written: &str,
        found: &str,
    ) -> Option<bool> {
        let side = |text| Side { scope: scope.clone(), text };
        self.is_same(&side(written), &side(found))
    }

    /// Whether two expressions are the same; `None` if the server prints them differently or cannot
    /// print one of them, or if they name different functions or types.
    pub(super) fn is_same(&mut self, written: &Side<'_>, found: &Side<'_>) -> Option<bool> {
        if written.scope == found.scope && sql::is_same_text(written.text, found.text) {
            return Some(true);
        }
        let (printed, other) = (self.text(written), self.text(found));
        let is_alike = printed? == other?;
        (is_alike && sql::names_same_objects(written.text, found.text)).then_some(true)
    }

    fn text(&mut self, side: &Side<'_>) -> Option<String> {
        // It would end the query that prints the expression.
        if sql::has_semicolon(side.text) {
            return None;
        }
        let expression = Expression { scope: side.scope.clone(), text: side.text.to_owned() };
        match self.printed.get(&expression) {
            Some(printed) => printed.clone(),
            None => {
                self.missing.insert(expression);
                None
            }
        }
    }
}
