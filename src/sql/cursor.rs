//! A parser's position among the tokens of one statement.

use crate::migration::fact::QualifiedName;
use crate::sql::tokens::{StatementToken, Tokens};

/// Reads keywords and names from left to right. A method consumes only what it has recognized.
pub(super) struct Cursor<'t> {
    rest: Tokens<'t>,
    /// Whether names are returned as the author wrote them, not as the server stores them.
    as_written: bool,
}

impl<'t> Cursor<'t> {
    /// Reads the word `ASYNC` of `ALTER TABLE ASYNC … VALIDATE CONSTRAINT`. In other statements it
    /// is the name of the table.
    pub(super) fn eat_async(&mut self) -> bool {
        let is_word = self.rest.begins_async_validation();
        is_word && self.eat("ASYNC")
    }

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

    /// Consumes one of these sequences of keywords.
    pub(super) fn eat_any_of(&mut self, forms: &[&[&str]]) -> bool {
        forms.iter().any(|words| self.eat_all(words))
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

    /// Skips one token, or a pair of parentheses or brackets with everything nested in it.
    pub(super) fn skip_group(&mut self) {
        if self.is_at("(") {
            self.skip_parentheses();
        } else if self.eat("[") {
            while !self.is_at_end() && !self.eat("]") {
                self.skip_group();
            }
        } else {
            self.rest = self.rest.skip(1);
        }
    }

    /// Reads an expression up to one of these keywords, to a comma, or to a closing parenthesis
    /// that is not nested. The first token is part of the expression in any case.
    pub(super) fn expression(&mut self, ends: &[&str]) -> String {
        let before = self.rest;
        loop {
            if self.eat("CASE") {
                while !self.is_at_end() && !self.eat("END") {
                    self.skip_group();
                }
            } else {
                self.skip_group();
            }
            let is_end = self.is_at(",") || self.is_at(")");
            if self.is_at_end() || is_end || ends.iter().any(|word| self.is_at(word)) {
                return self.text_since(before);
            }
        }
    }

    /// Takes what is inside the next parentheses.
    fn parentheses(&mut self) -> Option<Tokens<'t>> {
        if !self.is_at("(") {
            return None;
        }
        let before = self.rest;
        self.skip_parentheses();
        let (group, _) = before.split_at(before.len() - self.rest.len());
        Some(group.skip(1).split_at(group.len().checked_sub(2)?).0)
    }

    /// Reads the text inside the next parentheses.
    pub(super) fn inside_parentheses(&mut self) -> Option<String> {
        self.parentheses().map(Tokens::text)
    }

    /// Reads the expression inside the next parentheses, or the column if it is only its name.
    pub(super) fn column_or_expression(&mut self) -> Option<Result<String, String>> {
        let inside = self.parentheses()?;
        let column =
            inside.first().filter(|_| inside.len() == 1).and_then(StatementToken::identifier);
        Some(column.ok_or_else(|| inside.text()))
    }

    /// Reads an integer with an optional sign.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let is_negative = self.eat("-");
        let digits = self.rest.first().filter(|token| token.is_number())?.text;
        self.rest = self.rest.skip(1);
        let sign = if is_negative { "-" } else { "" };
        format!("{sign}{digits}").parse().ok()
    }

    /// Reads a string constant.
    pub(super) fn string(&mut self) -> Option<String> {
        let string = self.rest.first()?.string()?;
        self.rest = self.rest.skip(1);
        Some(string)
    }

    /// Takes the tokens up to the next of these keywords outside parentheses, at least one.
    pub(super) fn element(&mut self, starts: &[&str]) -> Self {
        let before = self.rest;
        loop {
            self.skip_group();
            if self.is_at_end() || starts.iter().any(|word| self.is_at(word)) {
                let (element, _) = before.split_at(before.len() - self.rest.len());
                return Self { rest: element, ..*self };
            }
        }
    }

    /// The tokens that are not read yet.
    pub(super) fn rest(&self) -> Tokens<'t> {
        self.rest
    }

    /// The text that was read since `before` was the rest.
    pub(super) fn text_since(&self, before: Tokens<'t>) -> String {
        before.split_at(before.len() - self.rest.len()).0.text()
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
