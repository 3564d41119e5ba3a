//! Migration directories of this and other tools, read into [`Migration`]s.
//!
//! A format decides which files count, in what order, and how they are called; the SQL inside is
//! split and judged the same way for all. Everything is read and checked before anything is
//! returned, so that no run begins with a directory whose last file is broken. Knows neither
//! databases nor Terraform.

mod detect;
mod drizzle;
mod error;
mod listing;
mod plain;
mod read;

use self::listing::Source;
use crate::migration::Migration;

pub use error::{FormatError, UnknownFormat};

/// A directory format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Numbered files: `0001_create_users.sql`.
    Plain,
    /// drizzle-kit's classic layout, in the order of `meta/_journal.json`.
    Drizzle,
}

/// A format as documentation and configuration speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatInfo {
    /// The word in the configuration.
    pub name: &'static str,
    /// The format it means; `None` for `auto`, which looks at the directory.
    pub format: Option<Format>,
    /// What its directories look like, in one clause.
    pub summary: &'static str,
}

/// All that the `format` argument may say.
pub static FORMATS: &[FormatInfo] = &[
    FormatInfo { name: "auto", format: None, summary: "recognised by what the directory holds" },
    FormatInfo {
        name: "plain",
        format: Some(Format::Plain),
        summary: "files `<digits>_<name>.sql` or `<digits>.sql`, in the order of their numbers",
    },
    FormatInfo {
        name: "drizzle",
        format: Some(Format::Drizzle),
        summary: "drizzle-kit up to 0.31: files in the order of `meta/_journal.json`",
    },
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
    let listing = listing::list(dir).map_err(|error| vec![error])?;
    let format = match format {
        Some(format) => format,
        None => detect::format(&listing).map_err(|error| vec![error])?,
    };
    let nested = listing.nested_errors();
    let migrations = match format {
        Format::Plain => plain::migrations(listing.sql),
        Format::Drizzle => drizzle::migrations(listing),
    };
    match migrations {
        Ok(_) if !nested.is_empty() => Err(nested),
        Ok(migrations) if migrations.is_empty() => {
            Err(vec![FormatError::EmptyDirectory { dir: dir.to_owned() }])
        }
        Ok(migrations) => Ok(Directory { format, migrations }),
        Err(errors) => Err(errors.into_iter().chain(nested).collect()),
    }
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
    plain::migrations(files.into_iter().map(|(name, text)| Source {
        name: name.to_owned(),
        file: name.to_owned(),
        text: Ok(text.to_owned()),
    }))
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
