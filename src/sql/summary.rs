//! Shows a statement in one line, for plans and messages.

use super::lex::{Lexer, Token};

/// Length of the longest summary, in characters.
const WIDTH: usize = 100;

/// Returns one line of at most 100 characters. It has no comments, white space is collapsed,
/// control characters inside literals are escaped, and `…` marks where a long statement is cut.
#[must_use]
pub fn summary(sql: &str) -> String {
    let mut line = SummaryLine::default();
    for token in Lexer::new(sql, 1).map_while(Result::ok) {
        line.push(&token);
        if line.is_full() {
            break;
        }
    }
    line.finish()
}

/// Returns a whole statement without comments, and with white space collapsed, except in literals
/// and quoted names.
#[must_use]
pub fn condensed(sql: &str) -> String {
    let mut text = String::new();
    let mut gap = false;
    for token in Lexer::new(sql, 1) {
        // It is not certain where the statement continues.
        let Ok(token) = token else { return sql.to_owned() };
        if token.is_trivia() {
            gap = !text.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            text.push(' ');
        }
        text.push_str(token.text);
    }
    text
}

/// Whether two texts differ in nothing but comments and white space.
#[must_use]
pub fn has_same_tokens(one: &str, other: &str) -> bool {
    let tokens = |sql| {
        Lexer::new(sql, 1)
            .filter(|token| !token.as_ref().is_ok_and(Token::is_trivia))
            .map(|token| token.map(|token| token.text).ok())
            .collect::<Option<Vec<&str>>>()
    };
    let one = tokens(one);
    one.is_some() && one == tokens(other)
}

#[derive(Default)]
struct SummaryLine {
    text: String,
    characters: usize,
    /// Whether white space is due. It is written only when a token follows.
    gap: bool,
}

impl SummaryLine {
    fn push(&mut self, token: &Token<'_>) {
        if token.is_trivia() {
            self.gap = self.characters > 0;
            return;
        }
        if std::mem::take(&mut self.gap) {
            self.push_char(' ');
        }
        for character in token.text.chars() {
            if self.is_full() {
                break;
            } else if character.is_control() {
                character.escape_default().for_each(|escaped| self.push_char(escaped));
            } else {
                self.push_char(character);
            }
        }
    }

    fn push_char(&mut self, character: char) {
        self.text.push(character);
        self.characters += 1;
    }

    fn is_full(&self) -> bool {
        self.characters > WIDTH
    }

    fn finish(mut self) -> String {
        if let Some((cut, _)) = self.text.char_indices().nth(WIDTH) {
            let (last, _) = self.text[..cut].char_indices().next_back().unwrap_or((cut, ' '));
            self.text.truncate(last);
            self.text.push('…');
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_line_breaks_become_one_space() {
        let sql = "CREATE  TABLE/* c */t ( -- the key\r\n\tid uuid\n)";

        assert_eq!(summary(sql), "CREATE TABLE t ( id uuid )");
    }

    #[test]
    fn a_literal_keeps_its_spaces_and_its_line_breaks_are_escaped() {
        let sql = "INSERT INTO t VALUES ('a  b\r\n-- c', $$\td$$)";

        assert_eq!(summary(sql), r"INSERT INTO t VALUES ('a  b\r\n-- c', $$\td$$)");
    }

    #[test]
    fn a_long_statement_is_cut_at_a_hundred_characters() {
        let exact = format!("SELECT '{}'", "ß".repeat(91));
        let long = format!("SELECT '{}'", "ß".repeat(92));

        assert_eq!(summary(&exact), exact);
        assert_eq!(summary(&long), format!("SELECT '{}…", "ß".repeat(91)));
        assert_eq!(summary(&long).chars().count(), 100);
    }

    #[test]
    fn comments_around_the_statement_leave_no_space() {
        assert_eq!(summary("-- a\nSELECT 1 -- b\n"), "SELECT 1");
        assert_eq!(summary("/* only a comment */"), "");
    }
}
