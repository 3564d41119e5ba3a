//! From the text of a file to a migration: what is the same in all formats.

use super::FormatError;
use super::marks;
use crate::migration::{
    Checksum, Class, Migration, MigrationKind, Origin, Statement, Values, Version,
};
use crate::sql::{self, Piece, StatementKind};

/// What a format has found out about a file.
pub(super) struct Named<'a> {
    /// As the practitioner wrote it.
    pub(super) file: &'a str,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
}

impl Named<'_> {
    /// A place in the file.
    pub(super) fn at(&self, line: usize) -> Origin {
        Origin { file: self.file.to_owned(), line }
    }
}

/// What of a text goes forward.
pub(super) struct Forward<'a> {
    /// Parts that are split one by one, each with the line where it begins.
    pub(super) parts: Vec<(usize, &'a str)>,
    pub(super) transactions: Transactions,
    pub(super) emptiness: Emptiness,
}

/// What a text without statements is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptiness {
    /// An error: it cannot be told from a file that was emptied by mistake.
    Refused,
    /// A migration that does nothing, unless the file is blank: tools apply and record such files,
    /// and where they keep a checksum a statement cannot be added later.
    Recorded,
}

/// Which row changes may share a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transactions {
    /// Neighbours, as far as no `BEGIN` and `COMMIT` part them.
    Shared,
    /// None: the author has switched the tool's transaction off, for example because the
    /// statements together change more rows than one transaction of DSQL may.
    OneEach,
}

impl<'a> Forward<'a> {
    /// Everything, in the usual transactions.
    pub(super) fn whole(text: &'a str) -> Self {
        Self::of(vec![(1, text)])
    }

    /// These parts, in the usual transactions, at least one statement.
    pub(super) fn of(parts: Vec<(usize, &'a str)>) -> Self {
        Self { parts, transactions: Transactions::Shared, emptiness: Emptiness::Refused }
    }

    /// What stands between delimiters, wherever these stand, in the usual transactions.
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

    /// The same parts, which may hold nothing but comments.
    pub(super) fn or_nothing(self) -> Self {
        Self { emptiness: Emptiness::Recorded, ..self }
    }
}

/// Makes a migration of a text.
pub(super) fn migration(
    named: &Named<'_>,
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
    if statements.is_empty() && (is_blank || forward.emptiness == Emptiness::Refused) {
        return Err(FormatError::NoStatement { file: named.file.to_owned() });
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

/// Stops at the first error: after a refused `COPY … FROM STDIN`, what follows is not even SQL.
fn add_statements(
    statements: &mut Vec<Statement>,
    boundary: &mut usize,
    named: &Named<'_>,
    first_line: usize,
    text: &str,
) -> Result<(), FormatError> {
    let batches = sql::batches(text, first_line).map_err(|misplaced| FormatError::Directive {
        origin: named.at(misplaced.line),
        disallowed: misplaced.disallowed,
    })?;
    for (index, piece) in sql::pieces(text, first_line).enumerate() {
        let piece = piece
            .map_err(|source| FormatError::Split { origin: named.at(source.line()), source })?;
        let origin = named.at(piece.line);
        match sql::classify(piece.text) {
            StatementKind::Run(class) => {
                let class = if batches.contains(&index) { Class::Batch } else { class };
                statements.push(Statement {
                    text: piece.text.to_owned(),
                    source_text: None,
                    class,
                    origin,
                    column: column_of(text, &piece),
                    boundary: *boundary,
                });
            }
            StatementKind::TransactionBegin | StatementKind::TransactionEnd => *boundary += 1,
            StatementKind::Disallowed(disallowed) => {
                return Err(FormatError::Disallowed { origin, disallowed });
            }
        }
    }
    Ok(())
}

/// The column of a statement's first token in its line, in characters from 1. A byte order mark
/// does not count.
fn column_of(text: &str, piece: &Piece<'_>) -> usize {
    let line = &text[..piece.start];
    let line = line.rsplit_once('\n').map_or(line, |(_, line)| line);
    line.trim_start_matches('\u{feff}').chars().count() + 1
}

/// The lines of a text without their ends, with their numbers, offsets and the offset behind
/// each. A byte order mark is no part of the first.
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
    /// Counted from 1.
    pub(super) number: usize,
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Offset behind its end.
    pub(super) end: usize,
    pub(super) text: &'a str,
}

/// A name in words.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ").trim().to_owned()
}
