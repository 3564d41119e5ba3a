//! Lists directories and reads files. No other file of this module accesses the file system.

use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use super::error::{AccessProblem, FormatError, LayoutProblem};
use crate::migration::Origin;

/// The depth to which subdirectories are searched for SQL files.
const DEPTH: usize = 4;

/// The file that contains the SQL of a migration that is a directory.
pub(super) const MIGRATION_FILE: &str = "migration.sql";

/// The contents of a directory, sorted by name.
#[derive(Debug)]
pub(super) struct Listing {
    /// The directory as the user wrote it.
    pub(super) dir: String,
    /// Names of the files directly inside.
    pub(super) files: Vec<String>,
    /// Names of the directories directly inside.
    pub(super) folders: Vec<String>,
    /// Paths of the files in subdirectories, relative to the directory, with forward slashes.
    pub(super) nested: Vec<String>,
    /// Directories that are nested too deeply to be searched.
    pub(super) unsearched: Vec<String>,
    /// The SQL files among `files`, with their texts.
    pub(super) sql: Vec<SourceFile>,
    /// Names and texts of the repeatable files directly inside. The format does not read them, but
    /// a sum such as `atlas.sum` includes them.
    pub(super) taken: Vec<(String, String)>,
}

/// An SQL file, or an entry of a map.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Its name inside the directory.
    pub(super) name: String,
    /// Its path as the user would write it.
    pub(super) file: String,
    /// Its text, or why it cannot be read.
    pub(super) text: Result<String, FormatError>,
}

impl Listing {
    /// The path of a file, in the style in which the user wrote the directory.
    pub(super) fn path(&self, name: &str) -> String {
        join(&self.dir, name)
    }

    /// Whether a file exists, directly inside or in a subdirectory.
    pub(super) fn contains(&self, path: &str) -> bool {
        // Both lists are sorted and may have ten thousand elements.
        [&self.files, &self.nested]
            .into_iter()
            .any(|held| held.binary_search_by(|name| name.as_str().cmp(path)).is_ok())
    }

    /// Reads a file directly inside or in a subdirectory.
    pub(super) fn source(&self, path: &str) -> SourceFile {
        read_source(&self.dir, path)
    }

    /// The SQL files of the directory and its subdirectories, and an error for each subdirectory
    /// that is nested too deeply. Reads the files in subdirectories.
    pub(super) fn all_sql(&mut self) -> (Vec<SourceFile>, Vec<FormatError>) {
        let mut all = std::mem::take(&mut self.sql);
        all.extend(self.nested.iter().filter(|path| is_sql(path)).map(|path| self.source(path)));
        let too_deep =
            |path: &String| FormatError::directory(self.path(path), LayoutProblem::TooDeep);
        (all, self.unsearched.iter().map(too_deep).collect())
    }

    /// The paths of all files, relative to the directory.
    pub(super) fn all_files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().chain(&self.nested).map(String::as_str)
    }

    /// Removes hidden directories, for a tool that does not search them.
    pub(super) fn skip_hidden_directories(&mut self) {
        let is_hidden = |path: &str| path.split('/').any(|part| part.starts_with('.'));
        let folder = |path: &String| path.rsplit_once('/').is_some_and(|(dir, _)| is_hidden(dir));
        self.nested.retain(|path| !folder(path));
        self.unsearched.retain(|path| !is_hidden(path));
        self.folders.retain(|folder| !is_hidden(folder));
    }

    /// An error for each SQL file in a subdirectory, for formats that have no such files.
    pub(super) fn nested_errors(&self) -> Vec<FormatError> {
        let nested = self.nested.iter().filter(|path| is_sql(path));
        let error = |path: &String| FormatError::file(self.path(path), LayoutProblem::NestedFile);
        nested.map(error).collect()
    }
}

/// Whether a file is SQL, judged by its name.
pub(super) fn is_sql(name: &str) -> bool {
    Path::new(name).extension().is_some_and(is_sql_extension)
}

/// Whether a file reverts a migration, judged by its name. Several tools have such names.
pub(super) fn is_down_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let suffixes = [".down.sql", ".undo.sql", ".rollback.sql", ".revert.sql"];
    suffixes.iter().any(|suffix| name.ends_with(suffix) || name == suffix[1..])
}

/// Whether the first file reverts the second one, judged by their names, which differ only in words
/// such as `_down` and `_up` at the end.
pub(super) fn reverts(file: &str, other: &str) -> bool {
    const SEPARATORS: [char; 3] = ['.', '_', '-'];
    let without = |file: &str, words: &[&str]| {
        let stem = stem(file).to_ascii_lowercase();
        let (name, last) = stem.rsplit_once(SEPARATORS)?;
        words.contains(&last).then(|| name.to_owned())
    };
    let forward = without(other, &["up"]).unwrap_or_else(|| stem(other).to_ascii_lowercase());
    without(file, &["down", "undo", "rollback", "revert"]).is_some_and(|name| name == forward)
}

/// The name of an SQL file without its suffix.
pub(super) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, suffix)) if suffix.eq_ignore_ascii_case("sql") => stem,
        _ => name,
    }
}

/// The name of an SQL file without its suffix, for a tool that ignores other spellings of `.sql`.
pub(super) fn exact_stem(name: &str) -> Option<&str> {
    name.strip_suffix(".sql")
}

