//! What can be wrong with a directory, its files and their SQL.

use std::io;

use super::FORMATS;
use crate::migration::Origin;
use crate::sql::{Disallowed, SplitError};

/// A word that `format` does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{name}`, expected one of {}", known())]
pub struct UnknownFormat {
    /// The word.
    pub name: String,
}

fn known() -> String {
    let names: Vec<String> = FORMATS.iter().map(|info| format!("`{}`", info.name)).collect();
    names.join(", ")
}

/// Why a directory or a file is not a set of migrations that can run.
///
/// File names are as the practitioner wrote them, with forward slashes after that.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub enum FormatError {
    /// Also when the path is empty.
    #[error("directory `{dir}` does not exist")]
    MissingDirectory { dir: String },
    #[error("`{dir}` is not a directory")]
    NotADirectory { dir: String },
    #[error("directory `{dir}` cannot be listed")]
    UnreadableDirectory { dir: String, source: io::Error },
    #[error("directory `{dir}` holds no migration")]
    EmptyDirectory { dir: String },

    #[error("file `{file}` does not exist")]
    MissingFile { file: String },
    #[error("file `{file}` cannot be read")]
    UnreadableFile { file: String, source: io::Error },
    /// The name is shown with replacement characters.
    #[error("the name of `{file}` is not valid UTF-8")]
    NameNotUtf8 { file: String },
    /// The origin is the line of the first wrong byte.
    #[error("{origin} is not valid UTF-8")]
    NotUtf8 { origin: Origin },

    /// The origin is the line where what stays open begins.
    #[error("{origin} cannot be split into statements")]
    Split { origin: Origin, source: SplitError },
    #[error("{origin} holds {}: {}", disallowed.statement, disallowed.reason)]
    Disallowed { origin: Origin, disallowed: Disallowed },
    /// A comment for this provider that means nothing where it stands.
    #[error("{origin} holds {}: {}", disallowed.statement, disallowed.reason)]
    Directive { origin: Origin, disallowed: Disallowed },
    #[error("`{file}` holds no statement")]
    NoStatement { file: String },

    #[error("the name of `{file}` does not tell a version: it is not `<digits>_<name>.sql`")]
    VersionNotANumber { file: String },
    /// Equal as numbers, not necessarily as written.
    #[error("`{first}` and `{second}` have the same version")]
    DuplicateVersion { first: String, second: String },
    #[error("`{file}` lies in a subdirectory, where it would never run")]
    NestedFile { file: String },
    /// The file undoes a migration, by its name.
    #[error("`{file}` undoes a migration")]
    DownFile { file: String },
    /// A part of the file undoes the rest, by the mark of another tool.
    #[error("{origin} begins a part that undoes the migration, as marked for {tool}")]
    DownSection { origin: Origin, tool: &'static str },

    /// A directory below the given one, behind too many others.
    #[error("`{dir}` lies too deep to be searched for migrations")]
    TooDeep { dir: String },

    /// The name does not follow the tool's rule; the tool would pass over it or stop.
    #[error("the name of `{file}` is not one of {tool}'s migrations: it is not `{expected}`")]
    ForeignName { file: String, tool: &'static str, expected: &'static str },
    #[error("the version of `{file}` is greater than any that {tool} can hold")]
    VersionTooGreat { file: String, tool: &'static str },
    /// Not SQL as it stands: `what` is for example "a Go migration".
    #[error("`{file}` is {what}, which only {tool} itself can run")]
    Program { file: String, tool: &'static str, what: &'static str },
    #[error("`{file}` undoes a migration that is not there")]
    OrphanDown { file: String },
    #[error("`{dir}` holds no `{file}`, which each directory of {tool} must have")]
    MissingMigrationFile { dir: String, file: &'static str, tool: &'static str },
    /// A comment by which the tool tells parts of a file, in the wrong place or unknown.
    #[error("{origin} is not as {tool} reads it: {problem}")]
    Annotation { origin: Origin, tool: &'static str, problem: &'static str },
    #[error("{origin} takes values from the environment, as {tool} would replace them")]
    Environment { origin: Origin, tool: &'static str },
    #[error("{origin} holds the placeholder `{placeholder}`, which {tool} would replace")]
    Placeholder { origin: Origin, placeholder: String, tool: &'static str },
    #[error("the pattern `{pattern}` fits no SQL file in `{dir}`")]
    NoRepeatable { dir: String, pattern: String },
    #[error("{origin} is for the provider `{provider}`, not for `postgresql`")]
    LockProvider { origin: Origin, provider: String },
    #[error("`{file}` does not exist")]
    MissingSum { file: String },
    #[error("{origin} does not fit the files: {problem}")]
    SumMismatch { origin: Origin, problem: String },

    /// The directory is made for a tool whose format cannot be read.
    #[error("`{dir}` is a directory of {tool}, a format that is not supported: it holds {sign}")]
    UnsupportedFormat { dir: String, tool: &'static str, sign: String },
    /// Two tools write what was found, and read it differently.
    #[error("`{dir}` may be a directory of {first} or of {second}: it holds {sign}")]
    UndecidedFormat { dir: String, first: &'static str, second: &'static str, sign: String },
    /// Two tools left their mark.
    #[error("`{dir}` is a directory of both {first} and {second}")]
    AmbiguousFormat { dir: String, first: &'static str, second: &'static str },

    #[error("journal `{file}` does not exist")]
    MissingJournal { file: String },
    /// The problem is the JSON parser's.
    #[error("{origin} is not valid JSON")]
    MalformedJournal { origin: Origin, source: serde_json::Error },
    /// JSON, but not a journal; `problem` names the field.
    #[error("journal `{file}` is not as Drizzle writes it: {problem}")]
    JournalShape { file: String, problem: String },
    #[error("journal `{file}` is for the dialect `{dialect}`, not for `postgresql`")]
    JournalDialect { file: String, dialect: String },
    #[error("journal `{file}` lists `{tag}` twice")]
    DuplicateTag { file: String, tag: String },
    #[error("journal `{journal}` lists `{tag}`, but `{file}` does not exist")]
    MissingTagFile { journal: String, tag: String, file: String },
    #[error("journal `{journal}` does not list `{file}`, so it would never run")]
    UnlistedFile { journal: String, file: String },
}

impl FormatError {
    /// The line to look at, if the error has one.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::NotUtf8 { origin }
            | Self::Split { origin, .. }
            | Self::Disallowed { origin, .. }
            | Self::Directive { origin, .. }
            | Self::DownSection { origin, .. }
            | Self::Annotation { origin, .. }
            | Self::Environment { origin, .. }
            | Self::Placeholder { origin, .. }
            | Self::LockProvider { origin, .. }
            | Self::SumMismatch { origin, .. }
            | Self::MalformedJournal { origin, .. } => Some(origin),
            Self::MissingDirectory { .. }
            | Self::NotADirectory { .. }
            | Self::UnreadableDirectory { .. }
            | Self::EmptyDirectory { .. }
            | Self::MissingFile { .. }
            | Self::UnreadableFile { .. }
            | Self::NameNotUtf8 { .. }
            | Self::NoStatement { .. }
            | Self::VersionNotANumber { .. }
            | Self::DuplicateVersion { .. }
            | Self::NestedFile { .. }
            | Self::DownFile { .. }
            | Self::TooDeep { .. }
            | Self::ForeignName { .. }
            | Self::VersionTooGreat { .. }
            | Self::Program { .. }
            | Self::OrphanDown { .. }
            | Self::MissingMigrationFile { .. }
            | Self::NoRepeatable { .. }
            | Self::MissingSum { .. }
            | Self::UnsupportedFormat { .. }
            | Self::UndecidedFormat { .. }
            | Self::AmbiguousFormat { .. }
            | Self::MissingJournal { .. }
            | Self::JournalShape { .. }
            | Self::JournalDialect { .. }
            | Self::DuplicateTag { .. }
            | Self::MissingTagFile { .. }
            | Self::UnlistedFile { .. } => None,
        }
    }

    /// The file or directory to look at.
    #[must_use]
    pub fn file(&self) -> &str {
        match self {
            Self::MissingDirectory { dir }
            | Self::NotADirectory { dir }
            | Self::UnreadableDirectory { dir, .. }
            | Self::EmptyDirectory { dir }
            | Self::TooDeep { dir }
            | Self::NoRepeatable { dir, .. }
            | Self::MissingMigrationFile { dir, .. }
            | Self::UnsupportedFormat { dir, .. }
            | Self::UndecidedFormat { dir, .. }
            | Self::AmbiguousFormat { dir, .. } => dir,
            Self::MissingFile { file }
            | Self::UnreadableFile { file, .. }
            | Self::NameNotUtf8 { file }
            | Self::NoStatement { file }
            | Self::VersionNotANumber { file }
            | Self::DuplicateVersion { second: file, .. }
            | Self::NestedFile { file }
            | Self::DownFile { file }
            | Self::ForeignName { file, .. }
            | Self::VersionTooGreat { file, .. }
            | Self::Program { file, .. }
            | Self::OrphanDown { file }
            | Self::MissingSum { file }
            | Self::MissingJournal { file }
            | Self::JournalShape { file, .. }
            | Self::JournalDialect { file, .. }
            | Self::DuplicateTag { file, .. }
            | Self::MissingTagFile { journal: file, .. }
            | Self::UnlistedFile { file, .. } => file,
            Self::NotUtf8 { origin }
            | Self::Split { origin, .. }
            | Self::Disallowed { origin, .. }
            | Self::Directive { origin, .. }
            | Self::DownSection { origin, .. }
            | Self::Annotation { origin, .. }
            | Self::Environment { origin, .. }
            | Self::Placeholder { origin, .. }
            | Self::LockProvider { origin, .. }
            | Self::SumMismatch { origin, .. }
            | Self::MalformedJournal { origin, .. } => &origin.file,
        }
    }

    /// What to do now, in full sentences.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::MissingDirectory { .. }
            | Self::NotADirectory { .. }
            | Self::UnreadableDirectory { .. }
            | Self::MissingFile { .. }
            | Self::UnreadableFile { .. } => {
                "Check the path; a relative one begins where Terraform runs, so write \
                 `${path.module}/…` for a path inside the module."
            }
            Self::EmptyDirectory { .. } => "Add a migration, for example `0001_create_users.sql`.",
            Self::NameNotUtf8 { .. } => "Rename the file.",
            Self::NotUtf8 { .. } => "Save the file as UTF-8.",
            Self::Split { source: SplitError::MetaCommand { .. }, .. } => {
                "Write SQL only; the provider sends the file to the cluster without psql."
            }
            Self::Split { .. } => "Mend the SQL; nothing of the directory runs before that.",
            Self::Disallowed { disallowed, .. } | Self::Directive { disallowed, .. } => {
                disallowed.advice
            }
            Self::NoStatement { .. } => {
                "Write a statement into the file or remove it; a migration that does nothing \
                 cannot be told from one that was emptied by mistake."
            }
            Self::VersionNotANumber { .. } => {
                "Name the file `<digits>_<name>.sql`, for example `0001_create_users.sql`, or move \
                 it to another directory."
            }
            Self::DuplicateVersion { .. } => {
                "Give the one that has not been applied yet a higher number."
            }
            Self::NestedFile { .. } => {
                "Move the file into the directory itself if it is a migration, elsewhere if it is \
                 not. If it is to run again whenever it changes, name it in `repeatable`, for \
                 example `repeatable = [\"repeatable/*.sql\"]`."
            }
            Self::DownFile { .. } | Self::DownSection { .. } => {
                "Migrations only go forward: remove what undoes them, and write a new migration \
                 to take something back."
            }
            Self::TooDeep { .. } => "Move its files further up, or out of the directory.",
            Self::ForeignName { .. } => {
                "Rename the file if it is a migration, or move it to another directory: the tool \
                 would pass over it, and it would be missed only when a table is missing."
            }
            Self::VersionTooGreat { .. } => "Give the file a smaller number.",
            Self::Program { .. } => {
                "The provider runs SQL only. Write what it does as SQL under the same version, or \
                 move the file to another directory if it has no effect on this database."
            }
            Self::OrphanDown { .. } => {
                "Restore the file that goes forward, or remove this one; migrations only go \
                 forward here, so nothing else uses it."
            }
            Self::MissingMigrationFile { .. } => {
                "Restore the file, or remove the directory if it was left over."
            }
            Self::Annotation { .. } => {
                "Write the comment as the tool's documentation has it; nothing of the directory \
                 runs before that."
            }
            Self::Environment { .. } => {
                "Write the values into the SQL: a plan must be the same on every machine, so the \
                 environment is not read."
            }
            Self::Placeholder { .. } => {
                "Set `variables`, write the value into the SQL, or, if the text is meant as it stands, switch \
                 placeholders off for this script (`placeholderReplacement=false` in a file with \
                 its name and `.conf` behind it)."
            }
            Self::NoRepeatable { .. } => {
                "Write the path of the file as it is from the directory on, for example \
                 `repeatable/*.sql`, or remove the pattern; `*` stands for a part of one name."
            }
            Self::LockProvider { .. } => {
                "Aurora DSQL speaks PostgreSQL: set `provider = \"postgresql\"` in the datasource \
                 of the Prisma schema and create the migrations again."
            }
            Self::MissingSum { .. } => {
                "Write it with `atlas migrate hash` and commit it; for a directory without a sum \
                 say `format = \"plain\"`."
            }
            Self::SumMismatch { .. } => {
                "Look at what has changed since the sum was written. If it is meant, run `atlas \
                 migrate hash`; a change of an applied file is refused all the same."
            }
            Self::UndecidedFormat { .. } => "Set `format` to the tool that the files are for.",
            Self::UnsupportedFormat { .. } => {
                "Keep the forward SQL in numbered files; if the directory holds nothing else, say \
                 `format = \"plain\"`."
            }
            Self::AmbiguousFormat { .. } => {
                "Set `format`, or remove what the other tool left in the directory."
            }
            Self::MissingJournal { .. } => {
                "Commit the `meta` directory that drizzle-kit writes next to the SQL files."
            }
            Self::MalformedJournal { .. } | Self::JournalShape { .. } => {
                "Restore the journal from version control or let drizzle-kit write it again; an \
                 unresolved merge conflict is the usual cause."
            }
            Self::JournalDialect { .. } => {
                "Aurora DSQL speaks PostgreSQL: set `dialect: \"postgresql\"` in the drizzle-kit \
                 configuration and generate the migrations again."
            }
            Self::DuplicateTag { .. } => "Remove one of the two entries.",
            Self::MissingTagFile { .. } => "Restore the file, or remove its entry.",
            Self::UnlistedFile { .. } => {
                "Let drizzle-kit list it (`drizzle-kit generate --custom` makes a file together \
                 with its entry), or remove the file."
            }
        }
    }
}
