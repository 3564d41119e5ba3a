//! Tokens of SQL with their positions, and the statements of a message.
//!
//! Only as much as it takes to find where statements end and which words they begin with. What is no SQL at all passes
//! as one statement, for PostgreSQL to refuse.

use std::ops::Range;

/// One statement: from its first token to its last, without the semicolon.
#[derive(Debug)]
pub(super) struct Lexed<'a> {
    pub(super) text: &'a str,
    /// Where it stands in the message.
    pub(super) start: usize,
    /// Ranges are within `text`.
    pub(super) tokens: Vec<SqlToken>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqlToken {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or a bare identifier.
    Word,
    QuotedIdentifier,
    String,
    /// A number, a parameter, or one character of an operator or of punctuation.
    Other,
}

impl Lexed<'_> {
    pub(super) fn token_text(&self, token: &SqlToken) -> &str {
        &self.text[token.range.clone()]
    }

    /// Whether the `index`th token is this keyword.
    pub(super) fn is_word(&self, index: usize, keyword: &str) -> bool {
        self.tokens.get(index).is_some_and(|token| {
            token.kind == TokenKind::Word && self.token_text(token).eq_ignore_ascii_case(keyword)
        })
    }

    pub(super) fn starts_with(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(index, keyword)| self.is_word(index, keyword))
    }

    /// The text with these tokens overwritten by as many spaces, so that positions stay.
    pub(super) fn without(&self, tokens: &[usize]) -> String {
        let mut text = self.text.to_owned();
        for token in tokens.iter().filter_map(|index| self.tokens.get(*index)) {
            text.replace_range(token.range.clone(), &" ".repeat(token.range.len()));
        }
        text
    }
}

pub(super) fn split(message: &str) -> Vec<Lexed<'_>> {
    let mut statements = Vec::new();
    let mut tokens = Vec::new();
    let mut nesting = Nesting::default();
    for token in tokenize(message) {
        let text = &message[token.range.clone()];
        if text == ";" && nesting.is_outside() {
            statements.extend(statement(message, std::mem::take(&mut tokens)));
            nesting = Nesting::default();
        } else {
            nesting.see(&token, text);
            tokens.push(token);
        }
    }
    statements.extend(statement(message, tokens));
    statements
}

fn statement(message: &str, mut tokens: Vec<SqlToken>) -> Option<Lexed<'_>> {
    let (start, end) = (tokens.first()?.range.start, tokens.last()?.range.end);
    for token in &mut tokens {
        token.range = token.range.start - start..token.range.end - start;
    }
    Some(Lexed { text: &message[start..end], start, tokens })
}

/// Semicolons inside parentheses (CREATE RULE) and inside `BEGIN ATOMIC .. END` end no statement.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    blocks: usize,
    after_begin: bool,
}

impl Nesting {
    fn is_outside(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn see(&mut self, token: &SqlToken, text: &str) {
        let is = |keyword| token.kind == TokenKind::Word && text.eq_ignore_ascii_case(keyword);
        match text {
            "(" if token.kind == TokenKind::Other => self.parentheses += 1,
            ")" if token.kind == TokenKind::Other => {
                self.parentheses = self.parentheses.saturating_sub(1);
            }
            _ if is("atomic") && self.after_begin => self.blocks += 1,
            _ if is("case") && self.blocks > 0 => self.blocks += 1,
            _ if is("end") => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
        self.after_begin = is("begin");
    }
}

fn tokenize(text: &str) -> Vec<SqlToken> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(length) = blank(rest, first) {
            at += length;
            continue;
        }
        let (kind, length) = token(rest, first);
        tokens.push(SqlToken { kind, range: at..at + length });
        at += length;
    }
    tokens
}

