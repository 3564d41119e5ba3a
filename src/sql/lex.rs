//! Splits text into tokens by the lexical rules of the server.
//!
//! Follows `src/backend/parser/scan.l` of PostgreSQL 16 where it decides where a token ends, with
//! `standard_conforming_strings` on, which DSQL does not allow to be changed. Every byte of the
//! text belongs to exactly one token, except a byte order mark at the start. Does not know
//! keywords, and accepts numbers and operators that the server rejects. ADR 0030 explains why the
//! provider has its own lexer.

use super::{SplitError, SplitProblem, invisible};
use crate::migration::VariableSyntax;

/// The lexical category of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Keyword or unquoted identifier.
    Word,
    /// `"…"` or `U&"…"`.
    QuotedIdentifier,
    /// A string constant in any notation, with its prefix.
    String,
    /// A number, valid or malformed.
    Number,
    /// `$1`.
    Parameter,
    /// One ASCII character of punctuation or of an operator.
    Symbol,
    Space,
    /// `--` and the rest of its line, without the line break.
    LineComment,
    /// `/* … */` with nested comments.
    BlockComment,
}

/// A token and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Line of its first byte, counted from 1.
    pub(super) line: usize,
}

impl Token<'_> {
    /// Offset of the byte after its last one.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is white space or a comment, which the server's parser ignores.
    pub(super) fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Space | TokenKind::LineComment | TokenKind::BlockComment)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }
}

