//! What can be wrong with a directory, its files and their SQL.
//!
//! An error is an origin and a kind, and its text is the origin followed by the kind. What to do
//! about it is in `provider/diagnostics/formats.rs`.

use std::error::Error;
use std::fmt;
use std::io;

use super::format_names;
use crate::migration::Origin;
use crate::sql::{Disallowed, SplitError};

/// A value that the `format` argument does not accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {name:?}, expected one of {}", known())]
pub struct UnknownFormat {
    /// The value.
    pub name: String,
}

fn known() -> String {
    format_names().collect::<Vec<_>>().join(", ")
}

/// Why a directory or a file is not a set of migrations that can run.
#[derive(Debug)]
pub struct FormatError {
    /// Where to fix it.
    pub origin: ErrorOrigin,
    /// What is wrong.
    pub kind: FormatErrorKind,
}

impl FormatError {
    /// An error that concerns a directory.
    pub(super) fn directory(dir: impl Into<String>, kind: impl Into<FormatErrorKind>) -> Self {
        Self { origin: ErrorOrigin::Directory(dir.into()), kind: kind.into() }
    }

    /// An error that concerns a whole file, or its name.
    pub(super) fn file(file: impl Into<String>, kind: impl Into<FormatErrorKind>) -> Self {
        Self { origin: ErrorOrigin::File(file.into()), kind: kind.into() }
    }

    /// An error at one character of a file.
    pub(super) fn column(origin: Origin, column: usize, kind: impl Into<FormatErrorKind>) -> Self {
        Self { origin: ErrorOrigin::Column(origin, column), kind: kind.into() }
    }

    /// An error in one line of a file.
    pub(super) fn line(origin: Origin, kind: impl Into<FormatErrorKind>) -> Self {
        Self { origin: ErrorOrigin::Line(origin), kind: kind.into() }
    }

    /// Whether it is about a statement that need not be sent.
    #[must_use]
    pub fn is_omittable(&self) -> bool {
        matches!(self.kind, FormatErrorKind::Sql(SqlProblem::Omittable { .. }))
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.origin, self.kind)
    }
}

impl Error for FormatError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}

/// The directory, file or line in which an error is to be fixed.
///
/// Names begin as the user wrote them in the configuration and continue with forward slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are enough")]
pub enum ErrorOrigin {
    Directory(String),
    File(String),
    Line(Origin),
    Column(Origin, usize),
}

impl fmt::Display for ErrorOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "directory {dir}"),
            Self::File(file) => write!(f, "{file}"),
            Self::Line(origin) => origin.fmt(f),
            Self::Column(origin, column) => f.write_str(&origin.at(origin.line, Some(*column))),
        }
    }
}

