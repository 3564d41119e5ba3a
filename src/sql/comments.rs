//! Finds the `--` comments of a text, in which migration tools keep their directives.

use super::lex::{Lexer, Token, TokenKind};

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

/// Returns the `--` comments above each statement, outside of other statements and on lines of
/// their own, each with the first word of that statement.
pub fn headings(text: &str) -> Vec<(Comment<'_>, &str)> {
    let mut found = Vec::new();
    let mut above = Vec::new();
    let mut is_inside = false;
    for token in Lexer::new(text, 1).map_while(Result::ok) {
        if token.kind == TokenKind::LineComment {
            if !is_inside && begins_line(text, &token) {
                above.push(Comment { text: token.text, line: token.line });
            }
        } else if !token.is_trivia() {
            is_inside = !token.is_symbol(";");
            found.extend(above.drain(..).map(|comment| (comment, token.text)));
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

        let found: Vec<_> =
            headings(text).into_iter().map(|(found, word)| (found.line, word)).collect();

        assert_eq!(found, [(1, "SELECT"), (3, "SELECT"), (8, "DROP")]);
    }
}
