//! A statement in a form that dsql-lint reads in linear time.
//!
//! dsql-lint looks for the place of each token by counting characters from the start of its line,
//! so a line of 100,000 tokens takes ten thousand million steps. Long lines are therefore broken
//! where a break means nothing. Comments become blanks, because its line numbers come from a
//! search for words, which may stand in a comment too.

use crate::sql::lex::{Lexer, Token, TokenKind};

/// Lines are broken behind this many bytes. Far above what people write, so that in nearly all
/// statements nothing is broken.
const LONG: usize = 400;

/// The largest statement that is linted, in tokens: with it dsql-lint's recursion stays far within
/// [`super::STACK`], also for an expression that is nested once for each operator.
pub(super) const LARGEST: usize = 20_000;

/// A statement for dsql-lint.
pub(super) struct LintInput {
    pub(super) text: String,
    /// The lines of `text`, counted from 1, that begin with a break which the statement does not
    /// have. Sorted.
    broken: Vec<usize>,
}

impl LintInput {
    /// `None` if dsql-lint cannot be asked: the statement is too large, or it would be cut at a
    /// semicolon inside the body of a function.
    pub(super) fn of(sql: &str) -> Option<Self> {
        let mut input = Self { text: String::with_capacity(sql.len()), broken: Vec::new() };
        let mut line = 1;
        let mut begin = 0;
        let mut before: Option<Token<'_>> = None;
        for (number, token) in Lexer::new(sql, 1).map_while(Result::ok).enumerate() {
            if number == LARGEST || token.is_symbol(";") {
                return None;
            }
            let text = &mut input.text;
            if text.len() - begin > LONG && may_break(before.as_ref(), &token) {
                text.push('\n');
                line += 1;
                begin = text.len();
                input.broken.push(line);
            }
            if matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment) {
                text.push(' ');
                text.extend(token.text.matches('\n'));
            } else {
                text.push_str(token.text);
            }
            if let Some(end) = token.text.rfind('\n') {
                line += token.text.matches('\n').count();
                // Exact for what is kept, and for a comment the break is the last byte.
                begin = text.len() - if token.is_trivia() { 0 } else { token.text.len() - end - 1 };
            }
            before = Some(token);
        }
        Some(input)
    }

    /// How many lines below the first line of the statement a line of the text is.
    pub(super) fn line(&self, of_text: usize) -> usize {
        let added = self.broken.partition_point(|broken| *broken <= of_text);
        of_text.saturating_sub(1 + added)
    }
}

/// Whether a line break between two tokens changes nothing.
///
/// Not between the characters of an operator, and not between two literals, which would become one.
fn may_break(before: Option<&Token<'_>>, next: &Token<'_>) -> bool {
    let Some(before) = before else { return false };
    if next.kind == TokenKind::String || next.is_trivia() {
        return false;
    }
    match before.kind {
        TokenKind::Space | TokenKind::LineComment | TokenKind::BlockComment => true,
        TokenKind::Symbol => {
            [",", "(", ")", "+", "*"].contains(&before.text) && next.kind != TokenKind::Symbol
                || [",", "(", ")"].contains(&before.text)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_gone_and_lines_stay() {
        let input = LintInput::of("CREATE -- index\n/* a\nb */ TABLE t (\n  a int\n)").unwrap();

        assert_eq!(input.text, "CREATE  \n \n TABLE t (\n  a int\n)");
        assert_eq!(input.line(4), 3);
    }

    #[test]
    fn long_lines_are_broken_and_their_numbers_kept() {
        let sql = format!("SELECT\n{}\n'a'", "1, ".repeat(1000));

        let input = LintInput::of(&sql).unwrap();

        assert!(input.text.lines().all(|line| line.len() < 2 * LONG));
        assert_eq!(input.text.replace('\n', " "), {
            let mut same = sql.replace('\n', " ");
            for broken in &input.broken {
                let start: usize =
                    input.text.split_inclusive('\n').take(broken - 1).map(str::len).sum();
                same.insert(start - 1, ' ');
            }
            same
        });
        assert_eq!(input.line(input.text.lines().count()), 2);
    }

    #[test]
    fn what_would_be_cut_or_is_too_large_is_left_out() {
        let body = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END";
        assert!(LintInput::of(body).is_none());
        assert!(LintInput::of("SELECT ';', $$;$$").is_some());
        assert!(LintInput::of(&"1+".repeat(LARGEST)).is_none());
    }
}
