//! The files of a migration set as another tool identifies them.

use super::AdoptError;
use crate::formats::listing::{base, read_text, stem};
use crate::formats::number::{VersionNumber, leading_digits};
use crate::migration::{Checksum, Migration, Version};

/// The value by which a tool orders its migrations. All keys of one history table are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A number, or a version with several parts.
    Number(Vec<VersionNumber>),
    /// A name, ordered by its bytes.
    Name(String),
    /// Milliseconds since 1970.
    Time(i64),
}

impl Key {
    /// Parses a whole number, or numbers separated by points; trailing zeros do not count.
    pub(super) fn number(text: &str) -> Option<Self> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !text.split('.').all(is_number) {
            return None;
        }
        let mut parts: Vec<VersionNumber> = text.split('.').map(VersionNumber::of).collect();
        while parts.len() > 1 && parts.last().is_some_and(VersionNumber::is_zero) {
            parts.pop();
        }
        Some(Self::Number(parts))
    }
}

/// The migrations of a set, and the location of their files.
pub(super) struct SetFiles<'a> {
    pub(super) dir: Option<&'a str>,
    pub(super) migrations: &'a [Migration],
    /// Those that run again when they change.
    pub(super) repeatable: &'a [Migration],
    /// Versions of the baselines that are not among the migrations.
    pub(super) baselines: &'a [&'a Version],
}

impl SetFiles<'_> {
    /// A key for each file; `None` for a file that the tool cannot know.
    pub(super) fn keys(&self, key: impl Fn(&Migration) -> Option<Key>) -> Vec<Option<Key>> {
        self.migrations.iter().map(key).collect()
    }

    /// The versions as numbers.
    pub(super) fn numbers(&self) -> Vec<Option<Key>> {
        self.keys(|migration| Key::number(&migration.version.0))
    }

    /// The versions as names.
    pub(super) fn names(&self) -> Vec<Option<Key>> {
        self.keys(|migration| Some(Key::Name(migration.version.0.clone())))
    }

    /// Reads the text of each file again, byte for byte.
    pub(super) fn texts(&self) -> Result<Vec<String>, Vec<AdoptError>> {
        self.migrations.iter().map(text).collect()
    }
}

/// Reads the text of a file again, byte for byte.
pub(super) fn text(migration: &Migration) -> Result<String, Vec<AdoptError>> {
    let text = read_text(&migration.file).map_err(|error| vec![AdoptError::File(error)])?;
    if Checksum::of(&text) == migration.checksum {
        Ok(text)
    } else {
        Err(vec![AdoptError::ChangedDuringRead { file: migration.file.clone() }])
    }
}

/// The name of a migration's file without its directory.
pub(super) fn file_name(migration: &Migration) -> &str {
    base(&migration.file)
}

/// The part of a file name after `V<digits>__`.
pub(super) fn name_after_number(migration: &Migration) -> &str {
    let stem = stem(file_name(migration));
    let rest = leading_digits(stem.trim_start_matches(['U', 'V'])).1;
    rest.strip_prefix("__").unwrap_or(rest)
}
