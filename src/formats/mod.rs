//! Migration directories of this provider and other tools, read into [`Migration`]s.
//!
//! A format decides which files are migrations, in which order they run, and what their versions
//! are; the SQL in them is split and classified in the same way for all formats. Everything is read
//! and checked before anything is returned, so that no run starts with a directory whose last file
//! is invalid. Knows neither databases nor Terraform. To add a format, see `README.md`.

pub mod adopt;
mod atlas;
mod dbmate;
mod detect;
mod drizzle;
mod entries;
pub mod error;
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
mod sections;
mod sqlx;

use self::error::{ErrorOrigin, LayoutProblem};
use self::listing::{Listing, SourceFile, flat};
use self::read::ReadMigration;
use crate::migration::{Migration, Version};

pub use error::{FormatError, UnknownFormat};
pub(crate) use folders::against_bytes;
pub use repeatable::Patterns;

/// How to read a directory, in addition to its format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The files that are repeatable.
    pub repeatable: Patterns,
    /// How to treat the placeholders of another tool.
    pub placeholders: Placeholders,
}

/// The meaning of `${name}` in files of a tool that would replace it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Placeholders {
    /// An error, because the text of the file is not what the tool would run.
    #[default]
    Rejected,
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

/// Everything that distinguishes one format from the others.
#[derive(Debug, Clone, Copy)]
pub struct FormatSpec {
    /// The format.
    pub format: Format,
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its tool, spelled as the tool's authors do; empty for `plain`.
    pub tool: &'static str,
    /// What its directories contain, in one clause of Markdown.
    pub summary: &'static str,
    read: fn(Listing, Placeholders) -> Result<Vec<ReadMigration>, Vec<FormatError>>,
}

/// The formats, in the order of [`Format`].
pub const FORMATS: &[FormatSpec] = &[
    FormatSpec {
        format: Format::Plain,
        name: "plain",
        tool: "",
        summary: "files `<digits>_<name>.sql`, `<digits>-<name>.sql`, or `<digits>.sql`, in the \
                  order of their numbers",
        read: |listing, _| flat(listing, |listing| plain::migrations(listing.sql)),
    },
    FormatSpec {
        format: Format::Drizzle,
        name: "drizzle",
        tool: "Drizzle",
        summary: "files in the order of `meta/_journal.json`, or directories `<14 digits>_<name>` \
                  with a `migration.sql`",
        read: |listing, _| drizzle::migrations(listing),
    },
    FormatSpec {
        format: Format::Flyway,
        name: "flyway",
        tool: "Flyway",
        summary: "files `V<version>__<description>.sql`, also in subdirectories, in the order of \
                  their versions",
        read: flyway::migrations,
    },
    FormatSpec {
        format: Format::Atlas,
        name: "atlas",
        tool: "Atlas",
        summary: "files `<version>_<name>.sql` in the order of their names, listed in `atlas.sum`",
        read: |listing, _| flat(listing, atlas::migrations),
    },
    FormatSpec {
        format: Format::Sqlx,
        name: "sqlx",
        tool: "sqlx",
        summary: "files `<digits>_<name>.sql` or `<digits>_<name>.up.sql`, in the order of their \
                  numbers",
        read: |listing, _| flat(listing, sqlx::migrations),
    },
    FormatSpec {
        format: Format::Goose,
        name: "goose",
        tool: "goose",
        summary: "files `<digits>_<name>.sql` with `-- +goose Up`, in the order of their numbers",
        read: |listing, _| flat(listing, goose::migrations),
    },
    FormatSpec {
        format: Format::Dbmate,
        name: "dbmate",
        tool: "dbmate",
        summary: "files `<digits>_<name>.sql` with `-- migrate:up`, in the order of their names",
        read: |listing, _| flat(listing, dbmate::migrations),
    },
    FormatSpec {
        format: Format::GolangMigrate,
        name: "golang-migrate",
        tool: "golang-migrate",
        summary: "files `<digits>_<name>.up.sql`, in the order of their numbers",
        read: |listing, _| flat(listing, golang_migrate::migrations),
    },
    FormatSpec {
        format: Format::Prisma,
        name: "prisma",
        tool: "Prisma",
        summary: "directories with a `migration.sql`, in the order of their names",
        read: |listing, _| prisma::migrations(listing),
    },
    FormatSpec {
        format: Format::Refinery,
        name: "refinery",
        tool: "refinery",
        summary: "files `V<digits>__<name>.sql` or `U<digits>__<name>.sql`, also in \
                  subdirectories, in the order of their numbers",
        read: |listing, _| refinery::migrations(listing),
    },
];

