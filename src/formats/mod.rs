//! Migration directories of this and other tools, read into [`Migration`]s.
//!
//! A format decides which files count, in what order, and how they are called; the SQL inside is
//! split and judged the same way for all. Everything is read and checked before anything is
//! returned, so that no run begins with a directory whose last file is broken. Knows neither
//! databases nor Terraform.

pub mod adopt;
mod atlas;
mod dbmate;
mod detect;
mod drizzle;
mod entries;
mod error;
mod flyway;
mod folders;
mod golang_migrate;
mod goose;
mod listing;
mod marks;
mod number;
mod pairs;
mod plain;
mod prisma;
mod read;
mod refinery;
mod repeatable;
mod sqlx;

use self::listing::{Listing, SourceFile, flat};
use crate::migration::{Migration, Version};

pub use error::{FormatError, UnknownFormat};
pub use repeatable::Patterns;

/// How a directory is read, besides its format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The files that are repeatable.
    pub repeatable: Patterns,
    /// What becomes of another tool's placeholders.
    pub placeholders: Placeholders,
}

/// What `${name}` is where a tool would replace it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Placeholders {
    /// An error: the text as it stands is not what the tool would run.
    #[default]
    Refused,
    /// A variable of this provider.
    Variables,
}

/// A directory format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "FORMATS describes each")]
pub enum Format {
    Plain,
    Drizzle,
    Flyway,
    Atlas,
    Sqlx,
    Goose,
    Dbmate,
    GolangMigrate,
    Prisma,
    Refinery,
}

/// A format as documentation and configuration speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatInfo {
    /// The word in the configuration.
    pub name: &'static str,
    /// The format it means; `None` for `auto`, which looks at the directory.
    pub format: Option<Format>,
    /// Whose format it is, as its makers write the name; empty for `auto` and `plain`.
    pub tool: &'static str,
    /// What its directories look like, in one clause of Markdown.
    pub summary: &'static str,
}

const fn info(
    name: &'static str,
    format: Format,
    tool: &'static str,
    summary: &'static str,
) -> FormatInfo {
    FormatInfo { name, format: Some(format), tool, summary }
}

/// All that the `format` argument may say.
pub static FORMATS: &[FormatInfo] = &[
    FormatInfo {
        name: "auto",
        format: None,
        tool: "",
        summary: "recognised by what the directory holds",
    },
    info(
        "plain",
        Format::Plain,
        "",
        "files `<digits>_<name>.sql` or `<digits>.sql`, in the order of their numbers",
    ),
    info(
        "drizzle",
        Format::Drizzle,
        "Drizzle",
        "files in the order of `meta/_journal.json`, or directories `<14 digits>_<name>` with a \
         `migration.sql`",
    ),
    info(
        "flyway",
        Format::Flyway,
        "Flyway",
        "files `V<version>__<description>.sql`, also in subdirectories, in the order of versions",
    ),
    info(
        "atlas",
        Format::Atlas,
        "Atlas",
        "files `<version>_<name>.sql` in the order of their names, sealed by `atlas.sum`",
    ),
    info(
        "sqlx",
        Format::Sqlx,
        "sqlx",
        "files `<digits>_<name>.sql` or `<digits>_<name>.up.sql`, in the order of their numbers",
    ),
    info(
        "goose",
        Format::Goose,
        "goose",
        "files `<digits>_<name>.sql`, what follows `-- +goose Up`, in the order of their numbers",
    ),
    info(
        "dbmate",
        Format::Dbmate,
        "dbmate",
        "files `<digits>_<name>.sql`, what follows `-- migrate:up`, in the order of their names",
    ),
    info(
        "golang-migrate",
        Format::GolangMigrate,
        "golang-migrate",
        "files `<digits>_<name>.up.sql`, in the order of their numbers",
    ),
    info(
        "prisma",
        Format::Prisma,
        "Prisma",
        "directories with a `migration.sql`, in the order of their names",
    ),
    info(
        "refinery",
        Format::Refinery,
        "refinery",
        "files `V<digits>__<name>.sql` or `U<digits>__<name>.sql`, also in subdirectories, in the \
         order of their numbers",
    ),
];

impl Format {
    /// Reads the word of the configuration; `None` is `auto`.
    ///
    /// # Errors
    ///
    /// If [`FORMATS`] does not list the word.
    pub fn parse(name: &str) -> Result<Option<Self>, UnknownFormat> {
        match FORMATS.iter().find(|info| info.name == name) {
            Some(info) => Ok(info.format),
            None => Err(UnknownFormat { name: name.to_owned() }),
        }
    }

