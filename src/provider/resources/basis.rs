//! What a plan is made from: files and ledger. It travels beside the plan, so that a plan that is
//! asked for again can name what has changed since.
//!
//! Terraform repeats a plan at apply, also a saved one, and insists on the same answer. From 1.16
//! on it brings the bytes of the first plan along. Older ones bring only the bytes of the last
//! refresh; see ADR 0009.

use std::collections::BTreeMap;

use super::super::settings::Place;
use crate::database::MigrationRecord;
use crate::migration::{Checksum, Migration};
use crate::value::{Input, Type, Value, decode, encode};

/// The files and the ledger as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis {
    /// The process that looked.
    process: String,
    /// Where the files are, as the configuration says it.
    source: String,
    /// Where the ledger is.
    ledger: String,
    /// Version to file and checksum.
    files: BTreeMap<String, String>,
    /// Version to what its row says.
    rows: BTreeMap<String, String>,
}

impl Basis {
    pub(super) fn new(
        process: &str,
        source: &str,
        place: &Place,
        migrations: &[Migration],
        records: &[MigrationRecord],
    ) -> Self {
        let files = migrations.iter().map(|migration| {
            let checksum = beginning(&migration.checksum);
            (migration.version.0.clone(), format!("{checksum} {}", migration.file))
        });
        let rows = records.iter().map(|record| {
            let finished = record.finished_at.as_deref().unwrap_or("-");
            let done = record.statements.len();
            let rest = Checksum::of(&format!("{finished} {done} {}", record.checksum));
            let state = match &record.adopted_from {
                Some(_) if record.is_to_adopt() => TO_ADOPT,
                _ => record.state.as_str(),
            };
            let row = format!("{state} {}", beginning(&rest));
            (record.version.0.clone(), row)
        });
        Self {
            process: process.to_owned(),
            source: source.to_owned(),
            ledger: place.ledger_name(),
            files: files.collect(),
            rows: rows.collect(),
        }
    }

    /// Reads the bytes of [`Basis::encode`]; `None` for any others.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let value = decode(bytes, &ty()).ok()?;
        let text = |name| Some(value.get(name)?.string().known()?.to_owned());
        let map = |name| {
            let Input::Known(entries) = value.get(name)?.entries() else { return None };
            let entries = entries.iter();
            entries
                .map(|(key, text)| Some((key.clone(), text.string().known()?.to_owned())))
                .collect()
        };
        Some(Self {
            process: text("process")?,
            source: text("source")?,
            ledger: text("ledger")?,
            files: map("files")?,
            rows: map("rows")?,
        })
    }

    /// Bytes for Terraform to keep.
    pub(super) fn encode(&self) -> Vec<u8> {
        let value = Value::object([
            ("process", self.process.as_str().into()),
            ("source", self.source.as_str().into()),
            ("ledger", self.ledger.as_str().into()),
            ("files", Value::map(self.files.clone())),
            ("rows", Value::map(self.rows.clone())),
        ]);
        // The value has the type by construction. Without bytes nothing is compared later.
        encode(&value, &ty()).unwrap_or_default()
    }

    /// Whether another process has looked, at files of the same place.
    pub(super) fn is_anothers(&self, now: &Self) -> bool {
        self.process != now.process && self.source == now.source
    }

    /// What has changed since, one clause each.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.ledger != now.ledger {
            found.push(format!("the ledger was at {} and is at {} now", self.ledger, now.ledger));
        }
        for (version, before, after) in changed(&self.files, &now.files) {
            let name = |text: &str| text.split_once(' ').map_or(text, |(_, file)| file).to_owned();
            found.push(match (before, after) {
                (_, None) => format!("{} is gone", before.map_or(version.to_owned(), name)),
                (None, Some(file)) => format!("{} was added", name(file)),
                (Some(_), Some(file)) => format!("{} was changed", name(file)),
            });
        }
        for (version, before, after) in changed(&self.rows, &now.rows) {
            found.push(match (before, after) {
                (_, Some(row)) if row.starts_with(TO_ADOPT) => {
                    format!("migration {version} is applied according to another ledger")
                }
                (Some(row), None) if row.starts_with(TO_ADOPT) => {
                    format!("migration {version} does not count as applied any more")
                }
                (None, Some(row)) if row.starts_with("applied") => {
                    format!("migration {version} was applied by another run")
                }
                (Some(_), None) => format!("migration {version} is not in the ledger any more"),
                _ => format!("another run has worked on migration {version}"),
            });
        }
        found
    }
}

/// The state of a migration that is to be taken over from another tool.
const TO_ADOPT: &str = "adopt";

/// Enough of a checksum to see a difference: this is stored in the state for every migration.
fn beginning(checksum: &Checksum) -> &str {
    let hex = checksum.0.trim_start_matches("sha256:");
    hex.get(..16).unwrap_or(hex)
}

/// The entries that differ, in the order of their keys.
fn changed<'a>(
    before: &'a BTreeMap<String, String>,
    after: &'a BTreeMap<String, String>,
) -> Vec<(&'a str, Option<&'a str>, Option<&'a str>)> {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let text = |map: &'a BTreeMap<String, String>, key| map.get(key).map(String::as_str);
    keys.into_iter()
        .map(|key| (key.as_str(), text(before, key), text(after, key)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

fn ty() -> Type {
    let texts = || Type::map(Type::String);
    Type::object([
        ("process", Type::String),
        ("source", Type::String),
        ("ledger", Type::String),
        ("files", texts()),
        ("rows", texts()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis(process: &str, files: &[(&str, &str)], rows: &[(&str, &str)]) -> Basis {
        let map = |list: &[(&str, &str)]| {
            list.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
        };
        Basis {
            process: process.into(),
            source: "migrations".into(),
            ledger: "a:5432/dsql_migrations".into(),
            files: map(files),
            rows: map(rows),
        }
    }

    #[test]
    fn it_comes_back_from_its_bytes_and_other_bytes_are_none() {
        let basis = basis("a", &[("1", "x 1 a.sql")], &[("1", "applied")]);
        assert_eq!(Basis::decode(&basis.encode()), Some(basis));
        assert_eq!(Basis::decode(b""), None);
        assert_eq!(Basis::decode(b"other"), None);
    }

    #[test]
    fn what_changed_is_named() {
        let before = basis(
            "a",
            &[("1", "x 1_a.sql"), ("2", "x 2_b.sql"), ("3", "x 3_c.sql")],
            &[("1", "applied x"), ("4", "applied x"), ("6", "adopt x")],
        );
        let mut now = basis(
            "b",
            &[("1", "x 1_a.sql"), ("2", "y 2_b.sql"), ("5", "x 5_e.sql")],
            &[("1", "applied x"), ("2", "applied x"), ("3", "failed y"), ("5", "adopt y")],
        );
        now.ledger = "b:5432/dsql_migrations".into();
        assert_eq!(
            before.differences(&now),
            [
                "the ledger was at a:5432/dsql_migrations and is at b:5432/dsql_migrations now",
                "2_b.sql was changed",
                "3_c.sql is gone",
                "5_e.sql was added",
                "migration 2 was applied by another run",
                "another run has worked on migration 3",
                "migration 4 is not in the ledger any more",
                "migration 5 is applied according to another ledger",
                "migration 6 does not count as applied any more",
            ]
        );
        assert!(before.is_anothers(&now));
        assert_eq!(before.differences(&before), [] as [&str; 0]);
    }
}