/// White space and comments.
fn blank(rest: &str, first: char) -> Option<usize> {
    if first.is_ascii_whitespace() || first == '\u{b}' {
        return Some(1);
    }
    if rest.starts_with("--") {
        return Some(rest.find(['\n', '\r']).unwrap_or(rest.len()));
    }
    rest.starts_with("/*").then(|| {
        // Comments nest.
        let (mut depth, mut at) = (0, 0);
        while at < rest.len() {
            let here = &rest.as_bytes()[at..];
            let (step, change) = match here {
                [b'/', b'*', ..] => (2, 1),
                [b'*', b'/', ..] => (2, -1),
                _ => (1, 0),
            };
            at += step;
            depth += change;
            if depth == 0 {
                return at;
            }
        }
        rest.len()
    })
}

fn token(rest: &str, first: char) -> (TokenKind, usize) {
    match first {
        '\'' => (TokenKind::String, quoted(rest, '\'', false)),
        '"' => (TokenKind::QuotedIdentifier, quoted(rest, '"', false)),
        '$' => match dollar_quoted(rest) {
            Some(length) => (TokenKind::String, length),
            None => (TokenKind::Other, word_length(rest)),
        },
        c if is_word_start(c) => prefixed(rest).unwrap_or((TokenKind::Word, word_length(rest))),
        c if c.is_ascii_digit() => (TokenKind::Other, word_length(rest)),
        c => (TokenKind::Other, c.len_utf8()),
    }
}

/// `E'..'` with its backslashes, `B'..'`, `X'..'`, `N'..'`, `U&'..'`, `U&".."`.
fn prefixed(rest: &str) -> Option<(TokenKind, usize)> {
    match rest.as_bytes() {
        [b'e' | b'E', b'\'', ..] => Some((TokenKind::String, 1 + quoted(&rest[1..], '\'', true))),
        [b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'', ..] => {
            Some((TokenKind::String, 1 + quoted(&rest[1..], '\'', false)))
        }
        [b'u' | b'U', b'&', b'\'', ..] => {
            Some((TokenKind::String, 2 + quoted(&rest[2..], '\'', false)))
        }
        [b'u' | b'U', b'&', b'"', ..] => {
            Some((TokenKind::QuotedIdentifier, 2 + quoted(&rest[2..], '"', false)))
        }
        _ => None,
    }
}

/// The length of what begins with `quote`; a doubled quote does not end it, and neither does an escaped one.
fn quoted(rest: &str, quote: char, escapes: bool) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if escapes && character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag_end = 1 + rest[1..].find('$')?;
    let tag = &rest[1..tag_end];
    let is_tag = tag
        .chars()
        .enumerate()
        .all(|(index, c)| is_word_start(c) || (index > 0 && c.is_ascii_digit()));
    is_tag.then_some(())?;
    let delimiter = &rest[..=tag_end];
    let body = &rest[delimiter.len()..];
    Some(body.find(delimiter).map_or(rest.len(), |end| end + 2 * delimiter.len()))
}

fn is_word_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}

fn word_length(rest: &str) -> usize {
    let goes_on = |c: char| is_word_start(c) || c.is_ascii_digit() || c == '$';
    rest.find(|c| !goes_on(c)).unwrap_or(rest.len()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(message: &str) -> Vec<&str> {
        split(message).into_iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn statements_end_at_semicolons_that_are_not_quoted() {
        let quotes =
            "select ';', E'\\';', \";\", $$;$$, $a$;$$;$a$, U&';' /* ; /* ; */ ; */ -- ;\n";
        let second = "select $1";

        assert_eq!(
            texts(&format!("{quotes}; ;{second};")),
            [&quotes[..quotes.find(" /*").expect("a comment")], second]
        );
    }

    #[test]
    fn a_function_body_in_standard_sql_is_one_statement() {
        let function = "create function f() returns int begin atomic select case when true then 1 end; select 2; end";

        assert_eq!(texts(&format!("{function}; begin; end;")), [function, "begin", "end"]);
    }

    #[test]
    fn text_that_is_not_closed_is_one_statement() {
        for text in ["select 'a;", "select $$;", "select \";", "select E'\\", "é ; /*"] {
            assert!(!texts(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn overwritten_tokens_keep_the_length() {
        let statements = split("CREATE UNIQUE INDEX ASYNC é ON t (a)");

        assert_eq!(statements[0].without(&[1, 3]), "CREATE        INDEX       é ON t (a)");
    }
}
