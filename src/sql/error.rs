//! The error for a text that cannot be split into statements.

/// Why a text cannot be split, and where.
///
/// The place is where the open token or group begins, not where the text ends, because that is
/// where the author has to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SplitError {
    /// Line of the place, from 1.
    pub line: usize,
    /// Offset of its first byte in the text.
    pub start: usize,
    /// What is wrong there.
    pub problem: SplitProblem,
}

/// What is wrong: the text ends inside a token or a group, or contains text that is not SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitProblem {
    /// `'…`, `E'…`, `U&'…`, `B'…`, `X'…` or `N'…` without its closing quote.
    #[error("string literal is not terminated")]
    UnterminatedString,
    /// `"…` or `U&"…` without its closing quote.
    #[error("quoted identifier is not terminated")]
    UnterminatedIdentifier,
    /// `$tag$…` without a second `$tag$`.
    #[error("string quoted with {tag} is not terminated")]
    UnterminatedDollarQuote {
        /// The tag with its dollar signs.
        tag: String,
    },
    /// `/* …` without as many `*/`; the place is the outermost one.
    #[error("block comment is not terminated")]
    UnterminatedComment,
    /// `(` without `)`; the place is the outermost one. A semicolon inside ends no statement, so
    /// the rest of the text would become part of this one.
    #[error("parenthesis is not closed")]
    UnclosedParenthesis,
    /// `BEGIN ATOMIC` without the `END` that must follow a semicolon; the place is the outermost
    /// `ATOMIC`.
    #[error("function body is not closed by END after a semicolon")]
    UnterminatedBody,
    /// A backslash outside a literal: a psql meta-command, not SQL.
    #[error("{command} is a psql meta-command, not SQL")]
    MetaCommand {
        /// The backslash and the word after it.
        command: String,
    },
    /// `{` outside literals that does not follow `$`: a template, or a placeholder of another tool.
    #[error("{mark} begins a template or a placeholder, not SQL")]
    Template {
        /// The brace and, if it is part of the mark, the character after it.
        mark: String,
    },
    /// A character that cannot be seen, outside literals and comments.
    #[error("{name} (U+{:04X}) outside of literals and comments", u32::from(*character))]
    Invisible {
        /// The character.
        character: char,
        /// Its name.
        name: &'static str,
    },
    /// A NUL byte, which the wire protocol cannot carry in SQL.
    #[error("NUL byte in the SQL text")]
    NulByte,
}
