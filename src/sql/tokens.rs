//! One statement as the server's parser sees it: its tokens, without white space and comments.
//!
//! Code that asks what a statement is or does reads it through [`Tokens`]. Code that needs
//! comments, line numbers or incomplete text uses the lexer instead.
//!
//! The tokens borrow from the text of the statement, because copies of all words take many times
//! the memory of a large file. Build a [`TokenBuf`] for one statement and drop it before the next.

use super::lex::{Lexer, TokenKind};
use super::names::truncated;

/// A token of a statement and its position.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatementToken<'a> {
    kind: TokenKind,
    pub(super) text: &'a str,
    /// Offset of its first byte in the statement.
    pub(super) start: usize,
    /// Number of parentheses around it. A parenthesis is not inside itself.
    pub(super) depth: usize,
    /// White space and comments between the token before and this one.
    pub(super) gap: &'a str,
}

impl StatementToken<'_> {
    /// Offset of the byte after its last one.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword, in any case, or this symbol. A quoted identifier never equals a
    /// keyword, because its quotes are part of its text.
    pub(super) fn is(&self, expected: &str) -> bool {
        match self.kind {
            TokenKind::Word => self.text.eq_ignore_ascii_case(expected),
            _ => self.text == expected,
        }
    }

    /// Whether it is one of these keywords or symbols.
    pub(super) fn is_any(&self, expected: &[&str]) -> bool {
        expected.iter().any(|expected| self.is(expected))
    }

    /// The name that it stands for, as the server stores it. `None` for `U&"…"`, whose escapes
    /// depend on the rest of the statement.
    pub(super) fn identifier(&self) -> Option<String> {
        self.written_identifier().map(truncated)
    }

    /// As [`Self::identifier`], before the server truncates it. The server folds the ASCII letters
    /// of an unquoted identifier to lower case.
    pub(super) fn written_identifier(&self) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_ascii_lowercase()),
            TokenKind::QuotedIdentifier => {
                let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
                Some(inner.replace("\"\"", "\""))
            }
            _ => None,
        }
    }

    /// The text of a string constant in any notation. The escapes of `E'…'` and `U&'…'` are kept.
    pub(super) fn raw_string(&self) -> Option<String> {
        if self.kind != TokenKind::String {
            return None;
        }
        if let Some((tag, body)) = self.text.strip_prefix('$').and_then(|it| it.split_once('$')) {
            return body.strip_suffix(&format!("${tag}$")).map(str::to_owned);
        }
        let (_, body) = self.text.split_once('\'')?;
        Some(body.strip_suffix('\'')?.replace("''", "'"))
    }

    /// The value of a string constant in the plain notation `'…'`.
    pub(super) fn plain_string(&self) -> Option<String> {
        let inner = self.text.strip_prefix('\'')?.strip_suffix('\'')?;
        (self.kind == TokenKind::String).then(|| inner.replace("''", "'"))
    }

    /// The value of a string constant in the notation `'…'` or `$tag$…$tag$`.
    pub(super) fn string(&self) -> Option<String> {
        if self.kind != TokenKind::String || !self.text.starts_with('$') {
            return self.plain_string();
        }
        let tag = self.text[1..].find('$')? + 2;
        self.text.get(tag..self.text.len().checked_sub(tag)?).map(str::to_owned)
    }

    /// Whether it is a string constant or a quoted identifier.
    pub(super) fn is_quoted(&self) -> bool {
        matches!(self.kind, TokenKind::String | TokenKind::QuotedIdentifier)
    }

    pub(super) fn is_number(&self) -> bool {
        self.kind == TokenKind::Number
    }

    /// Whether it means the same as another token, as far as the lexer knows.
    pub(super) fn equals(&self, other: &StatementToken<'_>) -> bool {
        match (self.identifier(), other.identifier()) {
            (Some(name), Some(other)) => name == other,
            _ => self.text == other.text,
        }
    }
}

/// Reads the tokens of a statement one by one, up to the first error of the lexer.
pub(super) fn tokens(sql: &str) -> impl Iterator<Item = StatementToken<'_>> {
    let mut depth = 0_usize;
    let mut end = 0;
    let significant = Lexer::new(sql, 1).map_while(Result::ok).filter(|token| !token.is_trivia());
    significant.map(move |token| {
        if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        }
        let (kind, text, start) = (token.kind, token.text, token.start);
        let read = StatementToken { kind, text, start, depth, gap: &sql[end..start] };
        if token.is_symbol("(") {
            depth += 1;
        }
        end = token.end();
        read
    })
}

/// Storage for the tokens of one statement.
pub(super) struct TokenBuf<'a>(Vec<StatementToken<'a>>);

impl<'a> TokenBuf<'a> {
    /// Reads a whole statement.
    pub(super) fn of(sql: &'a str) -> Self {
        tokens(sql).collect()
    }

    /// All of the tokens.
    pub(super) fn all(&self) -> Tokens<'_> {
        Tokens(&self.0)
    }
}

