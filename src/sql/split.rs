//! Splits text into statements.
//!
//! A semicolon ends a statement unless it is inside a literal or a comment (which the lexer
//! decides), between parentheses, or in the `BEGIN ATOMIC … END` body of a function. Does not know
//! what the statements do or whether they are valid.

use super::lex::{Lexer, Token, count_lines};
use super::{SplitError, SplitProblem};
use crate::migration::VariableSyntax;

/// One statement of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// From its first to its last token, with the comments inside it, but without the semicolon and
    /// the comments around it.
    pub text: &'a str,
    /// Line number of its first token, counted from 1.
    pub line: usize,
    /// Offset of its first byte in the text that was split.
    pub start: usize,
    /// Comments and white space between the previous semicolon and its first token.
    pub before: &'a str,
}

/// Splits a whole text into its statements. Comments alone are not a statement.
///
/// # Errors
///
/// Fails if the text ends inside a token or a group, or contains text that is not SQL; see
/// [`SplitError`].
pub fn split(text: &str) -> Result<Vec<Piece<'_>>, SplitError> {
    pieces(text, 1).collect()
}

/// Splits a text statement by statement; its first line is line `first_line` of its file.
///
/// Lazy, so that a caller can stop at a statement that explains why the rest is not SQL.
#[must_use]
pub fn pieces(text: &str, first_line: usize) -> Pieces<'_> {
    pieces_with(text, first_line, VariableSyntax::Own)
}

/// Splits a text as [`pieces`] does. In the syntax of Flyway, the `$` of a variable delimits no
/// literal.
#[must_use]
pub fn pieces_with(text: &str, first_line: usize, variables: VariableSyntax) -> Pieces<'_> {
    let nul = text.find('\0').map(|start| SplitError {
        line: first_line + count_lines(&text[..start]),
        start,
        problem: SplitProblem::NulByte,
    });
    Pieces { text, lexer: Lexer::with(text, first_line, variables), begin: 0, error: nul }
}

/// Iterator over the statements of a text, created by [`pieces`]. Ends after its first error.
pub struct Pieces<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// Offset at which the comments before the next statement begin.
    begin: usize,
    /// An error that is known before the first statement is read.
    error: Option<SplitError>,
}

impl<'a> Pieces<'a> {
    fn piece(&self, first: &Token<'_>, end: usize) -> Piece<'a> {
        Piece {
            text: &self.text[first.start..end],
            line: first.line,
            start: first.start,
            before: &self.text[self.begin..first.start],
        }
    }

    fn fail(&mut self, error: SplitError) -> Option<Result<Piece<'a>, SplitError>> {
        self.lexer = Lexer::new("", 1);
        Some(Err(error))
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.error.take() {
            return self.fail(error);
        }
        let mut span: Option<(Token<'a>, usize)> = None;
        let mut nesting = StatementNesting::default();
        while let Some(token) = self.lexer.next() {
            let token = match token {
                Ok(token) if token.is_trivia() => continue,
                Ok(token) => token,
                Err(error) => return self.fail(error),
            };
            if token.is_symbol(";") && nesting.is_outermost() {
                let piece = span.map(|(first, end)| self.piece(&first, end));
                self.begin = token.end();
                match piece {
                    Some(piece) => return Some(Ok(piece)),
                    None => continue,
                }
            }
            nesting.enter(&token);
            let (first, _) = span.unwrap_or((token, 0));
            span = Some((first, token.end()));
        }
        if let Some(error) = nesting.open() {
            return self.fail(error);
        }
        let (first, end) = span?;
        let piece = self.piece(&first, end);
        self.begin = self.text.len();
        Some(Ok(piece))
    }
}

/// The parentheses and function bodies that are open before the next token.
///
/// In the server's grammar a semicolon follows each statement of a function body, and no statement
/// there begins with `END`. So the `END` that closes a body follows `ATOMIC` or a semicolon, and
/// any other `END` belongs to a `CASE` or is a name.
#[derive(Default)]
struct StatementNesting {
    parentheses: usize,
    /// Line and offset of the outermost one.
    parenthesis_at: (usize, usize),
    bodies: usize,
    body_at: (usize, usize),
    head: Head,
    previous: Previous,
}

/// How much of `CREATE [OR REPLACE] {FUNCTION | PROCEDURE}` the statement begins with.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Head {
    #[default]
    Start,
    Create,
    CreateOr,
    CreateOrReplace,
    Routine,
    Other,
}

/// The previous token, if it matters.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Previous {
    Begin,
    Atomic,
    Semicolon,
    #[default]
    Other,
}

impl StatementNesting {
    fn is_outermost(&self) -> bool {
        self.parentheses == 0 && self.bodies == 0
    }

    fn enter(&mut self, token: &Token<'_>) {
        if token.is_symbol("(") {
            if self.parentheses == 0 {
                self.parenthesis_at = (token.line, token.start);
            }
            self.parentheses += 1;
        } else if token.is_symbol(")") {
            // The server rejects a surplus parenthesis.
            self.parentheses = self.parentheses.saturating_sub(1);
        }
        self.head = self.head.followed_by(token);
        self.previous = self.enter_body(token);
    }

    fn enter_body(&mut self, token: &Token<'_>) -> Previous {
        if token.is_symbol(";") {
            Previous::Semicolon
        } else if token.is_word("begin") {
            Previous::Begin
        } else if token.is_word("atomic") && self.begins_body() {
            if self.bodies == 0 {
                self.body_at = (token.line, token.start);
            }
            self.bodies += 1;
            Previous::Atomic
        } else {
            let closes = matches!(self.previous, Previous::Semicolon | Previous::Atomic);
            if closes && token.is_word("end") {
                self.bodies = self.bodies.saturating_sub(1);
            }
            Previous::Other
        }
    }

    fn begins_body(&self) -> bool {
        self.head == Head::Routine && self.previous == Previous::Begin && self.parentheses == 0
    }

    /// The error for what is still open at the end of the text.
    fn open(&self) -> Option<SplitError> {
        let ((line, start), problem) = if self.parentheses > 0 {
            (self.parenthesis_at, SplitProblem::UnclosedParenthesis)
        } else if self.bodies > 0 {
            (self.body_at, SplitProblem::UnterminatedBody)
        } else {
            return None;
        };
        Some(SplitError { line, start, problem })
    }
}

impl Head {
    fn followed_by(self, token: &Token<'_>) -> Self {
        match self {
            Self::Start if token.is_word("create") => Self::Create,
            Self::Create if token.is_word("or") => Self::CreateOr,
            Self::CreateOr if token.is_word("replace") => Self::CreateOrReplace,
            Self::Create | Self::CreateOrReplace
                if token.is_word("function") || token.is_word("procedure") =>
            {
                Self::Routine
            }
            Self::Routine => Self::Routine,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests;
