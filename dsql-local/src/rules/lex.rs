//! The statements of a message, with their tokens and positions.
//!
//! The tokens are squawk's. This file reads only as much as it takes to find where statements end
//! and which keywords they begin with. Text that is not SQL becomes one statement, for PostgreSQL
//! to reject.

use std::borrow::Cow;
use std::ops::Range;

/// One statement, from its first token to its last, without the semicolon.
#[derive(Debug)]
pub(super) struct Lexed<'a> {
    pub(super) text: &'a str,
    /// Offset in the message, in bytes.
    pub(super) start: usize,
    /// Without white space and comments. Ranges are relative to `text`.
    pub(super) tokens: Vec<SqlToken>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SqlToken {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or an unquoted identifier.
    Word,
    QuotedIdentifier,
    String,
    /// A number, a parameter, an operator or punctuation.
    Other,
}

impl Lexed<'_> {
    pub(super) fn token_text(&self, token: &SqlToken) -> &str {
        &self.text[token.range.clone()]
    }

    /// Returns whether the token at `index` is this keyword.
    pub(super) fn is_word(&self, index: usize, keyword: &str) -> bool {
        self.tokens.get(index).is_some_and(|token| {
            token.kind == TokenKind::Word && self.token_text(token).eq_ignore_ascii_case(keyword)
        })
    }

    pub(super) fn starts_with(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(index, keyword)| self.is_word(index, keyword))
    }

    /// Replaces these tokens by spaces, so that the positions of all others stay the same.
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

/// Keeps track of semicolons that do not end a statement: those inside parentheses (`CREATE RULE`)
/// and inside `BEGIN ATOMIC .. END`.
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

/// Returns the tokens of `text`, without white space and comments.
fn tokenize(text: &str) -> Vec<SqlToken> {
    use squawk_lexer::{LiteralKind, TokenKind as Kind};
    let (mut found, mut at) = (Vec::new(), 0);
    let mut tokens = squawk_lexer::tokenize(text).collect::<Vec<_>>().into_iter();
    while let Some(token) = tokens.next() {
        let mut range = at..at + usize::try_from(token.len).unwrap_or(usize::MAX - at);
        if matches!(token.kind, Kind::Literal { kind: LiteralKind::EscStr { .. } }) {
            let end = escape_string(text, range.start + "E'".len()).end;
            if end != range.end {
                // For squawk, the second part is another string, in which a backslash is a
                // character like any other.
                range.end = end;
                tokens = squawk_lexer::tokenize(&text[end..]).collect::<Vec<_>>().into_iter();
            }
        }
        at = range.end;
        found
            .extend(kind_of(token.kind, &text[range.clone()]).map(|kind| SqlToken { kind, range }));
    }
    found
}

/// The parts of an `E'…'` string, which PostgreSQL continues at the next quote if only white space
/// and `--` comments with a line break are in between (`quotecontinue` in its scan.l).
#[derive(Debug, Default)]
struct EscapeString {
    /// From each quote that ends a part to the one that begins the next.
    joints: Vec<Range<usize>>,
    end: usize,
}

/// Reads an `E'…'` string, whose first character after the quote is at `from`. In every part, a
/// backslash escapes the next character.
fn escape_string(text: &str, from: usize) -> EscapeString {
    let (mut rest, mut joints) = (&text[from..], Vec::new());
    let at = |rest: &str| text.len() - rest.len();
    while let Some(found) = rest.find(['\\', '\'']) {
        let after = &rest[found + 1..];
        if rest[found..].starts_with('\\') {
            let mut characters = after.chars();
            characters.next();
            rest = characters.as_str();
        } else if let Some(after) = after.strip_prefix('\'') {
            rest = after;
        } else if let Some(next) = continued(after) {
            joints.push(at(rest) + found..at(next));
            rest = next;
        } else {
            return EscapeString { joints, end: at(after) };
        }
    }
    EscapeString { joints, end: text.len() }
}

/// Returns what follows the quote that continues a string; `text` follows the one that ends a part.
fn continued(text: &str) -> Option<&str> {
    let (mut rest, mut has_line_break) = (text, false);
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
        has_line_break |= rest[..rest.len() - trimmed.len()].contains(['\n', '\r']);
        match trimmed.strip_prefix("--") {
            Some(comment) => rest = &comment[comment.find(['\n', '\r'])?..],
            None => return trimmed.strip_prefix('\'').filter(|_| has_line_break),
        }
    }
}