/// Iterator over the tokens of a text. Ends after its first error.
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    line: usize,
    variables: VariableSyntax,
    /// Whether a token other than white space and comments has been read.
    has_begun: bool,
    /// The key of the line `\\restrict` with which a dump begins.
    dump_key: Option<&'a str>,
    /// How many times a byte was read. Tests use it to prove that the work is linear.
    #[cfg(test)]
    pub(super) reads: std::cell::Cell<usize>,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of `text`, whose first line is line `first_line` of its file.
    pub(super) fn new(text: &'a str, first_line: usize) -> Self {
        Self::with(text, first_line, VariableSyntax::Own)
    }

    /// Starts at the beginning of a text whose variables have this syntax.
    pub(super) fn with(text: &'a str, first_line: usize, variables: VariableSyntax) -> Self {
        let position = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self {
            text,
            position,
            line: first_line,
            variables,
            has_begun: false,
            dump_key: None,
            #[cfg(test)]
            reads: std::cell::Cell::new(0),
        }
    }

    /// Returns the kind and the end of the token that starts at `start` with the byte `first`.
    fn end_of_token(&self, start: usize, first: u8) -> Result<(TokenKind, usize), SplitError> {
        let fail = |problem| Err(self.error(start, problem));
        let string = |end: Option<usize>| match end {
            Some(end) => Ok((TokenKind::String, end)),
            None => fail(SplitProblem::UnterminatedString),
        };
        let identifier = |end: Option<usize>| match end {
            Some(end) => Ok((TokenKind::QuotedIdentifier, end)),
            None => fail(SplitProblem::UnterminatedIdentifier),
        };
        match (first, self.byte(start + 1)) {
            (b'-', Some(b'-')) => Ok((TokenKind::LineComment, self.end_of_line(start + 2))),
            (b'/', Some(b'*')) => match self.end_of_block_comment(start + 2) {
                Some(end) => Ok((TokenKind::BlockComment, end)),
                None => fail(SplitProblem::UnterminatedComment),
            },
            (b'\'', _) => string(self.end_of_quoted(start + 1, b'\'')),
            (b'"', _) => identifier(self.end_of_quoted(start + 1, b'"')),
            (b'E' | b'e', Some(b'\'')) => string(self.end_of_escape_string(start + 2)),
            (b'B' | b'b' | b'X' | b'x' | b'N' | b'n', Some(b'\'')) => {
                string(self.end_of_quoted(start + 2, b'\''))
            }
            (b'U' | b'u', Some(b'&')) if self.byte(start + 2) == Some(b'\'') => {
                string(self.end_of_quoted(start + 3, b'\''))
            }
            (b'U' | b'u', Some(b'&')) if self.byte(start + 2) == Some(b'"') => {
                identifier(self.end_of_quoted(start + 3, b'"'))
            }
            (b'$', _) => self.end_of_dollar(start),
            (b'0'..=b'9', _) | (b'.', Some(b'0'..=b'9')) => {
                Ok((TokenKind::Number, self.end_of_number(start + 1)))
            }
            (b'\\', _) => {
                let end = self.end_of_run(start + 1, |byte| !is_space(byte) && byte != b'\\');
                fail(SplitProblem::MetaCommand { command: self.text[start..end].to_owned() })
            }
            // `${name}` is a variable.
            (b'{', next) if start == 0 || self.byte(start - 1) != Some(b'$') => {
                let length = if matches!(next, Some(b'{' | b'%' | b'#')) { 2 } else { 1 };
                let mark = self.text[start..start + length].to_owned();
                fail(SplitProblem::Template { mark })
            }
            _ if is_space(first) => Ok((TokenKind::Space, self.end_of_run(start + 1, is_space))),
            _ if is_identifier_start(first) => {
                Ok((TokenKind::Word, self.end_of_run(start + 1, is_identifier_part)))
            }
            _ => Ok((TokenKind::Symbol, start + 1)),
        }
    }

    /// The end of a line that `pg_dump` writes at the beginning and at the end of a dump:
    /// `\\restrict <key>` and `\\unrestrict <key>`. They make psql reject its other commands, and
    /// mean nothing to a server.
    fn end_of_dump_line(&mut self, start: usize, first: u8) -> Option<usize> {
        if first != b'\\' || start > 0 && self.byte(start - 1) != Some(b'\n') {
            return None;
        }
        let end = self.end_of_line(start);
        let line = self.text[start..end].trim_end();
        if let Some(key) = line.strip_prefix("\\restrict ") {
            let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let last = self.text.trim_end().rsplit('\n').next()?;
            let is_closed = last.strip_prefix("\\unrestrict ") == Some(key);
            let is_first = !self.has_begun && self.dump_key.is_none();
            self.dump_key = (is_first && is_key && is_closed).then_some(key);
            self.dump_key.map(|_| end)
        } else {
            let key = line.strip_prefix("\\unrestrict ")?;
            (self.dump_key == Some(key) && self.text[end..].trim().is_empty()).then_some(end)
        }
    }

    /// Rejects a token with a character that cannot be seen. The server would read most of them as
    /// letters.
    fn check(
        &self,
        kind: TokenKind,
        start: usize,
        end: usize,
    ) -> Result<(TokenKind, usize), SplitError> {
        let is_plain = matches!(kind, TokenKind::Word | TokenKind::Number | TokenKind::Symbol);
        let found = if is_plain { invisible::find(&self.text[start..end]) } else { None };
        match found {
            None => Ok((kind, end)),
            Some((at, character, name)) => {
                let problem = SplitProblem::Invisible { character, name };
                Err(self.error(start + at, problem))
            }
        }
    }

    /// An error at a token that starts at `start`, in the current line.
    fn error(&self, start: usize, problem: SplitProblem) -> SplitError {
        SplitError { line: self.line, start, problem }
    }

    /// Reads `$1`, `$tag$…$tag$`, or a dollar sign that is neither.
    fn end_of_dollar(&self, start: usize) -> Result<(TokenKind, usize), SplitError> {
        if self.byte(start + 1).is_some_and(|byte| byte.is_ascii_digit()) {
            let end = self.end_of_run(start + 1, |byte| byte.is_ascii_digit());
            return Ok((TokenKind::Parameter, end));
        }
        let tag_end = self.end_of_tag(start + 1);
        if self.byte(tag_end) != Some(b'$') || self.begins_variable(tag_end) {
            return Ok((TokenKind::Symbol, start + 1));
        }
        let tag = &self.text[start..=tag_end];
        match self.end_of_dollar_quoted(tag_end + 1, tag) {
            Some(end) => Ok((TokenKind::String, end)),
            None => {
                let problem = SplitProblem::UnterminatedDollarQuote { tag: tag.to_owned() };
                Err(self.error(start, problem))
            }
        }
    }

    /// A carriage return alone ends a line comment too, because the server runs what follows it.
    fn end_of_line(&self, from: usize) -> usize {
        self.end_of_run(from, |byte| byte != b'\n' && byte != b'\r')
    }

    fn end_of_block_comment(&self, from: usize) -> Option<usize> {
        let mut at = from;
        let mut depth = 1;
        while depth > 0 {
            match (self.byte(at)?, self.byte(at + 1)) {
                (b'/', Some(b'*')) => {
                    depth += 1;
                    at += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        Some(at)
    }

    /// A quote inside is written twice. A backslash escapes nothing.
    fn end_of_quoted(&self, from: usize, quote: u8) -> Option<usize> {
        let mut at = from;
        loop {
            if self.byte(at)? != quote {
                at += 1;
            } else if self.byte(at + 1) == Some(quote) {
                at += 2;
            } else {
                return Some(at + 1);
            }
        }
    }

    /// Reads `E'…'` and all parts that continue it. A backslash escapes a quote in each of them.
    fn end_of_escape_string(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            match self.byte(at)? {
                b'\\' => at += 2,
                b'\'' if self.byte(at + 1) == Some(b'\'') => at += 2,
                b'\'' => match self.start_of_continuation(at + 1) {
                    Some(start) => at = start,
                    None => return Some(at + 1),
                },
                _ => at += 1,
            }
        }
    }

    /// A string constant continues after white space and `--` comments that contain a line break.
    fn start_of_continuation(&self, from: usize) -> Option<usize> {
        let mut at = from;
        let mut line_ended = false;
        loop {
            match self.byte(at)? {
                b'\'' if line_ended => return Some(at + 1),
                b'-' if self.byte(at + 1) == Some(b'-') => at = self.end_of_line(at + 2),
                byte if is_space(byte) => {
                    line_ended |= byte == b'\n' || byte == b'\r';
                    at += 1;
                }
                _ => return None,
            }
        }
    }

    /// Whether a dollar sign begins a variable and so cannot delimit a literal.
    fn begins_variable(&self, at: usize) -> bool {
        self.variables == VariableSyntax::Flyway && self.byte(at + 1) == Some(b'{')
    }

    /// A tag is an identifier without dollar signs, or empty.
    fn end_of_tag(&self, from: usize) -> usize {
        if self.byte(from).is_some_and(is_identifier_start) {
            self.end_of_run(from + 1, |byte| is_identifier_part(byte) && byte != b'$')
        } else {
            from
        }
    }

    /// The dollar sign that ends a different tag may begin the closing one.
    fn end_of_dollar_quoted(&self, from: usize, tag: &str) -> Option<usize> {
        let mut at = from;
        loop {
            at = self.end_of_run(at, |byte| byte != b'$');
            self.byte(at)?;
            let tag_end = self.end_of_tag(at + 1);
            let is_tag = self.byte(tag_end) == Some(b'$') && self.text[at..=tag_end] == *tag;
            if is_tag && !self.begins_variable(tag_end) {
                return Some(tag_end + 1);
            }
            at = tag_end;
        }
    }

    /// The sign of an exponent is part of the number. Any other sign is not.
    fn end_of_number(&self, from: usize) -> usize {
        let part = |byte| is_identifier_part(byte) && byte != b'$' || byte == b'.';
        let end = self.end_of_run(from, part);
        let has_exponent = matches!(self.text.as_bytes()[end - 1], b'e' | b'E')
            && matches!(self.byte(end), Some(b'+' | b'-'))
            && self.byte(end + 1).is_some_and(|byte| byte.is_ascii_digit());
        if has_exponent { self.end_of_run(end + 1, part) } else { end }
    }

    fn end_of_run(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let mut at = from;
        while self.byte(at).is_some_and(&belongs) {
            at += 1;
        }
        at
    }

    /// Reads one byte. All access to the text goes through here, so that reads can be counted.
    fn byte(&self, at: usize) -> Option<u8> {
        #[cfg(test)]
        self.reads.set(self.reads.get() + 1);
        self.text.as_bytes().get(at).copied()
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<Token<'a>, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.position;
        let first = self.byte(start)?;
        let found = match self.end_of_dump_line(start, first) {
            Some(end) => Ok((TokenKind::LineComment, end)),
            None => self.end_of_token(start, first),
        };
        match found.and_then(|(kind, end)| self.check(kind, start, end)) {
            Ok((kind, end)) => {
                let token = Token { kind, text: &self.text[start..end], start, line: self.line };
                self.position = end;
                self.has_begun |= !token.is_trivia();
                self.line += count_lines(token.text);
                Some(Ok(token))
            }
            Err(error) => {
                self.position = self.text.len();
                Some(Err(error))
            }
        }
    }
}

/// Counts the line breaks in `text`.
pub(super) fn count_lines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// All non-ASCII characters count as letters, even those that look like white space.
fn is_identifier_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests;