/// What is wrong, grouped by what the user has to change.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the groups are documented")]
pub enum FormatErrorKind {
    #[error(transparent)]
    Access(#[from] AccessProblem),
    #[error(transparent)]
    Layout(#[from] LayoutProblem),
    #[error(transparent)]
    Name(#[from] NameProblem),
    #[error(transparent)]
    Sql(#[from] SqlProblem),
    #[error(transparent)]
    Tool(#[from] ToolProblem),
    #[error(transparent)]
    Journal(#[from] JournalProblem),
    #[error(transparent)]
    Detection(#[from] DetectionProblem),
}

/// A directory or file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum AccessProblem {
    /// The directory or file of the origin. An empty path counts as a directory.
    #[error("does not exist")]
    NotFound,
    #[error("is not a directory")]
    NotADirectory,
    #[error("cannot be read")]
    Unreadable { source: io::Error },
    /// `kind` is for example "a named pipe".
    #[error("is not a file: it is {kind}")]
    NotAFile { kind: &'static str },
    #[error("is a symbolic link to a directory above it")]
    LinkLoop,
    /// The origin shows the name with replacement characters.
    #[error("has a name that is not valid UTF-8")]
    NameNotUtf8,
    /// The origin is the line of the first invalid byte.
    #[error("is not valid UTF-8")]
    NotUtf8,
}

/// Files that are missing, or that are in a place where they would never run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum LayoutProblem {
    #[error("contains no migrations")]
    EmptyDirectory,
    #[error("is in a subdirectory, where it would never run")]
    NestedFile,
    #[error("is nested too deeply to be searched for migrations")]
    TooDeep,
    #[error("does not contain {file}, which {tool} requires in each directory")]
    MissingMigrationFile { file: &'static str, tool: &'static str },
    /// The origin is the directory, or the argument `files`.
    #[error("contains no SQL file that matches the pattern {pattern}")]
    UnmatchedPattern { pattern: String },
}

/// A file whose name keeps it from being a migration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum NameProblem {
    #[error("has no version in its name: expected <digits>_<name>.sql")]
    VersionNotANumber,
    /// As above, for a single file, whose version can also be given.
    #[error("has no version in its name: expected <digits>_<name>.sql")]
    VersionMissing,
    /// The versions are equal to the tool, not necessarily as written.
    #[error("has the same version as {first}")]
    DuplicateVersion { first: String },
    #[error("has a version greater than the largest that {tool} supports")]
    VersionTooGreat { tool: &'static str },
    /// The tool would skip the file or fail.
    #[error("has a name that {tool} does not accept: expected {expected}")]
    Mismatch { tool: &'static str, expected: &'static str },
    #[error("is a down migration")]
    DownFile,
    #[error("reverts a migration that does not exist")]
    OrphanDown,
    /// `what` is for example "a Go migration".
    #[error("is {what}, which only {tool} can run")]
    Program { tool: &'static str, what: &'static str },
}

/// The text of a migration that cannot run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum SqlProblem {
    /// The origin is the line in which the part without an end begins.
    #[error("cannot be split into statements")]
    Split { source: SplitError },
    #[error("contains {}: {}", disallowed.statement, disallowed.reason)]
    Disallowed { disallowed: Disallowed },
    /// A statement that is allowed only if it is not sent, because it would change nothing.
    #[error("contains {}: {}", disallowed.statement, disallowed.reason)]
    Omittable { disallowed: Disallowed },
    /// A `dsql:` comment that has no meaning at this line.
    #[error("contains {}: {}", disallowed.statement, disallowed.reason)]
    Directive { disallowed: Disallowed },
    #[error("contains no statements")]
    NoStatement,
    /// The origin is the line of the comment that another tool uses as a mark.
    #[error("begins a section that reverts the migration, as marked for {tool}")]
    DownSection { tool: &'static str },
    /// The origin is the line of the comment that says so.
    #[error("holds several files, which only {tool} can separate")]
    Archive { tool: &'static str },
}

/// Comments, settings and files by which a tool controls its migrations.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum ToolProblem {
    /// A comment in the wrong place, or one that the tool does not know.
    #[error("is not valid for {tool}: {problem}")]
    Annotation { tool: &'static str, problem: &'static str },
    #[error("contains a setting of {tool} that this provider does not support")]
    UnsupportedSetting { tool: &'static str },
    /// The origin is the line that begins the section of a file with `-- atlas:txtar`.
    #[error("begins the section {name}, which this provider does not support")]
    Section { name: String },
    #[error("reads values from the environment, which {tool} would substitute")]
    Environment { tool: &'static str },
    #[error("contains the placeholder {placeholder}, which {tool} would replace")]
    Placeholder { placeholder: String, tool: &'static str },
    #[error("sets the provider {provider}, not postgresql")]
    LockProvider { provider: String },
    /// The origin is `atlas.sum`.
    #[error("does not exist")]
    MissingSum,
    #[error("does not match the files: {problem}")]
    SumMismatch { problem: String },
}

/// A journal of Drizzle that does not describe the directory.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum JournalProblem {
    /// The origin is the journal.
    #[error("does not exist")]
    Missing,
    #[error("is not valid JSON")]
    Malformed { source: serde_json::Error },
    /// Valid JSON, but not a journal; `problem` names the field.
    #[error("is not a Drizzle journal: {problem}")]
    Shape { problem: String },
    #[error("is for the dialect {dialect}, not postgresql")]
    Dialect { dialect: String },
    #[error("lists {tag} twice")]
    DuplicateTag { tag: String },
    #[error("lists {tag}, but {file} does not exist")]
    MissingTagFile { tag: String, file: String },
    /// The origin is the file.
    #[error("lists {tag}, but the argument repeatable selects {file}")]
    RepeatableTagFile { tag: String, file: String },
    /// The origin is the file; `entry` would list it.
    #[error("is not listed in {journal}, so it would never run")]
    UnlistedFile { journal: String, entry: String },
}

/// A directory whose format `auto` cannot choose. `evidence` is what was found.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum DetectionProblem {
    #[error("is for {tool}, whose format is not supported: it contains {evidence}")]
    Unsupported { tool: &'static str, evidence: String },
    /// Two tools write what was found, and read it differently.
    #[error("may be for {first} or for {second}: it contains {evidence}")]
    Undecided { first: &'static str, second: &'static str, evidence: String },
    /// Each of the two tools has left a trace.
    #[error("contains files of both {first} and {second}")]
    Ambiguous { first: &'static str, second: &'static str },
}
