//! The error for a text that cannot be split into statements.

/// Why a text cannot be split: it ends inside a token or a group, or contains text that is not SQL.
///
/// `line` is where the open token or group begins, not where the text ends, because that is where
/// the author has to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// `'…`, `E'…`, `U&'…`, `B'…`, `X'…` or `N'…` without its closing quote.
    #[error("string literal is not terminated")]
    UnterminatedString {
        /// Line of the opening quote.
        line: usize,
    },
    /// `"…` or `U&"…` without its closing quote.
    #[error("quoted identifier is not terminated")]
    UnterminatedIdentifier {
        /// Line of the opening quote.
        line: usize,
    },
    /// `$tag$…` without a second `$tag$`.
    #[error("string quoted with {tag} is not terminated")]
    UnterminatedDollarQuote {
        /// Line of the opening tag.
        line: usize,
        /// The tag with its dollar signs.
        tag: String,
    },
    /// `/* …` without as many `*/`.
    #[error("block comment is not terminated")]
    UnterminatedComment {
        /// Line of the outermost `/*`.
        line: usize,
    },
    /// `(` without `)`. A semicolon inside ends no statement, so the rest of the text would become
    /// part of this one.
    #[error("parenthesis is not closed")]
    UnclosedParenthesis {
        /// Line of the outermost open parenthesis.
        line: usize,
    },
    /// `BEGIN ATOMIC` without the `END` that must follow a semicolon.
    #[error("function body is not closed by `END` after a semicolon")]
    UnterminatedBody {
        /// Line of the outermost `ATOMIC`.
        line: usize,
    },
    /// A backslash outside a literal: a psql meta-command, not SQL.
    #[error("`{command}` is a psql meta-command, not SQL")]
    MetaCommand {
        /// Line of the backslash.
        line: usize,
        /// The backslash and the word after it.
        command: String,
    },
    /// A NUL byte, which the wire protocol cannot carry in SQL.
    #[error("NUL byte in the SQL text")]
    NulByte {
        /// Line of the first one.
        line: usize,
    },
}

impl SplitError {
    /// Line number at which the error is to be fixed, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::UnterminatedString { line }
            | Self::UnterminatedIdentifier { line }
            | Self::UnterminatedDollarQuote { line, .. }
            | Self::UnterminatedComment { line }
            | Self::UnclosedParenthesis { line }
            | Self::UnterminatedBody { line }
            | Self::MetaCommand { line, .. }
            | Self::NulByte { line } => *line,
        }
    }
}
