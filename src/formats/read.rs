//! Turns the text of a file into a migration, in the same way for all formats.

use super::error::{FormatError, SqlProblem};
use super::marks;
use crate::migration::{
    Checksum, Class, Migration, MigrationKind, Origin, Statement, Values, Version,
};
use crate::sql::{self, StatementKind};

/// The name of a file, as its format understands it.
pub(super) struct NamedFile<'a> {
    /// The file as the user wrote it.
    pub(super) file: &'a str,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
}

impl NamedFile<'_> {
    /// A line of the file.
    pub(super) fn at(&self, line: usize) -> Origin {
        Origin { file: self.file.to_owned(), line }
    }
}

/// The parts of a text that run.
pub(super) struct Forward<'a> {
    /// Parts that are split into statements separately, each with the line at which it begins.
    pub(super) parts: Vec<(usize, &'a str)>,
    pub(super) transactions: Transactions,
    pub(super) emptiness: Emptiness,
}

/// How to treat a text without statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptiness {
    /// An error, because the file may have been emptied by mistake.
    Rejected,
    /// A migration that does nothing, unless the file is blank. Tools apply and record such files,
    /// and if they store a checksum, a statement cannot be added later.
    Recorded,
}

/// Which row changes may share a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transactions {
    /// Adjacent ones that no `BEGIN` or `COMMIT` separates.
    Shared,
    /// None. The author has turned the tool's transaction off, for example because together the
    /// statements change more rows than DSQL allows in one transaction.
    OneEach,
}

impl<'a> Forward<'a> {
    /// The whole text, with shared transactions and at least one statement.
    pub(super) fn whole(text: &'a str) -> Self {
        Self::of(vec![(1, text)])
    }

    /// Parts of a text, with shared transactions and at least one statement.
    pub(super) fn of(parts: Vec<(usize, &'a str)>) -> Self {
        Self { parts, transactions: Transactions::Shared, emptiness: Emptiness::Rejected }
    }

    /// The parts between delimiters, even in literals, with shared transactions.
    pub(super) fn cut_at(text: &'a str, delimiter: &str) -> Self {
        let mut line = 1;
        let parts = text.split(delimiter).map(|part| {
            let begin = line;
            line += part.matches('\n').count() + delimiter.matches('\n').count();
            (begin, part)
        });
        Self::of(parts.collect())
    }

    /// The same parts with other transactions.
    pub(super) fn with(self, transactions: Transactions) -> Self {
        Self { transactions, ..self }
    }

    /// The same parts, which need not contain a statement.
    pub(super) fn or_nothing(self) -> Self {
        Self { emptiness: Emptiness::Recorded, ..self }
    }
}

/// Reads a text as a migration.
pub(super) fn migration(
    named: &NamedFile<'_>,
    text: &str,
    forward: &Forward<'_>,
) -> Result<Migration, FormatError> {
    let mut statements = Vec::new();
    let mut boundary = 0;
    for (line, part) in &forward.parts {
        marks::check_down_sections(named.file, *line, part)?;
        add_statements(&mut statements, &mut boundary, named, *line, part)?;
    }
    let is_blank = text.trim_start_matches('\u{feff}').trim().is_empty();
    if statements.is_empty() && (is_blank || forward.emptiness == Emptiness::Rejected) {
        return Err(FormatError::file(named.file, SqlProblem::NoStatement));
    }
    if forward.transactions == Transactions::OneEach {
        for (number, statement) in statements.iter_mut().enumerate() {
            statement.boundary = number;
        }
    }
    Ok(Migration {
        version: Version(named.version.to_owned()),
        kind: MigrationKind::Versioned,
        values: Values::default(),
        description: named.description.to_owned(),
        file: named.file.to_owned(),
        checksum: Checksum::of(text),
        statements,
    })
}

/// Adds the statements of one part. Stops at the first error, because the text after a rejected
/// `COPY … FROM STDIN` is not SQL.
fn add_statements(
    statements: &mut Vec<Statement>,
    boundary: &mut usize,
    named: &NamedFile<'_>,
    first_line: usize,
    text: &str,
) -> Result<(), FormatError> {
    let batches = sql::batches(text, first_line).map_err(|misplaced| {
        let problem = SqlProblem::Directive { disallowed: misplaced.disallowed };
        FormatError::line(named.at(misplaced.line), problem)
    })?;
    for (index, piece) in sql::pieces(text, first_line).enumerate() {
        let piece = piece.map_err(|source| {
            let column = column_at(text, source.start);
            FormatError::column(named.at(source.line), column, SqlProblem::Split { source })
        })?;
        let origin = named.at(piece.line);
        match sql::classify(piece.text) {
            StatementKind::Run(class) => {
                let class = if batches.contains(&index) { Class::Batch } else { class };
                statements.push(Statement {
                    text: piece.text.to_owned(),
                    source_text: None,
                    class,
                    origin,
                    column: column_at(text, piece.start),
                    boundary: *boundary,
                });
            }
            StatementKind::TransactionBegin | StatementKind::TransactionEnd => *boundary += 1,
            StatementKind::Disallowed(disallowed) => {
                return Err(FormatError::line(origin, SqlProblem::Disallowed { disallowed }));
            }
        }
    }
    Ok(())
}

/// The column of a byte in its line, in characters from 1. A byte order mark does not count.
fn column_at(text: &str, start: usize) -> usize {
    let line = &text[..start];
    let line = line.rsplit_once('\n').map_or(line, |(_, line)| line);
    line.trim_start_matches('\u{feff}').chars().count() + 1
}

/// The lines of a text without their line endings. The first line does not include a byte order
/// mark.
pub(super) fn lines(text: &str) -> impl Iterator<Item = SourceLine<'_>> {
    let mut end = 0;
    text.split_inclusive('\n').enumerate().map(move |(before, line)| {
        let start = end;
        end += line.len();
        let text = line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}');
        SourceLine { number: before + 1, start, end, text }
    })
}

/// One line of a file.
pub(super) struct SourceLine<'a> {
    /// The line number, from 1.
    pub(super) number: usize,
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Offset of the next line.
    pub(super) end: usize,
    pub(super) text: &'a str,
}

/// Turns the name of a file into a description, with blanks for underscores.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ").trim().to_owned()
}
