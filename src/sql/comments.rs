//! Finds the comments of a text in which migration tools keep their directives.

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
    /// The first word of the statement below it.
    pub first_word: &'a str,
    /// Whether another statement precedes it.
    pub follows_statement: bool,
}

/// Returns the comments above each statement, outside of other statements and on lines of their
/// own.
pub fn headings(text: &str) -> Vec<Heading<'_>> {
    let mut found = Vec::new();
    let mut above = Vec::new();
    let (mut is_inside, mut follows_statement) = (false, false);
    for token in Lexer::new(text, 1).map_while(Result::ok) {
        if matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment) {
            if !is_inside && begins_line(text, &token) {
                above.push(Comment { text: token.text, line: token.line });
            }
        } else if !token.is_trivia() {
            is_inside = !token.is_symbol(";");
            let first_word = token.text;
            let heading = |comment| Heading { comment, first_word, follows_statement };
            found.extend(above.drain(..).map(heading));
            follows_statement = true;
        }
    }
    found
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
        let text =
            "-- a\n\n-- b\nSELECT -- c\n-- d\n1; -- e\n/* x */ -- f\n-- g\nDROP TABLE t;\n-- h";

        let found: Vec<_> = headings(text)
            .into_iter()
            .map(|it| (it.comment.line, it.first_word, it.follows_statement))
            .collect();

        assert_eq!(
            found,
            [(1, "SELECT", false), (3, "SELECT", false), (7, "DROP", true), (8, "DROP", true)]
        );
    }
}