/// Replaces what separates the parts of a string by spaces, for a parser that does not know that
/// strings continue.
pub(super) fn with_whole_strings(text: &str) -> Cow<'_, str> {
    let mut whole = Cow::Borrowed(text);
    if !text.contains("E'") && !text.contains("e'") {
        return whole;
    }
    for token in tokenize(text).iter().filter(|token| token.kind == TokenKind::String) {
        if text[token.range.clone()].starts_with(['E', 'e']) {
            for joint in escape_string(text, token.range.start + "E'".len()).joints {
                let spaces = " ".repeat(joint.len());
                whole.to_mut().replace_range(joint, &spaces);
            }
        }
    }
    whole
}

/// Returns the kind of a token, or `None` for white space and comments.
fn kind_of(kind: squawk_lexer::TokenKind, text: &str) -> Option<TokenKind> {
    use squawk_lexer::{LiteralKind, TokenKind as Kind};
    match kind {
        // White space for squawk, but a syntax error for PostgreSQL.
        Kind::Whitespace if text == squawk_lexer::BOM => Some(TokenKind::Other),
        Kind::Whitespace | Kind::LineComment | Kind::BlockComment { .. } => None,
        Kind::Ident => Some(TokenKind::Word),
        Kind::QuotedIdent { .. } => Some(TokenKind::QuotedIdentifier),
        Kind::Literal { kind: LiteralKind::Int { .. } | LiteralKind::Numeric { .. } } => {
            Some(TokenKind::Other)
        }
        Kind::Literal { .. } => Some(TokenKind::String),
        _ => Some(TokenKind::Other),
    }
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
    fn an_escape_string_continues_on_the_next_line() {
        for one in [
            "select E'a\\'' \n 'b\\';'",
            "select e'a' -- ';'\n-- '\r\t'\\\\\\';' \n\n '''', 1",
            "select E'a'\n'b'\n'\\';', $$;$$",
            "select E'é'\n'é\\';', U&';'\n';'",
        ] {
            assert_eq!(texts(&format!("{one}; select 2")), [one, "select 2"]);
            let whole = with_whole_strings(one);
            assert_eq!(whole.len(), one.len());
            assert_eq!(with_whole_strings(&whole), whole, "{one}");
        }
        // Not on the same line, not after another comment, and not in another kind of string.
        for (two, first) in [
            ("select E'a' 'b\\';'", "select E'a' 'b\\'"),
            ("select E'a' /*\n*/ 'b\\';'", "select E'a' /*\n*/ 'b\\'"),
            ("select E'a', \n'b\\';'", "select E'a', \n'b\\'"),
            ("select 'a'\n'b\\';'", "select 'a'\n'b\\'"),
            ("select E'a' -- \\n 'b\\';'", "select E'a'"),
        ] {
            assert_eq!(texts(two)[0], first);
            assert_eq!(with_whole_strings(two), two);
        }
        assert_eq!(with_whole_strings("a E'b'\n'c' d"), "a E'b   c' d");
        for open in ["E'a'\n'b", "E'a'\n'b\\", "E'a'\n--", "E'", "E'a'\n"] {
            assert_eq!(texts(open).len(), 1, "{open}");
        }
    }

    #[test]
    fn a_function_body_in_standard_sql_is_one_statement() {
        let function = "create function f() returns int begin atomic \
                        select case when true then 1 end; select 2; end";

        assert_eq!(texts(&format!("{function}; begin; end;")), [function, "begin", "end"]);
    }

    #[test]
    fn text_with_an_open_quotation_is_one_statement() {
        for text in ["select 'a;", "select $$;", "select \";", "select E'\\", "é ; /*"] {
            assert!(!texts(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_stays_in_the_statement_for_postgresql_to_reject() {
        assert_eq!(texts("\u{feff}select 1; select 2"), ["\u{feff}select 1", "select 2"]);
    }

    #[test]
    fn overwritten_tokens_keep_the_length() {
        let statements = split("CREATE UNIQUE INDEX ASYNC é ON t (a)");

        assert_eq!(statements[0].without(&[1, 3]), "CREATE        INDEX       é ON t (a)");
    }
}