    /// The word of the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Drizzle => "drizzle",
            Self::Flyway => "flyway",
            Self::Atlas => "atlas",
            Self::Sqlx => "sqlx",
            Self::Goose => "goose",
            Self::Dbmate => "dbmate",
            Self::GolangMigrate => "golang-migrate",
            Self::Prisma => "prisma",
            Self::Refinery => "refinery",
        }
    }

    /// Whose format it is; the name of the format where nobody's.
    fn tool(self) -> &'static str {
        let info = FORMATS.iter().find(|info| info.format == Some(self));
        info.map(|info| info.tool).filter(|tool| !tool.is_empty()).unwrap_or_else(|| self.name())
    }

    /// Reads a directory by the rules of the format.
    fn read(
        self,
        listing: Listing,
        placeholders: Placeholders,
    ) -> Result<Vec<Migration>, Vec<FormatError>> {
        match self {
            Self::Plain => flat(listing, |listing| plain::migrations(listing.sql)),
            Self::Drizzle => drizzle::migrations(listing),
            Self::Flyway => flyway::migrations(listing, placeholders),
            Self::Atlas => flat(listing, atlas::migrations),
            Self::Sqlx => flat(listing, sqlx::migrations),
            Self::Goose => flat(listing, goose::migrations),
            Self::Dbmate => flat(listing, dbmate::migrations),
            Self::GolangMigrate => flat(listing, golang_migrate::migrations),
            Self::Prisma => prisma::migrations(listing),
            Self::Refinery => refinery::migrations(listing),
        }
    }
}

/// A directory that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The format it was read in.
    pub format: Format,
    /// Its migrations in the order in which they run; at least one.
    pub migrations: Vec<Migration>,
}

/// Reads a directory, in the format given or in the one that it shows.
///
/// `dir` is used exactly as written, also in origins: `dir/0001_x.sql:12`.
///
/// # Errors
///
/// Every file that is broken, each with its first error, in order; never an empty list.
pub fn read_dir(dir: &str, format: Option<Format>) -> Result<Directory, Vec<FormatError>> {
    read_dir_with(dir, format, &Options::default())
}

/// As [`read_dir`], by other rules.
///
/// # Errors
///
/// As [`read_dir`], and each pattern that names no file.
pub fn read_dir_with(
    dir: &str,
    format: Option<Format>,
    options: &Options,
) -> Result<Directory, Vec<FormatError>> {
    let mut listing = listing::list(dir).map_err(|error| vec![error])?;
    let taken = options.repeatable.take(&mut listing);
    let unused = options.repeatable.unused(dir, &taken);
    if !unused.is_empty() {
        return Err(unused);
    }
    let format = match format {
        Some(format) => format,
        None => detect::format(&listing).map_err(|error| vec![error])?,
    };
    let repeatables = repeatable::migrations(taken, repeatable::whole);
    let migrations = repeatable::add(format.read(listing, options.placeholders), repeatables)?;
    if migrations.is_empty() {
        return Err(vec![FormatError::EmptyDirectory { dir: dir.to_owned() }]);
    }
    Ok(Directory { format, migrations })
}

/// Reads a map from name to SQL by the rules of [`Format::Plain`]; the suffix `.sql` may be absent,
/// and a name may be a path. An empty map is an empty set.
///
/// # Errors
///
/// Every entry that is broken, each with its first error; never an empty list.
pub fn read_files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    read_files_with(files, &Options::default())
}

/// As [`read_files`], with names that are repeatable.
///
/// # Errors
///
/// As [`read_files`], and each pattern that fits no name.
pub fn read_files_with<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    options: &Options,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let sources = files.into_iter().map(|(name, text)| SourceFile {
        name: name.to_owned(),
        file: name.to_owned(),
        text: Ok(text.to_owned()),
    });
    let (taken, rest) = options.repeatable.part(sources.collect());
    let unused = options.repeatable.unused("files", &taken);
    if !unused.is_empty() {
        return Err(unused);
    }
    let repeatables = repeatable::migrations(taken, repeatable::whole);
    repeatable::add(plain::migrations(rest), repeatables)
}

/// Reads one file. `path` is used exactly as written; version and description default to what the
/// name of the file says.
///
/// # Errors
///
/// The first thing that is wrong with the file.
pub fn read_file(
    path: &str,
    version: Option<&str>,
    description: Option<&str>,
) -> Result<Migration, FormatError> {
    single(path, &listing::read_text(path)?, version, description)
}

/// Version and description that the name of a file, or the end of a path, tells by the rules of
/// [`Format::Plain`].
///
/// # Errors
///
/// If the name does not begin with digits.
pub fn parse_name(file: &str) -> Result<(Version, String), FormatError> {
    plain::parse_name(file)
}

/// The name under which the ledger knows a repeatable migration, and its description, from the path
/// of its file.
#[must_use]
pub fn repeatable_name(path: &str) -> (String, String) {
    repeatable::name(path)
}

/// Makes one migration from a text; `file` is what messages call it.
///
/// # Errors
///
/// The first thing that is wrong with the text, or with the name if it has to tell the version.
pub fn single(
    file: &str,
    text: &str,
    version: Option<&str>,
    description: Option<&str>,
) -> Result<Migration, FormatError> {
    plain::single(file, text, version, description)
}

#[cfg(test)]
mod tests;
