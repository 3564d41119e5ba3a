//! Finds the `--` comments of a text, in which migration tools keep their directives.

use super::lex::{Lexer, TokenKind};

/// One `--` comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'a> {
    /// The whole comment, from its first dash to the end of the line.
    pub text: &'a str,
    /// Line number, counted from 1.
    pub line: usize,
}

/// Returns all `--` comments of a text, but not text inside a literal that looks like one. Ends at
/// the first error of the lexer.
pub fn line_comments(text: &str) -> impl Iterator<Item = Comment<'_>> {
    Lexer::new(text, 1)
        .map_while(Result::ok)
        .filter(|token| token.kind == TokenKind::LineComment)
        .map(|token| Comment { text: token.text, line: token.line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_comments_are_found_with_their_lines() {
        let text = "-- one\nSELECT '-- no', $$\n-- no\n$$; -- two\r\n/* -- no */ ---- three";

        let found: Vec<_> = line_comments(text).map(|found| (found.line, found.text)).collect();

        assert_eq!(found, [(1, "-- one"), (4, "-- two"), (5, "---- three")]);
    }
}
