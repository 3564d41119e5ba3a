//! A place among the tokens of one statement.

use super::super::lex::{Token, TokenKind, significant};
use crate::migration::fact::QualifiedName;

/// Reads words and names one after the other; what does not fit is not consumed.
pub(super) struct Cursor<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { tokens: significant(sql).collect(), at: 0 }
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.at)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(super) fn is_at(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    /// Consumes a keyword.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.is_at(word);
        self.at += usize::from(found);
        found
    }

    /// Consumes several keywords, or none of them.
    pub(super) fn eat_all(&mut self, words: &[&str]) -> bool {
        let begin = self.at;
        let found = words.iter().all(|word| self.eat(word));
        if !found {
            self.at = begin;
        }
        found
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// An identifier, folded as the server does. `U&"…"` is not read: its escapes depend on the
    /// rest of the statement.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let name = unquoted(self.peek()?)?;
        self.at += 1;
        Some(name)
    }

    /// `name` or `schema.name`.
    pub(super) fn name(&mut self) -> Option<QualifiedName> {
        let first = self.identifier()?;
        if !self.eat_symbol(".") {
            return Some(QualifiedName { schema: None, name: first });
        }
        let name = self.identifier()?;
        // A third part would be a database; DSQL has one.
        (!self.eat_symbol(".")).then_some(QualifiedName { schema: Some(first), name })
    }

    /// `a, b, c`, each read in the same way.
    pub(super) fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = vec![read(self)?];
        while self.eat_symbol(",") {
            items.push(read(self)?);
        }
        Some(items)
    }

    /// Reads items separated by commas up to the end, each of which changes what the ones before
    /// have left.
    pub(super) fn list_fold<T>(
        &mut self,
        first: T,
        read: impl Fn(&mut Self, T) -> Option<T>,
    ) -> Option<T> {
        let mut result = read(self, first)?;
        while self.eat_symbol(",") {
            result = read(self, result)?;
        }
        self.is_at_end().then_some(result)
    }

    /// Skips `( … )` with what is nested in it, if it stands here.
    pub(super) fn skip_parentheses(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            if depth == 0 && !token.is_symbol(")") {
                return;
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Skips to the next comma, or to the closing parenthesis, that is not nested.
    pub(super) fn skip_item(&mut self) {
        while let Some(token) = self.peek() {
            if token.is_symbol(",") || token.is_symbol(")") {
                return;
            }
            if token.is_symbol("(") {
                self.skip_parentheses();
            } else {
                self.at += 1;
            }
        }
    }

    /// Goes on behind the next of these words outside of parentheses.
    pub(super) fn skip_behind(&mut self, words: &[&str]) -> bool {
        while let Some(token) = self.peek() {
            if words.iter().any(|word| token.is_word(word)) {
                self.at += 1;
                return true;
            }
            if token.is_symbol("(") {
                self.skip_parentheses();
            } else {
                self.at += 1;
            }
        }
        false
    }

    /// The text of a plain `'…'`, if it is all that is left.
    pub(super) fn last_string(&mut self) -> Option<String> {
        let [token] = self.tokens.get(self.at..)? else { return None };
        let inner = token.text.strip_prefix('\'')?.strip_suffix('\'')?;
        (token.kind == TokenKind::String).then(|| inner.replace("''", "'"))
    }

    /// Whether a keyword is still to come.
    pub(super) fn mentions(&self, word: &str) -> bool {
        self.tokens.iter().skip(self.at).any(|token| token.is_word(word))
    }

    pub(super) fn any_identifier(&self, name: &str) -> bool {
        self.identifiers().any(|found| found == name)
    }

    /// All of them, keywords too, wherever the cursor is.
    pub(super) fn identifiers(&self) -> impl Iterator<Item = String> {
        self.tokens.iter().filter_map(unquoted)
    }
}

/// The server folds ASCII letters of what is not quoted to lower case, and leaves all others.
fn unquoted(token: &Token<'_>) -> Option<String> {
    match token.kind {
        TokenKind::Word => Some(token.text.to_ascii_lowercase()),
        TokenKind::QuotedIdentifier => {
            let inner = token.text.strip_prefix('"')?.strip_suffix('"')?;
            Some(inner.replace("\"\"", "\""))
        }
        _ => None,
    }
}
