//! A parser's position among the tokens of one statement.

use crate::migration::fact::QualifiedName;
use crate::sql::tokens::Tokens;

/// Reads keywords and names from left to right. A method consumes only what it has recognized.
pub(super) struct Cursor<'t> {
    rest: Tokens<'t>,
    /// Whether names are returned as the author wrote them, not as the server stores them.
    as_written: bool,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(tokens: Tokens<'t>) -> Self {
        Self { rest: tokens, as_written: false }
    }

    /// Reads names without truncating them.
    pub(super) fn as_written(tokens: Tokens<'t>) -> Self {
        Self { rest: tokens, as_written: true }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn is_at(&self, word: &str) -> bool {
        self.rest.begins(&[word])
    }

    /// Consumes a keyword or a symbol.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        self.eat_all(&[word])
    }

    /// Consumes several keywords, or none of them.
    pub(super) fn eat_all(&mut self, words: &[&str]) -> bool {
        let after = self.rest.after(words);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Consumes one of these keywords.
    pub(super) fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    /// Reads an identifier.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let token = self.rest.first()?;
        let name = if self.as_written { token.written_identifier() } else { token.identifier() }?;
        self.rest = self.rest.skip(1);
        Some(name)
    }

    /// Reads `name` or `schema.name`.
    pub(super) fn name(&mut self) -> Option<QualifiedName> {
        let first = self.identifier()?;
        if !self.eat(".") {
            return Some(QualifiedName { schema: None, name: first });
        }
        let name = self.identifier()?;
        // A third part would make the first one a database, and DSQL has only one.
        (!self.eat(".")).then_some(QualifiedName { schema: Some(first), name })
    }

    /// Reads `a, b, c`, each item in the same way.
    pub(super) fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = vec![read(self)?];
        while self.eat(",") {
            items.push(read(self)?);
        }
        Some(items)
    }

    /// Reads items separated by commas up to the end. Each item changes the result of the items
    /// before it.
    pub(super) fn list_fold<T>(
        &mut self,
        first: T,
        read: impl Fn(&mut Self, T) -> Option<T>,
    ) -> Option<T> {
        let mut result = read(self, first)?;
        while self.eat(",") {
            result = read(self, result)?;
        }
        self.is_at_end().then_some(result)
    }

    /// Skips `( … )` with everything nested in it, if it is next.
    pub(super) fn skip_parentheses(&mut self) {
        let Some(open) = self.rest.first().filter(|token| token.is("(")) else { return };
        let close = self.rest.iter().position(|token| token.is(")") && token.depth == open.depth);
        self.rest = self.rest.skip(close.map_or(self.rest.len(), |close| close + 1));
    }

    /// Skips to the next comma or closing parenthesis that is not nested.
    pub(super) fn skip_item(&mut self) {
        while !self.is_at_end() && !self.is_at(",") && !self.is_at(")") {
            self.skip_group();
        }
    }

    /// Skips everything up to and including the next of these keywords outside parentheses.
    pub(super) fn skip_past(&mut self, words: &[&str]) -> bool {
        while !self.is_at_end() {
            if self.eat_any(words) {
                return true;
            }
            self.skip_group();
        }
        false
    }

    /// Reads `( … )` as text, in which one space separates the tokens.
    pub(super) fn parenthesized(&mut self) -> Option<String> {
        if !self.is_at("(") {
            return None;
        }
        let before = self.rest;
        self.skip_parentheses();
        let (inside, _) = before.split_at(before.len() - self.rest.len());
        let texts: Vec<&str> = inside.iter().map(|token| token.text).collect();
        Some(texts.join(" "))
    }

    /// Reads the names in `(a, b)`. `None` if it contains anything else.
    pub(super) fn column_list(&mut self) -> Option<Vec<String>> {
        if !self.eat("(") {
            return None;
        }
        let columns = self.list(Self::identifier)?;
        self.eat(")").then_some(columns)
    }

    /// Skips one token, or a pair of parentheses with everything nested in it.
    pub(super) fn skip_group(&mut self) {
        if self.is_at("(") {
            self.skip_parentheses();
        } else {
            self.rest = self.rest.skip(1);
        }
    }

    /// Returns the value of a plain `'…'`, if it is the last token of the statement.
    pub(super) fn last_string(&self) -> Option<String> {
        let [token] = self.rest.as_slice() else { return None };
        token.plain_string()
    }

    /// Whether a keyword is anywhere in the rest of the statement.
    pub(super) fn mentions(&self, word: &str) -> bool {
        self.rest.has(&[word])
    }
}
