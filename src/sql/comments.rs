//! Finds the comments of a text in which migration tools keep their directives.

use super::effect::begins_with;
use super::lex::{Lexer, Token, TokenKind};

/// One comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'a> {
    /// The whole comment, with the characters that begin and end it.
    pub text: &'a str,
    /// Line number, counted from 1.
    pub line: usize,
}

/// Returns all `--` comments of a text, but not text inside a literal that looks like one. Ends at
/// the first error of the lexer.
///
/// A line that begins with `#` counts too: some tools read it as a comment.
pub fn line_comments(text: &str) -> impl Iterator<Item = Comment<'_>> {
    Lexer::new(text, 1).map_while(Result::ok).filter_map(move |token| {
        let comment = |text| Some(Comment { text, line: token.line });
        match token.kind {
            TokenKind::LineComment => comment(token.text),
            TokenKind::Symbol if token.text == "#" && begins_line(text, &token) => {
                comment(text[token.start..].split(['\n', '\r']).next().unwrap_or_default())
            }
            _ => None,
        }
    })
}

/// A comment above a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading<'a> {
    /// The comment.
    pub comment: Comment<'a>,
    /// The statement below it, without its semicolon.
    pub statement: &'a str,
    /// Whether another statement precedes it.
    pub follows_statement: bool,
}

/// Returns the comments above each statement, outside of other statements and on lines of their
/// own. Statements that only prepare others, such as `BEGIN`, do not count.
pub fn headings<'a>(text: &'a str) -> Vec<Heading<'a>> {
    let mut found = Vec::new();
    let mut above = Vec::new();
    let (mut begin, mut follows_statement) = (None, false);
    let mut end_statement = |begin: usize, end: usize, above: &mut Vec<Comment<'a>>| {
        let statement = text[begin..end].trim_end();
        if !prepares(statement) {
            let heading = |comment| Heading { comment, statement, follows_statement };
            found.extend(above.drain(..).map(heading));
            follows_statement = true;
        }
    };
    for token in Lexer::new(text, 1).map_while(Result::ok) {
        if matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment) {
            if begin.is_none() && begins_line(text, &token) {
                above.push(Comment { text: token.text, line: token.line });
            }
        } else if token.is_symbol(";") {
            if let Some(begin) = begin.take() {
                end_statement(begin, token.start, &mut above);
            }
        } else if !token.is_trivia() {
            begin.get_or_insert(token.start);
        }
    }
    if let Some(begin) = begin {
        end_statement(begin, text.len(), &mut above);
    }
    found
}

/// Whether a statement only controls the transaction or the session.
fn prepares(statement: &str) -> bool {
    let words = ["BEGIN", "START", "COMMIT", "END", "SAVEPOINT", "RELEASE", "SET", "RESET", "LOCK"];
    let sets_config = || statement.to_ascii_lowercase().contains("set_config");
    words.into_iter().any(|word| begins_with(statement, word))
        || begins_with(statement, "SELECT") && sets_config()
}

/// Whether only blanks precede a token in its line.
fn begins_line(text: &str, token: &Token<'_>) -> bool {
    let before = text[..token.start].rsplit('\n').next().unwrap_or_default();
    before.trim_matches(['\u{feff}', ' ', '\t', '\r']).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_comments_are_found_with_their_lines() {
        let text = "-- one\nSELECT '-- no', $$\n-- no\n$$; -- two\r\n/* -- no */ ---- three";

        let found: Vec<_> = line_comments(text).map(|found| (found.line, found.text)).collect();

        assert_eq!(found, [(1, "-- one"), (4, "-- two"), (5, "---- three")]);
        let found: Vec<_> =
            line_comments("# one\na # 2\n # -- b").map(|found| found.text).collect();
        assert_eq!(found, ["# one", "# -- b", "-- b"]);
    }

    #[test]
    fn a_heading_is_above_a_statement_and_not_inside_another() {
        let text = "-- a\n\n-- b\nSELECT -- c\n-- d\n1; -- e\n/* x */ -- f\n-- g\n\
                    DROP TABLE t;\n-- h";

        let found: Vec<_> = headings(text)
            .into_iter()
            .map(|it| (it.comment.line, &it.statement[..4], it.follows_statement))
            .collect();

        assert_eq!(
            found,
            [(1, "SELE", false), (3, "SELE", false), (7, "DROP", true), (8, "DROP", true)]
        );
    }

    #[test]
    fn a_statement_that_prepares_others_does_not_separate_a_heading_from_its_statement() {
        let text = "BEGIN;\n-- a\nSET x = 1;\nCREATE TABLE t ();\nCOMMIT;\n-- b\n;\n\
                    start transaction;\nSELECT pg_catalog.set_config('a', '', false);\n-- c\n\
                    DROP TABLE t";

        let found: Vec<_> = headings(text)
            .into_iter()
            .map(|it| (it.comment.text, it.statement, it.follows_statement))
            .collect();

        let (created, dropped) = ("CREATE TABLE t ()", "DROP TABLE t");
        let expected = [("-- a", created, false), ("-- b", dropped, true), ("-- c", dropped, true)];
        assert_eq!(found, expected);
    }
}
