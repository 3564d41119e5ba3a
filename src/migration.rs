//! The shared words: a migration, its version, its checksum, its statements.
//!
//! Formats make these from files, the engine runs them, the provider shows them. Knows neither
//! directories, nor SQL text beyond what a statement carries, nor Terraform.

pub mod fact;
mod number;
mod position;
pub mod table;
mod values;

use std::fmt;

use sha2::{Digest, Sha256};

pub use number::StatementNumber;
pub use position::Position;
pub use values::{Values, ValuesDigest};

/// What names a migration inside its set, as its directory format writes it, for example `0001`.
///
/// Opaque text: the order of migrations is the order of the directory, not of the versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub String);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of a text without byte order mark and with LF line ends, printed as
/// `sha256:<64 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checksum(pub String);

impl Checksum {
    /// The checksum of a text. A byte order mark and the kind of line ends do not count, because
    /// editors and git change both without being asked; a carriage return elsewhere does.
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
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a file, as the practitioner wrote the file's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Path or map key as written in the configuration, never made absolute.
    pub file: String,
    /// Line of the first character, counted from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How a statement must be run on DSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Schema change: alone in its transaction.
    Ddl,
    /// `CREATE INDEX ASYNC`: a schema change that returns a job to wait for.
    AsyncIndex,
    /// `ALTER TABLE ASYNC … VALIDATE CONSTRAINT`: returns a job to wait for.
    Validate,
    /// Rows read or written: may share a transaction with other DML.
    Dml,
    /// Rows changed in batches, each a transaction, until none is changed: `-- dsql:batch`.
    Batch,
    /// `GRANT`, `REVOKE` and `AWS IAM GRANT`: counts as a schema change.
    Grant,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 6] =
        [Self::Ddl, Self::AsyncIndex, Self::Validate, Self::Dml, Self::Batch, Self::Grant];

    /// The word that plans and the ledger use.
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
    /// The SQL that is sent, without the final semicolon and without comments around it. It may
    /// hold the value of a sensitive variable: show [`Statement::shown`], never this.
    pub text: String,
    /// What the author wrote, where that is not `text`.
    pub source_text: Option<SourceText>,
    /// How it must be run.
    pub class: Class,
    /// The line of its first token.
    pub origin: Origin,
    /// The column of its first token, in characters from 1.
    pub column: usize,
    /// How many `BEGIN` and `COMMIT` stand before it in the file: neighbouring DML shares a
    /// transaction only where this is equal, because authors cut with `COMMIT` what would exceed
    /// DSQL's 3,000 rows.
    pub boundary: usize,
}

/// A statement before variables were put in and before it was rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// As it stands in the file.
    pub source: String,
    /// As it runs, with the names of variables where their values go.
    pub shown: String,
}

impl Migration {
    /// Its statements with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (StatementNumber, &Statement)> {
        let statements = self.statements.iter().enumerate();
        statements.map(|(index, statement)| (StatementNumber::of_index(index), statement))
    }

    /// The statement with this number, if the migration has as many.
    #[must_use]
    pub fn statement(&self, number: StatementNumber) -> Option<&Statement> {
        self.statements.get(number.index())
    }

    /// Whether it runs again when it has changed.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.kind == MigrationKind::Repeatable
    }
}

impl Statement {
    /// What of it may be shown and recorded: no value of a variable is in it.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.source_text.as_ref().map_or(&self.text, |source_text| &source_text.shown)
    }

    /// The checksum of what stands in the file, by which a resumed run knows it again.
    ///
    /// Not of what is sent: the checksum of a short secret gives the secret away, and a setting
    /// that is changed between two runs would make a statement another one.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        Checksum::of(
            self.source_text.as_ref().map_or(&self.text, |source_text| &source_text.source),
        )
    }
}

/// When a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MigrationKind {
    /// Once, in its place.
    #[default]
    Versioned,
    /// Once, in place of all that stand before it, where none of them has run.
    Baseline,
    /// After all others, whenever its text or the values of its variables are others than in its
    /// last run.
    Repeatable,
}

impl MigrationKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Versioned, Self::Baseline, Self::Repeatable];

    /// The word in the ledger.
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
    /// Its name inside the set; a baseline may share it with the last one that it stands for.
    pub version: Version,
    /// When it runs.
    pub kind: MigrationKind,
    /// Of a repeatable one: the values that its statements hold.
    pub values: Values,
    /// The rest of the file name, in words.
    pub description: String,
    /// Path or map key as written in the configuration.
    pub file: String,
    /// Checksum of the whole text.
    pub checksum: Checksum,
    /// Grouping words such as `BEGIN` and `COMMIT` are gone. None where a file of another tool
    /// holds only comments.
    pub statements: Vec<Statement>,
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
    fn byte_order_mark_and_line_ends_do_not_change_a_checksum() {
        let checksum = Checksum::of("SELECT 'ß';\nSELECT 2;\n");

        assert_eq!(Checksum::of("SELECT 'ß';\r\nSELECT 2;\r\n"), checksum);
        assert_eq!(Checksum::of("\u{feff}SELECT 'ß';\nSELECT 2;\r\n"), checksum);
    }

    #[test]
    fn a_statement_is_known_again_by_its_source_and_shows_no_value() {
        let mut statement = Statement {
            text: "CREATE ROLE app".to_owned(),
            source_text: None,
            class: Class::Ddl,
            origin: Origin { file: "a.sql".to_owned(), line: 1 },
            column: 1,
            boundary: 0,
        };
        assert_eq!(statement.shown(), "CREATE ROLE app");
        assert_eq!(statement.checksum(), Checksum::of("CREATE ROLE app"));

        let source = "create role ${name}".to_owned();
        let shown = "CREATE ROLE ${name}".to_owned();
        statement.source_text = Some(SourceText { source, shown });
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