/// The part of a path after its last slash.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_sql_extension(extension: &OsStr) -> bool {
    extension.eq_ignore_ascii_case("sql")
}

/// Lists a directory and its subdirectories, and reads the SQL files directly inside.
pub(super) fn list(dir: &str) -> Result<Listing, FormatError> {
    let mut files = Vec::new();
    let mut nested = Vec::new();
    let mut folders = Vec::new();
    let mut unsearched = Vec::new();
    let mut subdirectories = Vec::new();
    for entry in entries(dir)? {
        match entry {
            DirectoryEntry::File(name) => files.push(name),
            DirectoryEntry::Directory { name, is_link } => {
                let links = if is_link { followed(dir, &name, &[])? } else { Vec::new() };
                subdirectories.push((name.clone(), 1, links));
                folders.push(name);
            }
        }
    }
    while let Some((subdirectory, depth, links)) = subdirectories.pop() {
        let path = join(dir, &subdirectory);
        for entry in entries(&path)? {
            match entry {
                DirectoryEntry::File(name) => nested.push(join(&subdirectory, &name)),
                DirectoryEntry::Directory { name, is_link } => {
                    let links =
                        if is_link { followed(&path, &name, &links)? } else { links.clone() };
                    let name = join(&subdirectory, &name);
                    if depth < DEPTH {
                        subdirectories.push((name, depth + 1, links));
                    } else {
                        unsearched.push(name);
                    }
                }
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

/// Follows a symbolic link to a directory. `links` are the directories that contain the links that
/// were followed before; returns them with that of this link, or an error if the link leads back
/// into one of them.
fn followed(dir: &str, name: &str, links: &[PathBuf]) -> Result<Vec<PathBuf>, FormatError> {
    let link = join(dir, name);
    let canonical = |path: &str| {
        fs::canonicalize(path)
            .map_err(|source| FormatError::directory(path, AccessProblem::Unreadable { source }))
    };
    let target = canonical(&link)?;
    let mut links = links.to_vec();
    links.push(canonical(dir)?);
    match links.iter().any(|link| link.starts_with(&target)) {
        true => Err(FormatError::directory(link, AccessProblem::LinkLoop)),
        false => Ok(links),
    }
}

/// Reads a directory in a format that has no SQL in subdirectories, where it would never run.
pub(super) fn flat<T>(
    listing: Listing,
    read: impl Fn(Listing) -> Result<Vec<T>, Vec<FormatError>>,
) -> Result<Vec<T>, Vec<FormatError>> {
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

/// Reads a whole file. A byte order mark is kept.
///
/// Anything else is not even opened: to open a named pipe is to wait for another program.
pub(super) fn read_text(path: &str) -> Result<String, FormatError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FormatError::file(path, AccessProblem::NotFound),
        _ => FormatError::file(path, AccessProblem::Unreadable { source }),
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let kind = kind_of(metadata.file_type());
        return Err(FormatError::file(path, AccessProblem::NotAFile { kind }));
    }
    let bytes = fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        FormatError::line(Origin { file: path.to_owned(), line }, AccessProblem::NotUtf8)
    })
}

/// What something that is not a file is, for messages.
fn kind_of(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if file_type.is_fifo() {
            return "a named pipe";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_char_device() || file_type.is_block_device() {
            return "a device";
        }
    }
    if file_type.is_dir() { "a directory" } else { "of an unknown kind" }
}

enum DirectoryEntry {
    File(String),
    Directory { name: String, is_link: bool },
}

fn entries(dir: &str) -> Result<Vec<DirectoryEntry>, FormatError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FormatError::directory(dir, AccessProblem::NotFound),
        io::ErrorKind::NotADirectory => FormatError::file(dir, AccessProblem::NotADirectory),
        _ => FormatError::directory(dir, AccessProblem::Unreadable { source }),
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let looks_like_sql = Path::new(&name).extension().is_some_and(is_sql_extension);
        // Follows symbolic links. A broken link counts as a file, and so does a directory whose
        // name is that of a migration, unless it is one itself: reading it reports the error, so
        // nothing is skipped silently.
        let is_directory = (!looks_like_sql || entry.path().join(MIGRATION_FILE).is_file())
            && match fs::metadata(entry.path()) {
                Ok(metadata) => metadata.is_dir(),
                Err(source) if source.kind() == io::ErrorKind::NotFound => false,
                Err(source) => {
                    let path = join(dir, &name.to_string_lossy());
                    return Err(FormatError::file(path, AccessProblem::Unreadable { source }));
                }
            };
        let is_link = || entry.file_type().is_ok_and(|file_type| file_type.is_symlink());
        match name.to_str() {
            Some(name) if is_directory => entries
                .push(DirectoryEntry::Directory { name: name.to_owned(), is_link: is_link() }),
            Some(name) => entries.push(DirectoryEntry::File(name.to_owned())),
            None if looks_like_sql => {
                let file = join(dir, &name.to_string_lossy());
                return Err(FormatError::file(file, AccessProblem::NameNotUtf8));
            }
            None => {}
        }
    }
    Ok(entries)
}

pub(super) fn join(dir: &str, name: &str) -> String {
    format!("{}/{name}", dir.trim_end_matches('/'))
}
