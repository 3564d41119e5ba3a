//! Cuts a text at a delimiter other than the semicolon, by the rules of Atlas and of
//! `mysql`.
//!
//! A delimiter counts outside parentheses, literals and comments. At the first character of a
//! comment or of a dollar-quoted literal, it takes precedence over them. It may consist of white
//! space.

use super::lex::{Lexer, TokenKind, count_lines};

/// Cuts a text into parts, each with the line at which it begins; the first line is `first_line`.
///
/// A statement `DELIMITER …` ends with its line and sets the delimiter of what follows.
#[must_use]
pub fn cut<'a>(text: &'a str, first_line: usize, delimiter: &str) -> Vec<(usize, &'a str)> {
    let mut delimiter = delimiter.to_owned();
    let (mut parts, mut line, mut rest) = (Vec::new(), first_line, text);
    loop {
        let (part, after) = match command(rest) {
            Some((new, after)) => {
                delimiter = new;
                ("", &rest[after..])
            }
            None => match end_of_statement(rest, &delimiter) {
                Some(end) => (&rest[..end], &rest[end + delimiter.len()..]),
                None => {
                    parts.push((line, rest));
                    return parts;
                }
            },
        };
        parts.push((line, part));
        line += count_lines(&rest[..rest.len() - after.len()]);
        rest = after;
    }
}

/// Whether a text contains the command `DELIMITER …` of the client `mysql`.
#[must_use]
pub fn has_delimiter_command(text: &str) -> bool {
    text.lines().any(|line| command(line).is_some())
}

/// The delimiter that a text sets with its first statement, and the offset of the next line.
fn command(text: &str) -> Option<(String, usize)> {
    let first = Lexer::new(text, 1).map_while(Result::ok).find(|token| !token.is_trivia())?;
    if !first.is_word("delimiter") || !text[first.end()..].starts_with(' ') {
        return None;
    }
    let end = text[first.end()..].find('\n').map_or(text.len(), |end| first.end() + end);
    let written = text[first.end()..end].trim();
    let quoted = written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let delimiter =
        unescaped(&quoted.map_or_else(|| written.to_owned(), |it| it.replace("''", "'")));
    (!delimiter.is_empty()).then_some((delimiter, (end + 1).min(text.len())))
}

/// Replaces `\n`, `\r` and `\t` in a delimiter by the characters that they stand for.
#[must_use]
pub fn unescaped(delimiter: &str) -> String {
    delimiter.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
}

/// The offset of the first delimiter that ends a statement.
fn end_of_statement(text: &str, delimiter: &str) -> Option<usize> {
    let is_at = |at: usize| text[at..].starts_with(delimiter);
    let mut depth = 0_usize;
    // The line break that ends a comment is part of it.
    let mut after_comment = false;
    for token in Lexer::new(text, 1) {
        let token = match token {
            Ok(token) => token,
            Err(error) => return (depth == 0 && is_at(error.start)).then_some(error.start),
        };
        let is_dollar_quoted = token.text.starts_with('$');
        match token.kind {
            TokenKind::LineComment | TokenKind::BlockComment
                if depth == 0 && is_at(token.start) =>
            {
                return Some(token.start);
            }
            TokenKind::String if is_dollar_quoted && depth == 0 && is_at(token.start) => {
                return Some(token.start);
            }
            TokenKind::LineComment
            | TokenKind::BlockComment
            | TokenKind::String
            | TokenKind::QuotedIdentifier => {}
            _ if token.is_symbol("(") => depth += 1,
            _ if token.is_symbol(")") => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                let skipped = usize::from(after_comment && token.text.starts_with('\n'));
                let mut inside = token.text.char_indices().map(|(at, _)| at).skip(skipped);
                if let Some(at) = inside.find(|at| is_at(token.start + at)) {
                    return Some(token.start + at);
                }
            }
            _ => {}
        }
        after_comment = token.kind == TokenKind::LineComment;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, delimiter: &str) -> Vec<(usize, String)> {
        let parts = cut(text, 1, delimiter).into_iter();
        parts.map(|(line, part)| (line, part.to_owned())).collect()
    }

    fn parts(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
        expected.iter().map(|(line, part)| (*line, (*part).to_owned())).collect()
    }

    #[test]
    fn a_delimiter_inside_a_literal_a_comment_or_parentheses_is_only_text() {
        for inside in
            ["'//'", "E'\\'//'", "\"//\"", "$$//$$", "$a$//$a$", "-- //\n", "/* // */", "(1 // 2)"]
        {
            let text = format!("SELECT {inside}//\nSELECT 2");
            let first = format!("SELECT {inside}");
            let line = 2 + inside.matches('\n').count();
            let second = format!("\n{}", "SELECT 2");
            assert_eq!(texts(&text, "//"), parts(&[(1, &first), (line - 1, &second)]), "{text}");
        }
    }

    #[test]
    fn a_delimiter_may_be_white_space_a_comment_or_a_dollar_sign() {
        assert_eq!(texts("A\n\nB\n\n", "\n\n"), parts(&[(1, "A"), (3, "B"), (5, "")]));
        assert_eq!(texts("A\n\nB", "\n\n\n"), parts(&[(1, "A\n\nB")]));
        assert_eq!(texts("A\n-- end\nB", "-- end"), parts(&[(1, "A\n"), (2, "\nB")]));
        assert_eq!(
            texts("A $$ B $$ C $$", "$$"),
            parts(&[(1, "A "), (1, " B "), (1, " C "), (1, "")])
        );
        assert_eq!(texts("A -- b\n\nC", "\n\n"), parts(&[(1, "A -- b\n\nC")]));
        assert_eq!(texts("A\nGO\nB", "\nGO"), parts(&[(1, "A"), (2, "\nB")]));
    }

    #[test]
    fn a_command_changes_the_delimiter() {
        let text = "SELECT 1;\n-- a\nDELIMITER //\nSELECT 2; SELECT 3//\ndelimiter ';'\nSELECT 4;";
        let expected = [
            (1, "SELECT 1"),
            (1, ""),
            (4, "SELECT 2; SELECT 3"),
            (4, ""),
            (6, "SELECT 4"),
            (6, ""),
        ];
        assert_eq!(texts(text, ";"), parts(&expected));
        assert!(has_delimiter_command(text) && !has_delimiter_command("SELECT delimiter "));
    }
}
