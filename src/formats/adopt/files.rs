//! The files of a directory as the other tool knows them.

use super::super::listing::{base, read_text, stem};
use super::super::number::{VersionNumber, leading_digits};
use super::AdoptError;
use crate::migration::{Checksum, Migration, Version};

/// What a tool orders its migrations by; keys of one ledger are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A number, or a version of several.
    Number(Vec<VersionNumber>),
    /// A name, bytewise.
    Name(String),
    /// Milliseconds since 1970.
    Time(i64),
}

impl Key {
    /// A whole number, or numbers with points between them; zeros at the end do not count.
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

/// The migrations of a set, and where their texts are.
pub(super) struct SetFiles<'a> {
    pub(super) dir: Option<&'a str>,
    pub(super) migrations: &'a [Migration],
    /// Versions of files that stand for others.
    pub(super) baselines: &'a [&'a Version],
}

impl SetFiles<'_> {
    /// A key for each file; one that the tool could not have has none.
    pub(super) fn keys(&self, key: impl Fn(&Migration) -> Option<Key>) -> Vec<Option<Key>> {
        self.migrations.iter().map(key).collect()
    }

    /// The numbers that the versions are.
    pub(super) fn numbers(&self) -> Vec<Option<Key>> {
        self.keys(|migration| Key::number(&migration.version.0))
    }

    /// The versions as they are.
    pub(super) fn names(&self) -> Vec<Option<Key>> {
        self.keys(|migration| Some(Key::Name(migration.version.0.clone())))
    }

    /// The text of each file, byte for byte.
    pub(super) fn texts(&self) -> Result<Vec<String>, Vec<AdoptError>> {
        let text = |migration: &Migration| {
            let text = read_text(&migration.file).map_err(AdoptError::File)?;
            if Checksum::of(&text) == migration.checksum {
                Ok(text)
            } else {
                Err(AdoptError::ChangedDuringRead { file: migration.file.clone() })
            }
        };
        self.migrations.iter().map(|migration| text(migration).map_err(|e| vec![e])).collect()
    }
}

/// The name of a migration's file without its directory.
pub(super) fn file_name(migration: &Migration) -> &str {
    base(&migration.file)
}

/// What stands behind `V<digits>__` in the name of a file.
pub(super) fn name_behind_number(migration: &Migration) -> &str {
    let stem = stem(file_name(migration));
    let rest = leading_digits(stem.trim_start_matches(['U', 'V'])).1;
    rest.strip_prefix("__").unwrap_or(rest)
}