impl<'a> FromIterator<StatementToken<'a>> for TokenBuf<'a> {
    fn from_iter<I: IntoIterator<Item = StatementToken<'a>>>(tokens: I) -> Self {
        Self(tokens.into_iter().collect())
    }
}

/// Consecutive tokens of a statement.
///
/// Parameters called `words` are keywords, written in upper case, and symbols.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tokens<'t>(&'t [StatementToken<'t>]);

impl<'t> From<&'t [StatementToken<'t>]> for Tokens<'t> {
    fn from(tokens: &'t [StatementToken<'t>]) -> Self {
        Self(tokens)
    }
}

impl<'t> Tokens<'t> {
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn first(self) -> Option<&'t StatementToken<'t>> {
        self.0.first()
    }

    pub(super) fn last(self) -> Option<&'t StatementToken<'t>> {
        self.0.last()
    }

    pub(super) fn as_slice(self) -> &'t [StatementToken<'t>] {
        self.0
    }

    pub(super) fn iter(self) -> std::slice::Iter<'t, StatementToken<'t>> {
        self.0.iter()
    }

    /// The first `count` tokens, or all if there are fewer, and the rest.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let (first, rest) = self.0.split_at(count.min(self.0.len()));
        (Self(first), Self(rest))
    }

    /// The tokens without the first `count`.
    pub(super) fn skip(self, count: usize) -> Self {
        self.split_at(count).1
    }

    /// The tokens after these words. `None` if it does not begin with them.
    pub(super) fn after(self, words: &[&str]) -> Option<Self> {
        let (first, rest) = self.split_at(words.len());
        first.equals(words).then_some(rest)
    }

    /// The tokens after these words, or all if it does not begin with them.
    pub(super) fn after_optional(self, words: &[&str]) -> Self {
        self.after(words).unwrap_or(self)
    }

    /// For each occurrence of these words, in order, the tokens after it.
    pub(super) fn after_each(self, words: &[&str]) -> impl Iterator<Item = Self> {
        self.suffixes().filter_map(|suffix| suffix.after(words))
    }

    /// The tokens from the first one on, from the second one on, and so forth.
    pub(super) fn suffixes(self) -> impl Iterator<Item = Self> {
        (0..self.0.len()).map(move |start| self.skip(start))
    }

    pub(super) fn begins(self, words: &[&str]) -> bool {
        self.after(words).is_some()
    }

    /// Whether it begins with the word `ASYNC` of `ALTER TABLE ASYNC … VALIDATE CONSTRAINT`, which
    /// in other statements is the name of the table.
    pub(super) fn begins_async_validation(self) -> bool {
        let Some(rest) = self.after(&["ASYNC"]) else { return false };
        let rest = rest.after_optional(&["IF", "EXISTS"]).after_optional(&["ONLY"]);
        let name = if rest.skip(1).begins(&["."]) { 3 } else { 1 };
        rest.skip(name).after_optional(&["*"]).begins(&["VALIDATE"])
    }

    /// The keys of `CREATE INDEX`, between the parentheses after the name of the table.
    pub(super) fn index_keys(self) -> Option<Self> {
        self.after(&["CREATE"])?.after_optional(&["UNIQUE"]).after(&["INDEX"])?;
        Some(self.skip(self.iter().position(|token| token.is("("))?).group()?.0)
    }

    /// Whether it begins with one of these words.
    pub(super) fn begins_with_any_word(self, words: &[&str]) -> bool {
        self.first().is_some_and(|token| token.is_any(words))
    }

    /// Whether it begins with a token that has this many parentheses around it.
    pub(super) fn is_at_depth(self, depth: usize) -> bool {
        self.first().is_some_and(|token| token.depth == depth)
    }

    pub(super) fn begins_with_any(self, forms: &[&[&str]]) -> bool {
        forms.iter().any(|form| self.begins(form))
    }

    pub(super) fn ends(self, words: &[&str]) -> bool {
        let start = self.len().checked_sub(words.len());
        start.is_some_and(|start| self.skip(start).equals(words))
    }

    /// Whether these words occur next to each other anywhere, inside parentheses or not.
    pub(super) fn has(self, words: &[&str]) -> bool {
        self.after_each(words).next().is_some()
    }

    /// The parts between commas that are outside parentheses.
    pub(super) fn items(self) -> Vec<Self> {
        self.items_at(0)
    }

    /// The parts between commas with this many parentheses around them.
    pub(super) fn items_at(self, depth: usize) -> Vec<Self> {
        self.0.split(|token| token.depth == depth && token.is(",")).map(Self).collect()
    }

    /// The tokens inside the parentheses that it begins with, and those after them.
    pub(super) fn group(self) -> Option<(Self, Self)> {
        let open = self.first().filter(|token| token.is("("))?;
        let inside = self.skip(1);
        let close = inside.iter().position(|token| token.depth == open.depth && token.is(")"))?;
        let (inside, rest) = inside.split_at(close);
        Some((inside, rest.skip(1)))
    }

    /// The tokens outside parentheses, without the parentheses themselves.
    pub(super) fn outermost(self) -> impl Iterator<Item = &'t StatementToken<'t>> {
        self.0.iter().filter(|token| token.depth == 0 && !token.is_any(&["(", ")"]))
    }

    /// The text without comments.
    pub(super) fn text(self) -> String {
        let mut text = String::new();
        for (index, token) in self.0.iter().enumerate() {
            if index > 0 && !token.gap.is_empty() {
                // A line break continues a string constant.
                text.push(if token.gap.contains('\n') { '\n' } else { ' ' });
            }
            text.push_str(token.text);
        }
        text
    }

    fn equals(self, words: &[&str]) -> bool {
        self.len() == words.len() && self.0.iter().zip(words).all(|(token, word)| token.is(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::testing::{Random, noise};

    fn texts(tokens: Tokens<'_>) -> Vec<&str> {
        tokens.iter().map(|token| token.text).collect()
    }

    #[test]
    fn keywords_are_compared_without_regard_to_case_and_quoted_names_are_not_keywords() {
        let statement = TokenBuf::of("create /* a */ \"TABLE\" Table (\"a\")");
        let tokens = statement.all();

        assert!(tokens.begins(&["CREATE", "\"TABLE\"", "TABLE", "("]));
        assert!(!tokens.begins(&["CREATE", "TABLE"]));
        assert!(!tokens.has(&["\"A\""]));
        assert!(tokens.ends(&["\"a\"", ")"]) && tokens.ends(&[]));
        assert!(!tokens.first().unwrap().is("CREATED"));
        assert!(tokens.begins_with_any(&[&["DROP"], &["CREATE"]]));
    }

    #[test]
    fn a_token_knows_its_offset_its_depth_and_what_is_before_it() {
        let sql = "f( -- a\n(b), c)";

        let found: Vec<_> =
            tokens(sql).map(|token| (token.start, token.text, token.depth, token.gap)).collect();

        let expected = [
            (0, "f", 0, ""),
            (1, "(", 0, ""),
            (8, "(", 1, " -- a\n"),
            (9, "b", 2, ""),
            (10, ")", 1, ""),
            (11, ",", 1, ""),
            (13, "c", 1, " "),
            (14, ")", 0, ""),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn words_are_found_at_the_beginning_and_anywhere() {
        let statement = TokenBuf::of("ALTER TABLE IF EXISTS t ADD a int, ADD b int");
        let rest = statement.all().after(&["ALTER", "TABLE"]).unwrap();

        assert_eq!(rest.after_optional(&["IF", "EXISTS"]).first().unwrap().text, "t");
        assert_eq!(texts(rest.after_optional(&["ONLY"])), texts(rest));
        let added: Vec<_> = rest.after_each(&["ADD"]).map(Tokens::len).collect();
        assert_eq!(added, [6, 2]);
        assert!(rest.has(&["INT", ","]) && !rest.has(&["INT", "int"]));
        assert!(rest.after(&["IF", "NOT"]).is_none());
        assert!(rest.skip(100).is_empty() && rest.skip(100).after(&["a"]).is_none());
    }

    #[test]
    fn commas_inside_parentheses_separate_nothing() {
        let statement = TokenBuf::of("a (b, c), d, (e)");
        let tokens = statement.all();

        let items: Vec<_> = tokens.items().into_iter().map(texts).collect();
        assert_eq!(items, [vec!["a", "(", "b", ",", "c", ")"], vec!["d"], vec!["(", "e", ")"]]);
        let outermost: Vec<_> = tokens.outermost().map(|token| token.text).collect();
        assert_eq!(outermost, ["a", ",", "d", ","]);
    }

    #[test]
    fn names_and_strings_are_read_as_the_server_reads_them() {
        let statement = TokenBuf::of("Größe \"A\"\"b\" U&\"a\" 'it''s' E'a' 1");
        let tokens = statement.all().as_slice();

        let names: Vec<_> = tokens.iter().map(StatementToken::identifier).collect();
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(names, [name("größe"), name("A\"b"), None, None, None, None]);
        let strings: Vec<_> = tokens.iter().filter_map(StatementToken::plain_string).collect();
        assert_eq!(strings, ["it's"]);
    }

    #[test]
    fn the_text_of_a_string_is_read_in_every_notation() {
        let statement = TokenBuf::of("'it''s' E'a\\n''' $$a$$ $t$a $$ ' b$t$ U&'a' \"a\" a");
        let strings = statement.all().iter().filter_map(StatementToken::raw_string);
        assert_eq!(strings.collect::<Vec<_>>(), ["it's", "a\\n'", "a", "a $$ ' b", "a"]);
    }

    #[test]
    fn no_byte_of_a_statement_is_lost() {
        let mut random = Random::new(6);
        for round in 0..5_000 {
            let sql = noise(&mut random, round % 40);
            let mut end = 0;
            for token in tokens(&sql) {
                assert_eq!(token.gap.len(), token.start - end, "{sql:?}");
                assert_eq!(&sql[token.start..token.end()], token.text, "{sql:?}");
                end = token.end();
            }
        }
    }
}
