//! The file system: what a directory holds, and the text of a file. Nowhere else is it touched.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use super::FormatError;
use crate::migration::{Migration, Origin};

/// How deep subdirectories are searched for SQL files; also what ends a loop of symbolic links.
const DEPTH: usize = 4;

/// What a directory holds, sorted by name.
#[derive(Debug)]
pub(super) struct Listing {
    /// The directory as the practitioner wrote it.
    pub(super) dir: String,
    /// Names of the files directly inside.
    pub(super) files: Vec<String>,
    /// Names of the directories directly inside.
    pub(super) folders: Vec<String>,
    /// Paths of the files in subdirectories, from the directory on, with forward slashes.
    pub(super) nested: Vec<String>,
    /// Directories that lie too deep to be searched.
    pub(super) unsearched: Vec<String>,
    /// Those of `files` that are SQL, read.
    pub(super) sql: Vec<SourceFile>,
    /// Name and text of files directly inside that are read apart from the format, which may have
    /// sealed them all the same.
    pub(super) taken: Vec<(String, String)>,
}

/// An SQL file, or an entry of a map.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Its name inside the directory.
    pub(super) name: String,
    /// As the practitioner would write it.
    pub(super) file: String,
    /// What is in it, or why that is not known.
    pub(super) text: Result<String, FormatError>,
}

impl Listing {
    /// The path of a file, as a practitioner who wrote the directory would write it.
    pub(super) fn path(&self, name: &str) -> String {
        join(&self.dir, name)
    }

    /// Whether there is such a file, directly inside or in a subdirectory.
    pub(super) fn holds(&self, path: &str) -> bool {
        // Both are sorted, and there may be ten thousand.
        [&self.files, &self.nested]
            .into_iter()
            .any(|held| held.binary_search_by(|name| name.as_str().cmp(path)).is_ok())
    }

    /// A file directly inside or in a subdirectory, read now.
    pub(super) fn source(&self, path: &str) -> SourceFile {
        read_source(&self.dir, path)
    }

    /// The SQL files here and in all subdirectories, those in subdirectories read now, and an
    /// error for each subdirectory that lies too deep.
    pub(super) fn all_sql(&mut self) -> (Vec<SourceFile>, Vec<FormatError>) {
        let mut all = std::mem::take(&mut self.sql);
        all.extend(self.nested.iter().filter(|path| is_sql(path)).map(|path| self.source(path)));
        let deep = self.unsearched.iter();
        (all, deep.map(|path| FormatError::TooDeep { dir: self.path(path) }).collect())
    }

    /// The names of all files here and in subdirectories, from the directory on.
    pub(super) fn all_files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().chain(&self.nested).map(String::as_str)
    }

    /// An error for each SQL file in a subdirectory, for formats that have no such files.
    pub(super) fn nested_errors(&self) -> Vec<FormatError> {
        let nested = self.nested.iter().filter(|path| is_sql(path));
        nested.map(|path| FormatError::NestedFile { file: self.path(path) }).collect()
    }
}

/// Whether a file is SQL by its name.
pub(super) fn is_sql(name: &str) -> bool {
    Path::new(name).extension().is_some_and(is_sql_extension)
}

/// Whether a file reverts a migration, judged by its name.
pub(super) fn is_down_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".down.sql") || name == "down.sql"
}

/// The name of an SQL file without its suffix.
pub(super) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, suffix)) if suffix.eq_ignore_ascii_case("sql") => stem,
        _ => name,
    }
}

/// The part of a path behind its last slash.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_sql_extension(extension: &OsStr) -> bool {
    extension.eq_ignore_ascii_case("sql")
}

/// Lists a directory and its subdirectories, and reads its SQL files, each once.
pub(super) fn list(dir: &str) -> Result<Listing, FormatError> {
    let mut files = Vec::new();
    let mut nested = Vec::new();
    let mut folders = Vec::new();
    let mut unsearched = Vec::new();
    for entry in entries(dir)? {
        match entry {
            DirectoryEntry::File(name) => files.push(name),
            DirectoryEntry::Directory(name) => folders.push(name),
        }
    }
    let mut subdirectories: Vec<_> = folders.iter().map(|name| (name.clone(), 1)).collect();
    while let Some((subdirectory, depth)) = subdirectories.pop() {
        for entry in entries(&join(dir, &subdirectory))? {
            match entry {
                DirectoryEntry::File(name) => nested.push(join(&subdirectory, &name)),
                DirectoryEntry::Directory(name) if depth < DEPTH => {
                    subdirectories.push((join(&subdirectory, &name), depth + 1));
                }
                DirectoryEntry::Directory(name) => unsearched.push(join(&subdirectory, &name)),
            }
        }
    }
    files.sort();
    folders.sort();
    nested.sort();
    unsearched.sort();
    let sql = files.iter().filter(|name| is_sql(name)).map(|name| read_source(dir, name)).collect();
    let (dir, taken) = (dir.to_owned(), Vec::new());
    Ok(Listing { dir, files, folders, nested, unsearched, sql, taken })
}

/// Reads a directory in a format that has no SQL in subdirectories, where it would never run.
pub(super) fn flat(
    listing: Listing,
    read: impl Fn(Listing) -> Result<Vec<Migration>, Vec<FormatError>>,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let nested = listing.nested_errors();
    match read(listing) {
        Ok(_) if !nested.is_empty() => Err(nested),
        Ok(migrations) => Ok(migrations),
        Err(errors) => Err(errors.into_iter().chain(nested).collect()),
    }
}

fn read_source(dir: &str, name: &str) -> SourceFile {
    let file = join(dir, name);
    let text = read_text(&file);
    SourceFile { name: name.to_owned(), file, text }
}

/// Reads a file whole. A byte order mark stays.
pub(super) fn read_text(path: &str) -> Result<String, FormatError> {
    let file = || path.to_owned();
    let bytes = fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => FormatError::MissingFile { file: file() },
        _ => FormatError::UnreadableFile { file: file(), source },
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        FormatError::NotUtf8 { origin: Origin { file: file(), line } }
    })
}

enum DirectoryEntry {
    File(String),
    Directory(String),
}

fn entries(dir: &str) -> Result<Vec<DirectoryEntry>, FormatError> {
    let failed = |source: io::Error| {
        let dir = dir.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => FormatError::MissingDirectory { dir },
            io::ErrorKind::NotADirectory => FormatError::NotADirectory { dir },
            _ => FormatError::UnreadableDirectory { dir, source },
        }
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let looks_like_sql = Path::new(&name).extension().is_some_and(is_sql_extension);
        // Follows symbolic links; a broken one counts as a file, and so does a directory with a
        // migration's name: reading it tells the rest, and nothing is passed over in silence.
        let is_directory =
            !looks_like_sql && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        match name.to_str() {
            Some(name) if is_directory => entries.push(DirectoryEntry::Directory(name.to_owned())),
            Some(name) => entries.push(DirectoryEntry::File(name.to_owned())),
            None if looks_like_sql => {
                let file = join(dir, &name.to_string_lossy());
                return Err(FormatError::NameNotUtf8 { file });
            }
            None => {}
        }
    }
    Ok(entries)
}

pub(super) fn join(dir: &str, name: &str) -> String {
    format!("{}/{name}", dir.trim_end_matches('/'))
}
