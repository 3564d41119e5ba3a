//! The basis of a plan: the files and the ledger that it was made from. Terraform keeps it with the
//! plan, so that a repeated plan can name what has changed since.
//!
//! Terraform repeats each plan at apply, also a saved one, and requires the same result. From 1.16
//! on it sends the bytes of the first plan along. Older versions send only the bytes of the last
//! refresh; see ADR 0009.

use std::collections::BTreeMap;

use crate::database::MigrationRecord;
use crate::diagnostic::Diagnostic;
use crate::migration::{Checksum, Migration};
use crate::provider::contract::PlanRequest;
use crate::provider::diagnostics::{self, Subject};
use crate::provider::settings::LedgerLocation;
use crate::value::{Input, Type, Value, decode, encode};

/// The version of the bytes. It grows when their meaning changes.
const VERSION: u64 = 1;

/// Identifies this process: a plan in another process than its refresh is a repeated one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process(String);

impl Process {
    pub(super) fn new() -> Self {
        Self(format!("{:016x}", fastrand::u64(..)))
    }
}

/// The files and the ledger at the time of a plan or a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis {
    /// The process that read them.
    process: Process,
    /// The directory or file as written; empty if the configuration holds the SQL itself, which
    /// Terraform compares.
    source: String,
    /// The attribute `ledger`.
    ledger: String,
    /// Version to file and checksum.
    files: BTreeMap<String, String>,
    /// Version to the state of its row and a digest of the rest.
    rows: BTreeMap<String, String>,
}

impl Basis {
    pub(super) fn new<'a>(
        process: &Process,
        source: Option<&str>,
        location: &LedgerLocation,
        migrations: &[Migration],
        records: impl IntoIterator<Item = &'a MigrationRecord>,
    ) -> Self {
        let files = migrations.iter().filter(|_| source.is_some()).map(|migration| {
            let checksum = beginning(&migration.checksum);
            (migration.version.0.clone(), format!("{checksum} {}", migration.file))
        });
        let rows = records.into_iter().map(|record| {
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
            process: process.clone(),
            source: source.unwrap_or_default().to_owned(),
            ledger: location.ledger_name(),
            files: files.collect(),
            rows: rows.collect(),
        }
    }

    /// Decodes the bytes of [`Basis::encode`]; `None` for any others, and for those of another
    /// version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let value = decode(bytes, &ty()).ok()?;
        // The first bytes had no version, and the meaning of version 1.
        let version = value.get("version").filter(|version| !version.is_null());
        if version.is_some_and(|version| *version != VERSION.into()) {
            return None;
        }
        let text = |name| Some(value.get(name)?.string().known()?.to_owned());
        let map = |name| {
            let Input::Known(entries) = value.get(name)?.entries() else { return None };
            let entries = entries.iter();
            entries
                .map(|(key, text)| Some((key.clone(), text.string().known()?.to_owned())))
                .collect()
        };
        Some(Self {
            process: Process(text("process")?),
            source: text("source")?,
            ledger: text("ledger")?,
            files: map("files")?,
            rows: map("rows")?,
        })
    }

    /// Encodes it for Terraform to keep.
    pub(super) fn encode(&self) -> Vec<u8> {
        let value = Value::object([
            ("version", VERSION.into()),
            ("process", self.process.0.as_str().into()),
            ("source", self.source.as_str().into()),
            ("ledger", self.ledger.as_str().into()),
            ("files", Value::map(self.files.clone())),
            ("rows", Value::map(self.rows.clone())),
        ]);
        // The value has the type by construction. Without bytes nothing is compared later.
        encode(&value, &ty()).unwrap_or_default()
    }

    /// Compares a repeated plan with the first one. Only Terraform 1.16 and later reports that a
    /// plan is repeated. For older versions, returns the basis of the last refresh, if another
    /// process made it. The caller compares it with that which a refresh would have now.
    ///
    /// # Errors
    /// The plan is repeated, and out of date.
    pub(super) fn refreshed_before(
        &self,
        request: &PlanRequest,
    ) -> Result<Option<Self>, Diagnostic> {
        let Some(first) = Self::decode(&request.planned_private) else {
            let before = Self::decode(&request.prior_private);
            return Ok(before.filter(|before| before.process != self.process));
        };
        let differences = first.differences(self);
        if differences.is_empty() { Ok(None) } else { Err(diagnostics::out_of_date(&differences)) }
    }

    /// Warns about what has changed since a refresh.
    pub(super) fn changed(&self, now: &Self, subject: &Subject) -> Option<Diagnostic> {
        let differences = self.differences(now);
        let warning = || diagnostics::changed_since_refresh(&differences, subject);
        (!differences.is_empty()).then(warning)
    }

    /// The same files and rows in the ledger at another location.
    pub(super) fn at(&self, location: &LedgerLocation) -> Self {
        Self { ledger: location.ledger_name(), ..self.clone() }
    }

    /// Lists what has changed since, one clause each.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.ledger != now.ledger {
            found.push(format!("the ledger was at {} and is now at {}", self.ledger, now.ledger));
        }
        // The files of another directory were not known before.
        let files =
            if self.source == now.source { changed(&self.files, &now.files) } else { Vec::new() };
        let parts = |text: Option<&'_ str>| {
            let (checksum, file) = text?.split_once(' ')?;
            Some((checksum.to_owned(), file.to_owned()))
        };
        for (version, before, after) in files {
            found.push(match (parts(before), parts(after)) {
                (Some((old, _)), Some((new, file))) => {
                    format!("{file} was changed (sha256:{old}… became sha256:{new}…)")
                }
                (None, Some((_, file))) => format!("{file} was added"),
                (Some((_, file)), None) => format!("{file} was removed"),
                (None, None) => format!("the file of {version} was changed"),
            });
        }
        for (version, before, after) in changed(&self.rows, &now.rows) {
            found.push(match (before, after) {
                (_, Some(row)) if row.starts_with(TO_ADOPT) => {
                    format!("migration {version} now counts as applied")
                }
                (Some(row), None) if row.starts_with(TO_ADOPT) => {
                    format!("migration {version} no longer counts as applied")
                }
                (None, Some(row)) if row.starts_with("applied") => {
                    format!("another apply ran migration {version}")
                }
                (Some(_), None) => format!("migration {version} is no longer in the ledger"),
                _ => format!("another apply changed migration {version}"),
            });
        }
        found
    }
}

