//! The shared types: a migration, its version, its checksum and its statements.
//!
//! `formats` reads them from files, the engine runs them, and the provider shows them. Knows
//! neither directories, nor the SQL in a statement, nor Terraform.

pub mod expression;
pub mod fact;
mod number;
mod position;
mod quoting;
pub mod table;
mod values;

use std::fmt;
use std::ops::Range;

use sha2::{Digest, Sha256};

pub use number::StatementNumber;
pub use position::Position;
pub use quoting::{quoted_identifier, quoted_literal};
pub use values::{Values, ValuesDigest};

/// How variables in the text of a migration are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VariableSyntax {
    /// `${name}`, and `$${` for a literal `${`.
    #[default]
    Own,
    /// `${name}` without regard to case, also directly after another `$`.
    Flyway,
    /// `${` has no special meaning.
    Off,
}

/// The identifier of a migration within its migration set, for example `0001`.
///
/// Opaque text in the notation of the directory format. The order of migrations is that of the
/// directory, not of the versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub String);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of a text without a byte order mark and with LF line endings, printed as
/// `sha256:<64 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checksum(pub String);

impl Checksum {
    /// Computes the checksum of a text. A byte order mark and the kind of line endings do not
    /// count, because editors and git change both on their own. A carriage return elsewhere counts.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut hash = Sha256::new();
        for (number, line) in text.split("\r\n").enumerate() {
            if number > 0 {
                hash.update(b"\n");
            }
            hash.update(line);
        }
        Self(format!("sha256:{}", hex::encode(hash.finalize())))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Path or map key as written in the configuration, never made absolute.
    pub file: String,
    /// Line number, from 1.
    pub line: usize,
}

/// Stands in place of a file name for SQL that the configuration itself contains.
pub const SQL_ARGUMENT: &str = "the argument sql";

impl Origin {
    /// Names a line, and a column if it is known, of the same file.
    #[must_use]
    pub fn at(&self, line: usize, column: Option<usize>) -> String {
        let Self { file, .. } = self;
        match column {
            Some(column) if file == SQL_ARGUMENT => {
                format!("line {line}, column {column} of {file}")
            }
            None if file == SQL_ARGUMENT => format!("line {line} of {file}"),
            Some(column) => format!("{file}:{line}:{column}"),
            None => format!("{file}:{line}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at(self.line, None))
    }
}

/// How a statement must run on DSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A schema change, which must be alone in its transaction.
    Ddl,
    /// `CREATE INDEX ASYNC`, a schema change that returns a job to wait for.
    AsyncIndex,
    /// `ALTER TABLE ASYNC … VALIDATE CONSTRAINT`, which returns a job to wait for.
    Validate,
    /// DML, which may share a transaction with other DML.
    Dml,
    /// DML marked `-- dsql:batch`, which runs in one transaction after another until no row
    /// changes.
    Batch,
    /// `GRANT`, `REVOKE` and `AWS IAM GRANT`, which count as schema changes.
    Grant,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 6] =
        [Self::Ddl, Self::AsyncIndex, Self::Validate, Self::Dml, Self::Batch, Self::Grant];

    /// Its name in plans and in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ddl => "ddl",
            Self::AsyncIndex => "async-index",
            Self::Validate => "validate",
            Self::Dml => "dml",
            Self::Batch => "batch",
            Self::Grant => "grant",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One statement of a migration, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The SQL that is sent, without the final semicolon and surrounding comments. It may contain
    /// the value of a sensitive variable: never show it, but [`Statement::shown`]. Empty if the
    /// statement is not sent.
    pub text: String,
    /// The text that the author wrote, if it differs from `text`.
    pub source_text: Option<SourceText>,
    /// How it must run.
    pub class: Class,
    /// The line of its first token.
    pub origin: Origin,
    /// The column of its first token, in characters from 1.
    pub column: usize,
    /// The number of `BEGIN` and `COMMIT` that precede it in the file. Adjacent DML shares a
    /// transaction only if this number is equal, because authors separate with `COMMIT` what would
    /// exceed DSQL's limit of 3,000 rows. In a file that turns its transaction off, it is the
    /// number of the statement.
    pub boundary: usize,
    /// Whether its author accepts that an object which it would create exists with another
    /// definition.
    pub keeps_existing: bool,
}

/// A statement before variables were substituted and before it was rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceText {
    /// The text in the file.
    pub source: String,
    /// The text that runs, with the names of variables in place of values that are not shown.
    pub shown: String,
    /// The values in the text that runs that are not shown.
    pub hidden: Vec<HiddenValue>,
    /// Whether a value that will be shown is not known yet.
    pub lacks_shown_value: bool,
}

/// The value of a variable in the text of a statement that must not be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenValue {
    /// Its bytes in the text that runs.
    pub range: Range<usize>,
    /// The variable as the file writes it, for example `${name}`.
    pub written: String,
}

impl HiddenValue {
    /// Whether it overlaps other bytes of the text. An empty value overlaps what it is next to.
    #[must_use]
    pub fn overlaps(&self, other: &Range<usize>) -> bool {
        self.range.start <= other.end
            && other.start <= self.range.end
            && (self.range.is_empty()
                || self.range.start < other.end && other.start < self.range.end)
    }
}