// `Format::spec` relies on the order.
const _: () = {
    let mut index = 0;
    while index < FORMATS.len() {
        assert!(FORMATS[index].format as usize == index, "FORMATS has the order of Format");
        index += 1;
    }
};

/// The value of the `format` argument that detects the format of the directory.
pub const AUTO: &str = "auto";

/// How [`AUTO`] chooses a format, in one clause of Markdown.
pub const AUTO_SUMMARY: &str = "detected from the contents of the directory";

/// All values that the `format` argument accepts.
pub fn format_names() -> impl Iterator<Item = &'static str> {
    std::iter::once(AUTO).chain(FORMATS.iter().map(|spec| spec.name))
}

impl Format {
    /// Parses the `format` argument; `None` is [`AUTO`].
    ///
    /// # Errors
    ///
    /// If the value is not one of [`format_names`].
    pub fn parse(name: &str) -> Result<Option<Self>, UnknownFormat> {
        if name == AUTO {
            return Ok(None);
        }
        match FORMATS.iter().find(|spec| spec.name == name) {
            Some(spec) => Ok(Some(spec.format)),
            None => Err(UnknownFormat { name: name.to_owned() }),
        }
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Its tool, or the name of the format if it belongs to none.
    pub(crate) fn tool(self) -> &'static str {
        let spec = self.spec();
        if spec.tool.is_empty() { spec.name } else { spec.tool }
    }

    fn spec(self) -> &'static FormatSpec {
        &FORMATS[self as usize]
    }
}

/// A directory whose files have all been read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The format in which it was read.
    pub format: Format,
    /// Its migrations in the order in which they run, at least one.
    pub migrations: Vec<Migration>,
}

/// What was read, and what is wrong with the texts of its migrations. A problem matters only if the
/// migration is to run: another tool may have applied it, or a version of this provider.
#[derive(Debug)]
pub struct WithProblems<T> {
    /// What was read.
    pub found: T,
    /// The problems, in order.
    pub problems: Vec<FileProblem>,
}

/// What is wrong with the text of a migration.
#[derive(Debug)]
pub struct FileProblem {
    /// The file of the migration.
    pub file: String,
    /// The problem.
    pub error: FormatError,
}

impl<T> WithProblems<T> {
    fn of(migrations: Vec<ReadMigration>, read: impl FnOnce(Vec<Migration>) -> T) -> Self {
        let mut problems = Vec::new();
        let migrations = migrations.into_iter().map(|read| {
            let ReadMigration { migration, problems: of_file } = read;
            let problem = |error| FileProblem { file: migration.file.clone(), error };
            problems.extend(of_file.into_iter().map(problem));
            migration
        });
        let found = read(migrations.collect());
        Self { found, problems }
    }

    /// What was read, if it can run as a whole.
    ///
    /// # Errors
    ///
    /// The problems.
    pub fn strict(self) -> Result<T, Vec<FormatError>> {
        if self.problems.is_empty() {
            return Ok(self.found);
        }
        Err(self.problems.into_iter().map(|problem| problem.error).collect())
    }
}

/// Reads a directory in the given format, or in the format that it is detected to have.
///
/// `dir` is used exactly as written, also in origins such as `dir/0001_x.sql:12`.
///
/// # Errors
///
/// The errors of all files, in order; never an empty list.
pub fn read_dir(dir: &str, format: Option<Format>) -> Result<Directory, Vec<FormatError>> {
    read_dir_with(dir, format, &Options::default())?.strict()
}

