//! From the position that a server reports to a line and a column of the author's file.

use super::Statement;

/// A position in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Statement {
    /// The position in the file of a character of [`Statement::text`], counted from 1.
    ///
    /// `None` if the statement was rewritten or a variable was substituted at or before the
    /// character, because then the file has other characters there.
    #[must_use]
    pub fn position_of(&self, character: usize) -> Option<Position> {
        let before = character.checked_sub(1)?;
        let is_unchanged = self.source_text.as_ref().is_none_or(|source_text| {
            let pairs = source_text.source.chars().zip(self.text.chars());
            pairs.take_while(|(source, sent)| source == sent).count() > before
        });
        if !is_unchanged {
            return None;
        }
        let mut position = Position { line: self.origin.line, column: self.column };
        for character in self.text.chars().take(before) {
            if character == '\n' {
                position = Position { line: position.line + 1, column: 1 };
            } else {
                position.column += 1;
            }
        }
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::{Class, Origin, SourceText};

    fn statement(text: &str) -> Statement {
        Statement {
            text: text.to_owned(),
            source_text: None,
            class: Class::Ddl,
            origin: Origin { file: "a.sql".to_owned(), line: 3 },
            column: 5,
            boundary: 0,
            keeps_existing: false,
        }
    }

    #[test]
    fn a_position_counts_lines_and_characters_of_the_file() {
        let statement = statement("SELECT 'ü',\n  nope");
        assert_eq!(statement.position_of(1), Some(Position { line: 3, column: 5 }));
        assert_eq!(statement.position_of(11), Some(Position { line: 3, column: 15 }));
        assert_eq!(statement.position_of(15), Some(Position { line: 4, column: 3 }));
        assert_eq!(statement.position_of(0), None);
    }

    #[test]
    fn a_position_after_the_first_change_to_the_text_is_unknown() {
        let mut statement = statement("CREATE INDEX ASYNC i ON t (nope)");
        statement.source_text = Some(SourceText {
            source: "CREATE INDEX i ON t (nope)".to_owned(),
            shown: statement.text.clone(),
            ..SourceText::default()
        });
        assert_eq!(statement.position_of(8), Some(Position { line: 3, column: 12 }));
        assert_eq!(statement.position_of(28), None);
    }
}
