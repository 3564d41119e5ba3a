//! The statements of a message, with their tokens and positions.
//!
//! The tokens are squawk's. This file reads only as much as it takes to find where statements end
//! and which keywords they begin with. Text that is not SQL becomes one statement, for PostgreSQL
//! to reject.

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
fn tokenize(text: &str) -> impl Iterator<Item = SqlToken> + '_ {
    let mut at = 0;
    squawk_lexer::tokenize(text).filter_map(move |token| {
        let range = at..at + usize::try_from(token.len).unwrap_or(usize::MAX - at);
        at = range.end;
        Some(SqlToken { kind: kind_of(token.kind, &text[range.clone()])?, range })
    })
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