/// The state of a row that is to be adopted.
const TO_ADOPT: &str = "adopt";

/// Shortens a checksum, because it is stored in the state for every migration.
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
        ("version", Type::Number),
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
            process: Process(process.into()),
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
        // Arrays of one element, within each other.
        assert_eq!(Basis::decode(&[0x91; 100_000]), None);
    }

    #[test]
    fn bytes_without_a_version_are_understood_and_those_of_a_later_version_are_ignored() {
        let basis = basis("a", &[("1", "x 1 a.sql")], &[("1", "applied")]);
        let mut value = decode(&basis.encode(), &ty()).unwrap();
        value.set("version", VERSION + 1);
        assert_eq!(Basis::decode(&encode(&value, &ty()).unwrap()), None);
        let texts = || Type::map(Type::String);
        let names = ["process", "source", "ledger", "files", "rows"];
        let types = [Type::String, Type::String, Type::String, texts(), texts()];
        let first = Value::object(names.map(|name| (name, value.get(name).unwrap().clone())));
        let bytes = encode(&first, &Type::object(names.into_iter().zip(types))).unwrap();
        assert_eq!(Basis::decode(&bytes), Some(basis));
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
                "the ledger was at a:5432/dsql_migrations and is now at b:5432/dsql_migrations",
                "2_b.sql was changed (sha256:x… became sha256:y…)",
                "3_c.sql was removed",
                "5_e.sql was added",
                "another apply ran migration 2",
                "another apply changed migration 3",
                "migration 4 is no longer in the ledger",
                "migration 5 now counts as applied",
                "migration 6 no longer counts as applied",
            ]
        );
        assert_eq!(before.differences(&before), [] as [&str; 0]);
        now.source = "elsewhere".into();
        let named = before.differences(&now);
        assert!(!named.iter().any(|it| it.contains(".sql")), "{named:?}");
        assert_eq!(named.len(), 6, "{named:?}");
    }

    fn of_file(process: &str, sql: &str) -> Basis {
        let checksum = Checksum::of(sql);
        basis(process, &[("1", &format!("{} 1_a.sql", beginning(&checksum)))], &[])
    }

    fn request(prior_private: Vec<u8>, planned_private: Vec<u8>) -> PlanRequest {
        PlanRequest {
            config: Value::Null,
            prior_state: Value::Null,
            proposed_new_state: Value::Null,
            prior_private,
            planned_private,
        }
    }

    fn compared(request: &PlanRequest, now: &Basis) -> Result<Option<Diagnostic>, Diagnostic> {
        let before = now.refreshed_before(request)?;
        Ok(before.and_then(|before| before.changed(now, &Subject::set(Some("app")))))
    }

    #[test]
    fn a_repeated_plan_fails_if_terraform_brings_the_first_one_along_and_files_differ() {
        let first = of_file("planning", "SELECT 1").encode();
        let request = request(Vec::new(), first);
        assert_eq!(compared(&request, &of_file("applying", "SELECT 1")), Ok(None));
        let error = compared(&request, &of_file("applying", "SELECT 2")).expect_err("changed");
        assert_eq!(error.summary, "Plan is out of date");
        assert!(error.detail.contains("1_a.sql was changed"), "{}", error.detail);
    }

    #[test]
    fn a_refresh_of_another_process_gives_a_warning_and_one_of_the_same_nothing() {
        let request = request(of_file("planning", "SELECT 1").encode(), Vec::new());
        assert_eq!(compared(&request, &of_file("planning", "SELECT 2")), Ok(None));
        let warning = compared(&request, &of_file("applying", "SELECT 2"));
        let warning = warning.expect("no error").expect("a warning");
        assert!(!warning.is_error());
        assert!(warning.detail.contains("1_a.sql was changed"), "{}", warning.detail);
    }
}