impl Migration {
    /// Its statements with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (StatementNumber, &Statement)> {
        let statements = self.statements.iter().enumerate();
        statements.map(|(index, statement)| (StatementNumber::of_index(index), statement))
    }

    /// The statements whose effect is known.
    #[must_use]
    pub fn known_statements(&self) -> &[Statement] {
        let count = self.unknown_from.unwrap_or(self.statements.len());
        self.statements.get(..count).unwrap_or(&self.statements)
    }

    /// The statement with this number, if the migration has as many.
    #[must_use]
    pub fn statement(&self, number: StatementNumber) -> Option<&Statement> {
        self.statements.get(number.index())
    }

    /// Whether it runs again when it changes.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.kind == MigrationKind::Repeatable
    }
}

impl Statement {
    /// The values in its text that are not shown.
    #[must_use]
    pub fn hidden(&self) -> &[HiddenValue] {
        self.source_text.as_ref().map_or(&[], |source_text| &source_text.hidden)
    }

    /// Whether its text lacks a value that will be shown.
    #[must_use]
    pub fn lacks_shown_value(&self) -> bool {
        self.source_text.as_ref().is_some_and(|source_text| source_text.lacks_shown_value)
    }

    /// The text to show and record, without the values of variables that are not visible.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.source_text.as_ref().map_or(&self.text, |source_text| &source_text.shown)
    }

    /// The text in the file.
    #[must_use]
    pub fn written(&self) -> &str {
        self.source_text.as_ref().map_or(&self.text, |source_text| &source_text.source)
    }

    /// Whether it is not sent, because it would change nothing. Its text is empty then.
    #[must_use]
    pub fn is_omitted(&self) -> bool {
        self.text.is_empty()
    }

    /// The checksum of the text in the file, by which a resumed run recognizes the statement.
    ///
    /// The text that is sent is not used: the checksum of a short secret would reveal it, and a
    /// setting that changes between two runs would change the checksum.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        Checksum::of(self.written())
    }
}

/// When and how often a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MigrationKind {
    /// Once, in order.
    #[default]
    Versioned,
    /// Once, instead of all migrations before it, if none of them has run.
    Baseline,
    /// After all others, whenever its text or the values of its variables differ from those of its
    /// last run.
    Repeatable,
}

impl MigrationKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Versioned, Self::Baseline, Self::Repeatable];

    /// Its name in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Versioned => "versioned",
            Self::Baseline => "baseline",
            Self::Repeatable => "repeatable",
        }
    }
}

/// One forward migration: a file, or an entry of `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its identifier. A baseline may share it with the last migration that it replaces.
    pub version: Version,
    /// When and how often it runs.
    pub kind: MigrationKind,
    /// The values of the variables in the statements of a repeatable migration.
    pub values: Values,
    /// The part of the file name after the version, with blanks for underscores.
    pub description: String,
    /// Path or map key as written in the configuration.
    pub file: String,
    /// How variables in its statements are written.
    pub variables: VariableSyntax,
    /// Checksum of the whole file.
    pub checksum: Checksum,
    /// The statements without `BEGIN` and `COMMIT`. Empty if a file of another tool contains only
    /// comments.
    pub statements: Vec<Statement>,
    /// The index from which on the effect of the statements is not known, if the text has a problem
    /// there or is not SQL. Another tool may have run such a migration.
    pub unknown_from: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_the_sha256_of_the_text() {
        assert_eq!(
            Checksum::of("SELECT 1;\n").to_string(),
            "sha256:b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd"
        );
    }

    #[test]
    fn byte_order_mark_and_line_endings_do_not_change_a_checksum() {
        let checksum = Checksum::of("SELECT 'ß';\nSELECT 2;\n");

        assert_eq!(Checksum::of("SELECT 'ß';\r\nSELECT 2;\r\n"), checksum);
        assert_eq!(Checksum::of("\u{feff}SELECT 'ß';\nSELECT 2;\r\n"), checksum);
    }

    #[test]
    fn a_statement_is_recognized_by_its_source_and_shows_no_value() {
        let mut statement = Statement {
            text: "CREATE ROLE app".to_owned(),
            source_text: None,
            class: Class::Ddl,
            origin: Origin { file: "a.sql".to_owned(), line: 1 },
            column: 1,
            boundary: 0,
            keeps_existing: false,
        };
        assert_eq!(statement.shown(), "CREATE ROLE app");
        assert_eq!(statement.checksum(), Checksum::of("CREATE ROLE app"));

        let source = "create role ${name}".to_owned();
        let shown = "CREATE ROLE ${name}".to_owned();
        statement.source_text = Some(SourceText { source, shown, ..SourceText::default() });
        assert_eq!(statement.shown(), "CREATE ROLE ${name}");
        assert_eq!(statement.checksum(), Checksum::of("create role ${name}"));
    }

    #[test]
    fn every_other_character_changes_a_checksum() {
        let checksum = Checksum::of("SELECT 1;\nSELECT 2;\n");

        for other in [
            "SELECT 1;\nSELECT 2;",
            "SELECT 1;\rSELECT 2;\r",
            "SELECT 1;\r\r\nSELECT 2;\n",
            "\u{feff}\u{feff}SELECT 1;\nSELECT 2;\n",
        ] {
            assert_ne!(Checksum::of(other), checksum, "{other:?}");
        }
    }
}