/// Reads a directory as [`read_dir`] does, with options.
///
/// # Errors
///
/// Everything that is wrong with the directory and the names of its files, and an error for each
/// pattern that matches no file.
pub fn read_dir_with(
    dir: &str,
    format: Option<Format>,
    options: &Options,
) -> Result<WithProblems<Directory>, Vec<FormatError>> {
    let mut listing = listing::list(dir).map_err(|error| vec![error])?;
    let taken = options.repeatable.take(&mut listing);
    let origin = ErrorOrigin::Directory(dir.to_owned());
    let unmatched = options.repeatable.unmatched(&origin, &taken);
    let format = match format.map_or_else(|| detect::format(&listing), Ok) {
        Ok(format) => format,
        Err(error) => return Err(unmatched.into_iter().chain([error]).collect()),
    };
    let repeatables = repeatable::migrations(taken, repeatable::whole);
    let migrations = (format.spec().read)(listing, options.placeholders);
    let migrations = repeatable::add(migrations, repeatables);
    let migrations = unless_unmatched(migrations, unmatched)?;
    if migrations.is_empty() {
        return Err(vec![FormatError::directory(dir, LayoutProblem::EmptyDirectory)]);
    }
    Ok(WithProblems::of(migrations, |migrations| Directory { format, migrations }))
}

/// What was read, unless a pattern matches no file.
fn unless_unmatched(
    read: Result<Vec<ReadMigration>, Vec<FormatError>>,
    mut unmatched: Vec<FormatError>,
) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    match read {
        Ok(read) if unmatched.is_empty() => Ok(read),
        Ok(read) => {
            unmatched.extend(read.into_iter().flat_map(|read| read.problems));
            Err(unmatched)
        }
        Err(errors) => {
            unmatched.extend(errors);
            Err(unmatched)
        }
    }
}

/// Reads a map from names to SQL as [`Format::Plain`]. The suffix `.sql` is optional, and a name
/// may be a path. An empty map is an empty migration set.
///
/// # Errors
///
/// The errors of all entries; never an empty list.
pub fn read_files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    read_files_with(files, &Options::default())?.strict()
}

/// Reads a map as [`read_files`] does, with options.
///
/// # Errors
///
/// Everything that is wrong with the names, and an error for each pattern that matches no name.
pub fn read_files_with<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    options: &Options,
) -> Result<WithProblems<Vec<Migration>>, Vec<FormatError>> {
    let sources = files.into_iter().map(|(name, text)| SourceFile {
        name: name.to_owned(),
        file: name.to_owned(),
        text: Ok(text.to_owned()),
    });
    let (taken, rest) = options.repeatable.partition(sources.collect());
    let origin = ErrorOrigin::File("files".to_owned());
    let unmatched = options.repeatable.unmatched(&origin, &taken);
    let repeatables = repeatable::migrations(taken, repeatable::whole);
    let read = repeatable::add(plain::migrations(rest), repeatables);
    let read = unless_unmatched(read, unmatched)?;
    Ok(WithProblems::of(read, |migrations| migrations))
}

/// Reads one file. `path` is used exactly as written. Version and description default to those in
/// the name of the file.
///
/// # Errors
///
/// The file cannot be read, or its name has no version.
pub fn read_file(
    path: &str,
    version: Option<&str>,
    description: Option<&str>,
) -> Result<WithProblems<Vec<Migration>>, FormatError> {
    single(path, &listing::read_text(path)?, version, description)
}

/// Parses version and description from the name of a file, or the end of a path, as
/// [`Format::Plain`] does.
///
/// # Errors
///
/// If the name does not begin with digits.
pub fn parse_name(file: &str) -> Result<(Version, String), FormatError> {
    plain::parse_name(file)
}

/// The name under which the ledger stores a repeatable migration, and its description, from the
/// path of its file.
#[must_use]
pub fn repeatable_name(path: &str) -> (String, String) {
    repeatable::name(path)
}

/// Reads a text as one migration; messages refer to it as `file`.
///
/// # Errors
///
/// The version is to come from the name, which has none.
pub fn single(
    file: &str,
    text: &str,
    version: Option<&str>,
    description: Option<&str>,
) -> Result<WithProblems<Vec<Migration>>, FormatError> {
    let read = plain::single(file, text, version, description)?;
    Ok(WithProblems::of(vec![read], |migrations| migrations))
}

#[cfg(test)]
mod tests;
