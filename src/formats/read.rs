//! Turns the text of a file into a migration, in the same way for all formats.
//!
//! A problem with the text is not an error yet: it matters only if the migration is to run, which
//! the ledger decides.

use std::collections::BTreeMap;

use super::error::{FormatError, SqlProblem};
use super::marks;
use crate::migration::{
    Checksum, Class, Migration, MigrationKind, Origin, Statement, Values, VariableSyntax, Version,
};
use crate::sql::{self, StatementDirective, StatementKind};

/// A migration, and what is wrong with its text.
#[derive(Debug)]
pub(super) struct ReadMigration {
    pub(super) migration: Migration,
    pub(super) problems: Vec<FormatError>,
}

/// Returns the migrations of a directory, or everything that is wrong with it. `errors` are those
/// of the names.
pub(super) fn all_or_errors(
    mut errors: Vec<FormatError>,
    read: Vec<Result<ReadMigration, FormatError>>,
) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    if errors.is_empty() && read.iter().all(Result::is_ok) {
        return read.into_iter().map(|read| read.map_err(|error| vec![error])).collect();
    }
    for read in read {
        match read {
            Ok(read) => errors.extend(read.problems),
            Err(error) => errors.push(error),
        }
    }
    Err(errors)
}

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
    pub(super) variables: VariableSyntax,
}

/// How to treat a text without statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptiness {
    /// An error, because the file may have been emptied by mistake.
    Rejected,
    /// A migration that does nothing. Tools apply and record such files, even blank ones, and if
    /// they store a checksum, a statement cannot be added later.
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
        let (transactions, emptiness) = (Transactions::Shared, Emptiness::Rejected);
        Self { parts, transactions, emptiness, variables: VariableSyntax::Own }
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
pub(super) fn migration(named: &NamedFile<'_>, text: &str, forward: &Forward<'_>) -> ReadMigration {
    let mut reading = Reading { variables: forward.variables, ..Reading::default() };
    for (line, part) in &forward.parts {
        reading.add(named, *line, part);
    }
    let Reading { mut statements, unknown_from, mut problems, .. } = reading;
    let must_run = forward.emptiness == Emptiness::Rejected;
    if statements.is_empty() && problems.is_empty() && must_run {
        problems.push(FormatError::file(named.file, SqlProblem::NoStatement));
    }
    if forward.transactions == Transactions::OneEach {
        for (number, statement) in statements.iter_mut().enumerate() {
            statement.boundary = number + 1;
        }
    }
    let migration = Migration {
        version: Version(named.version.to_owned()),
        kind: MigrationKind::Versioned,
        values: Values::default(),
        variables: forward.variables,
        description: named.description.to_owned(),
        file: named.file.to_owned(),
        checksum: Checksum::of(text),
        statements,
        unknown_from,
    };
    ReadMigration { migration, problems }
}

/// Returns a migration whose statements cannot be read.
pub(super) fn unknown(named: &NamedFile<'_>, text: &str, problem: FormatError) -> ReadMigration {
    let mut read = migration(named, text, &Forward::of(Vec::new()).or_nothing());
    read.migration.unknown_from = Some(0);
    ReadMigration { problems: vec![problem], ..read }
}

/// The statements of a text, as far as it has been read.
#[derive(Default)]
struct Reading {
    statements: Vec<Statement>,
    variables: VariableSyntax,
    /// The number of `BEGIN` and `COMMIT` so far.
    boundary: usize,
    unknown_from: Option<usize>,
    /// Whether what follows may not be SQL, so that an error there has the same cause.
    has_data: bool,
    problems: Vec<FormatError>,
}

impl Reading {
    /// Adds the statements of one part.
    fn add(&mut self, named: &NamedFile<'_>, first_line: usize, text: &str) {
        if let Err(problem) = marks::check_sections(named.file, first_line, text) {
            return self.stop(problem);
        }
        let directives =
            sql::directives(text, first_line, self.variables).unwrap_or_else(|misplaced| {
                let problem = SqlProblem::Directive { disallowed: misplaced.disallowed };
                self.problems.push(FormatError::line(named.at(misplaced.line), problem));
                BTreeMap::new()
            });
        for (index, piece) in sql::pieces_with(text, first_line, self.variables).enumerate() {
            let piece = match piece {
                Ok(piece) => piece,
                Err(source) => {
                    let line = named.at(source.line);
                    let column = column_at(text, source.start);
                    let problem = SqlProblem::Split { source };
                    let error = FormatError::column(line, column, problem);
                    if self.has_data {
                        return;
                    }
                    self.has_data = true;
                    return self.stop(error);
                }
            };
            let directive = directives.get(&index);
            let class = match sql::classify(piece.text) {
                StatementKind::Run(_) if directive == Some(&StatementDirective::Batch) => {
                    Class::Batch
                }
                StatementKind::Run(class) => class,
                StatementKind::TransactionBegin | StatementKind::TransactionEnd => {
                    self.boundary += 1;
                    continue;
                }
                StatementKind::Disallowed(disallowed) if sql::is_omitted(piece.text) => {
                    let problem = SqlProblem::Omittable { disallowed };
                    self.problems.push(FormatError::line(named.at(piece.line), problem));
                    Class::Ddl
                }
                StatementKind::Disallowed(disallowed) => {
                    let problem = SqlProblem::Disallowed { disallowed };
                    self.problems.push(FormatError::line(named.at(piece.line), problem));
                    Class::Ddl
                }
            };
            if sql::obscures(piece.text) && !sql::is_omitted(piece.text) {
                self.has_data |= sql::begins_with(piece.text, "COPY");
                self.unknown_from.get_or_insert(self.statements.len());
            }
            self.statements.push(Statement {
                text: piece.text.to_owned(),
                source_text: None,
                class,
                origin: named.at(piece.line),
                column: column_at(text, piece.start),
                boundary: self.boundary,
                keeps_existing: directive == Some(&StatementDirective::KeepExisting),
            });
        }
    }

    /// Records a problem, after which the effect of the statements is not known.
    fn stop(&mut self, problem: FormatError) {
        self.unknown_from.get_or_insert(self.statements.len());
        self.problems.push(problem);
    }
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
