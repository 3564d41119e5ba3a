//! Converts a statement to a form that dsql-lint reads in linear time.
//!
//! dsql-lint determines the position of each token by counting characters from the start of its
//! line, so a line of 100,000 tokens takes ten billion steps. Long lines are therefore broken where
//! a break has no meaning. Comments become spaces, because dsql-lint determines line numbers by a
//! search for words, which may occur in a comment too.

use super::continued::in_one_piece;
use crate::sql::lex::{Lexer, Token, TokenKind};
use crate::sql::tokens::{StatementToken, Tokens};

/// Lines longer than this many bytes are broken. Few people write such lines, so most statements
/// stay unbroken.
const LONG: usize = 400;

/// Size of the largest statement that is linted, in tokens. Up to this size, the recursion of
/// dsql-lint stays far within [`super::STACK`], even if each operator nests the expression deeper.
pub(super) const LARGEST: usize = 20_000;

/// A statement as dsql-lint receives it.
pub(super) struct LintInput {
    pub(super) text: String,
    /// The number of lines of the statement's text before `text`.
    lines_before: usize,
    /// Sorted numbers, counted from 1, of the lines that begin after an added break, in the
    /// statement's text.
    broken: Vec<usize>,
    /// Where each token begins: in bytes in `text`, and in characters, from 1, in the statement.
    starts: Vec<(usize, usize)>,
}

impl LintInput {
    /// Returns `None` if dsql-lint cannot lint the statement: because it is too large, or because
    /// dsql-lint would split it at a semicolon in the body of a function.
    pub(super) fn of(sql: &str) -> Option<Self> {
        let text = String::with_capacity(sql.len());
        let mut input = Self { text, lines_before: 0, broken: Vec::new(), starts: Vec::new() };
        let (mut line, mut character) = (1, 1);
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
            input.starts.push((text.len(), character));
            character += token.text.chars().count();
            if matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment) {
                text.push(' ');
                text.extend(token.text.matches('\n'));
            } else if token.kind == TokenKind::String {
                text.push_str(&in_one_piece(token.text));
            } else {
                text.push_str(token.text);
            }
            if let Some(end) = token.text.rfind('\n') {
                line += token.text.matches('\n').count();
                // Exact for text that is kept. For a comment, the break is the last byte.
                begin = text.len() - if token.is_trivia() { 0 } else { token.text.len() - end - 1 };
            }
            before = Some(token);
        }
        Some(input)
    }

    /// The input of these tokens alone. Its positions stay those in the statement.
    pub(super) fn only(&self, part: Tokens<'_>) -> Self {
        let from = part.first().map_or(0, |token| token.start);
        let to = part.last().map_or(from, StatementToken::end);
        let starts = self.starts.iter();
        let of_part = |(start, character): &(usize, usize)| {
            Some((start.checked_sub(from)?, *character)).filter(|(start, _)| *start < to - from)
        };
        Self {
            text: self.text[from..to].to_owned(),
            lines_before: self.lines_before + self.text[..from].matches('\n').count(),
            broken: self.broken.clone(),
            starts: starts.filter_map(of_part).collect(),
        }
    }

    /// Converts a line and a column of the text to the number of the character in the statement,
    /// if a token begins there. All count from 1.
    pub(super) fn character(&self, line: usize, column: usize) -> Option<usize> {
        let lines = self.text.split_inclusive('\n').take(line.checked_sub(1)?);
        let before: usize = lines.map(str::len).sum();
        let (within, _) = self.text[before..].char_indices().nth(column.checked_sub(1)?)?;
        let at = self.starts.binary_search_by_key(&(before + within), |(start, _)| *start).ok()?;
        self.starts.get(at).map(|(_, start)| *start)
    }

    /// Converts a line number of the text to the number of lines below the first line of the
    /// statement.
    pub(super) fn line(&self, of_text: usize) -> usize {
        let line = self.lines_before + of_text;
        let added = self.broken.partition_point(|broken| *broken <= line);
        line.saturating_sub(1 + added)
    }
}

/// Whether a line break between two tokens has no meaning. It has one between the characters of an
/// operator, and between two literals, which it would join.
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
    fn comments_are_removed_and_lines_kept() {
        let input = LintInput::of("CREATE -- index\n/* a\nb */ TABLE t (\n  a int\n)").unwrap();

        assert_eq!(input.text, "CREATE  \n \n TABLE t (\n  a int\n)");
        assert_eq!(input.line(4), 3);
    }

    #[test]
    fn a_string_that_is_continued_on_another_line_is_one_piece() {
        for (sql, text) in [
            ("SELECT E'a'\n  '\\'b;', 3", "SELECT E'a \n   \\'b;', 3"),
            ("SELECT E'a''b'\n'c'''", "SELECT E'a''b \n c'''"),
            ("SELECT '', E'\\\\', $$'a'\n'b'$$", "SELECT '', E'\\\\', $$'a'\n'b'$$"),
        ] {
            assert_eq!(LintInput::of(sql).unwrap().text, text, "{sql}");
        }
    }

    #[test]
    fn a_position_leads_to_the_token_in_the_statement() {
        let sql = format!("SELECT /* é */ 'ü', {}b", "1, ".repeat(200));
        let input = LintInput::of(&sql).unwrap();
        let character = |of: &str| sql.split_once(of).map(|(before, _)| 1 + before.chars().count());
        assert_eq!(input.character(1, 8), character("/* é"));
        assert_eq!(input.character(1, 10), character("'ü'"));
        let (line, last) = (1..).zip(input.text.lines()).last().unwrap();
        assert!(line > 1);
        assert_eq!(input.character(line, last.chars().count()), character("b"));
        assert_eq!(input.character(1, 11), None);
        assert_eq!(input.character(9, 1), None);
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
    fn a_statement_that_is_too_large_or_would_be_split_is_not_linted() {
        let body = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END";
        assert!(LintInput::of(body).is_none());
        assert!(LintInput::of("SELECT ';', $$;$$").is_some());
        assert!(LintInput::of(&"1+".repeat(LARGEST)).is_none());
    }
}
