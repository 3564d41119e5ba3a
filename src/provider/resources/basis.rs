//! The basis of a plan: the files and the ledger that it was made from. Terraform keeps it with the
//! plan, so that a repeated plan can name what has changed since.
//!
//! Terraform repeats each plan at apply, also a saved one, and requires the same result. From 1.16
//! on it sends the bytes of the first plan along. Older versions send only the bytes of the last
//! refresh; see ADR 0009.

use std::collections::BTreeMap;

use crate::database::{MigrationRecord, Observation};
use crate::diagnostic::Diagnostic;
use crate::migration::{Checksum, Migration};
use crate::provider::contract::PlanRequest;
use crate::provider::diagnostics::{self, Subject};
use crate::provider::settings::LedgerLocation;
use crate::value::{Input, Type, Value, decode, encode};

/// The version of the bytes. It grows when their meaning changes.
const VERSION: u64 = 1;

/// The files and the ledger at the time of a plan or a refresh.
///
/// The bytes depend on these alone: Terraform stores those of a refresh with the state, and reports
/// a change whenever they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis {
    /// The directory or file as the state names it; empty if the configuration holds the SQL
    /// itself, which Terraform compares.
    source: String,
    /// The attribute `ledger`.
    ledger: String,
    /// Which ledger that is, wherever it is.
    pub(super) identity: LedgerIdentity,
    /// Version to checksum and path inside the directory.
    files: BTreeMap<String, String>,
    /// Version to the state of its row, a digest of the rest, and how many times it was begun.
    rows: BTreeMap<String, String>,
}

/// Identifies a ledger and its cluster, as far as both have identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LedgerIdentity {
    /// The random identifier of the ledger.
    pub(super) ledger: Option<String>,
    /// The identifier of the cluster.
    pub(super) cluster: Option<String>,
}

impl LedgerIdentity {
    pub(super) fn of(location: &LedgerLocation, observation: &Observation) -> Self {
        Self {
            ledger: observation.ledger.header().and_then(|header| header.id.clone()),
            cluster: location.cluster_identifier().map(str::to_owned),
        }
    }
}

impl Basis {
    /// `named` is the directory or file as the state names it, and `read` the one that was read.
    pub(super) fn new<'a>(
        Sources { named, read }: Sources<'_>,
        location: &LedgerLocation,
        identity: LedgerIdentity,
        migrations: &[Migration],
        records: impl IntoIterator<Item = &'a MigrationRecord>,
    ) -> Self {
        let files = migrations.iter().filter_map(|migration| {
            let (checksum, file) = (beginning(&migration.checksum), inside(read?, &migration.file));
            Some((migration.version.0.clone(), format!("{checksum} {file}")))
        });
        Self {
            source: named.unwrap_or_default().to_owned(),
            ledger: location.ledger_name(),
            identity,
            files: files.collect(),
            rows: rows(records),
        }
    }

    /// The same files with what the ledger contains now, for a directory that cannot be read.
    pub(super) fn with_ledger(
        self,
        location: &LedgerLocation,
        observation: &Observation,
        is_shared: bool,
    ) -> Self {
        let identity = LedgerIdentity::of(location, observation);
        let records = &observation.migrations;
        let is_mine = |it: &&MigrationRecord| !is_shared || self.files.contains_key(&it.version.0);
        let rows = rows(records.iter().filter(is_mine));
        Self { ledger: location.ledger_name(), identity, rows, ..self }
    }

    /// Decodes the bytes of [`Basis::encode`]; `None` for any others, and for those of another
    /// version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let value = decode(bytes, &ty(&["process"])).ok()?;
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
                .collect::<Option<BTreeMap<_, _>>>()
        };
        let source = text("source")?;
        let files = map("files")?.into_iter().map(|(version, entry)| {
            // The first bytes had whole paths.
            let entry = match entry.split_once(' ') {
                Some((checksum, file)) => format!("{checksum} {}", inside(&source, file)),
                None => entry,
            };
            (version, entry)
        });
        let files = files.collect();
        let identity = LedgerIdentity { ledger: text("ledger_id"), cluster: text("cluster") };
        Some(Self { ledger: text("ledger")?, identity, rows: map("rows")?, files, source })
    }

    /// Encodes it for Terraform to keep.
    pub(super) fn encode(&self) -> Vec<u8> {
        let value = Value::object([
            ("version", VERSION.into()),
            ("source", self.source.as_str().into()),
            ("ledger", self.ledger.as_str().into()),
            ("ledger_id", self.identity.ledger.clone().into()),
            ("cluster", self.identity.cluster.clone().into()),
            ("files", Value::map(self.files.clone())),
            ("rows", Value::map(self.rows.clone())),
        ]);
        // The value has the type by construction. Without bytes nothing is compared later.
        encode(&value, &ty(&[])).unwrap_or_default()
    }

    /// Compares a repeated plan with the first one. Only Terraform 1.16 and later reports that a
    /// plan is repeated. For older versions, returns the basis of the last refresh, unless this
    /// process made it (`is_own`). The caller compares it with that which a refresh would have now.
    ///
    /// # Errors
    /// The plan is repeated, and out of date.
    pub(super) fn refreshed_before(
        &self,
        request: &PlanRequest,
        is_own: bool,
    ) -> Result<Option<Self>, Diagnostic> {
        let Some(first) = Self::decode(&request.planned_private) else {
            return Ok(Self::decode(&request.prior_private).filter(|_| !is_own));
        };
        let differences = first.differences(self);
        if !differences.is_empty() {
            return Err(diagnostics::out_of_date(&differences));
        }
        if first.source == self.source {
            return Ok(None);
        }
        Err(diagnostics::moved_source(&first.source, &self.source))
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

    /// How many times a migration was begun; `None` if the bytes do not contain it.
    pub(super) fn run(&self, version: &str) -> Option<u32> {
        self.rows.get(version)?.split(' ').nth(2)?.parse().ok()
    }

    /// The rows as the first bytes had them. Another run also changes the digest.
    fn rows_without_runs(&self) -> BTreeMap<String, String> {
        let without = |row: &String| row.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
        self.rows.iter().map(|(version, row)| (version.clone(), without(row))).collect()
    }

    /// Lists what has changed since, one clause each. The same files in another directory are not a
    /// change.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.ledger != now.ledger {
            found.push(format!("the ledger was at {} and is now at {}", self.ledger, now.ledger));
        }
        let parts = |source: &str, text: Option<&'_ str>| {
            let (checksum, file) = text?.split_once(' ')?;
            Some((checksum.to_owned(), join(source, file)))
        };
        for (version, before, after) in changed(&self.files, &now.files) {
            found.push(match (parts(&self.source, before), parts(&now.source, after)) {
                (Some((old, _)), Some((new, file))) => {
                    format!("{file} was changed (sha256:{old}… became sha256:{new}…)")
                }
                (None, Some((_, file))) => format!("{file} was added"),
                (Some((_, file)), None) => format!("{file} was removed"),
                (None, None) => format!("the file of {version} was changed"),
            });
        }
        for (version, before, after) in changed(&self.rows_without_runs(), &now.rows_without_runs())
        {
            found.push(match (before, after) {
                (_, Some(row)) if row.starts_with(TO_ADOPT) => {
                    format!("migration {version} now counts as applied")
                }
                (Some(row), None) if row.starts_with(TO_ADOPT) => {
                    format!("migration {version} no longer counts as applied")
                }
                (_, Some(row)) if row.starts_with(JOB_FAILED) => {
                    format!("a job of migration {version} has failed")
                }
                (Some(row), Some(_)) if row.starts_with(JOB_FAILED) => {
                    format!("another apply ran migration {version}, whose job had failed")
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

/// A directory or file, as two sides name it; `None` if the configuration holds the SQL itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    /// As the state names it.
    pub(super) named: Option<&'a str>,
    /// As it was read.
    pub(super) read: Option<&'a str>,
}

impl<'a> Sources<'a> {
    pub(super) fn same(source: Option<&'a str>) -> Self {
        Self { named: source, read: source }
    }
}

/// Marks the private bytes of a plan that has read nothing.
const UNREAD: &[u8] = b"unread ";

/// The private bytes of a plan that has read nothing: those of the last refresh, which the apply
/// keeps if it reads nothing either. A repeated plan is not compared with them.
pub(super) fn unread(prior_private: &[u8]) -> Vec<u8> {
    if prior_private.is_empty() { Vec::new() } else { [UNREAD, prior_private].concat() }
}

/// Whether these are the private bytes of a plan that has read nothing.
pub(super) fn is_unread(planned_private: &[u8]) -> bool {
    planned_private.is_empty() || planned_private.starts_with(UNREAD)
}

/// The private bytes that an apply leaves if it reads nothing, from those of its plan.
pub(super) fn kept(planned_private: Vec<u8>) -> Vec<u8> {
    match planned_private.strip_prefix(UNREAD) {
        Some(prior) => prior.to_vec(),
        None => planned_private,
    }
}

fn rows<'a>(records: impl IntoIterator<Item = &'a MigrationRecord>) -> BTreeMap<String, String> {
    let row = |record: &MigrationRecord| {
        let finished = record.finished_at.as_deref().unwrap_or("-");
        let done = record.statements.len();
        let rest = Checksum::of(&format!("{finished} {done} {}", record.checksum));
        let state = match &record.adopted_from {
            Some(_) if record.is_to_adopt() => TO_ADOPT,
            _ if record.failed_job().is_some() => JOB_FAILED,
            _ => record.state.as_str(),
        };
        (record.version.0.clone(), format!("{state} {} {}", beginning(&rest), record.run))
    };
    records.into_iter().map(row).collect()
}

/// The path of a file inside a directory, so that it is the same wherever the directory is.
fn inside<'a>(source: &str, file: &'a str) -> &'a str {
    file.strip_prefix(source).map_or(file, |rest| rest.trim_start_matches(['/', '\\']))
}

/// Reverses [`inside`].
fn join(source: &str, file: &str) -> String {
    match source.trim_end_matches('/') {
        _ if file.is_empty() => source.to_owned(),
        dir => format!("{dir}/{file}"),
    }
}

/// The state of a row that is to be adopted.
const TO_ADOPT: &str = "adopt";

/// The state of a row that is `building` in the ledger and has a failed job.
const JOB_FAILED: &str = "job-failed";

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

/// The type of the bytes. Earlier ones had `former` attributes.
fn ty(former: &[&'static str]) -> Type {
    let texts = || Type::map(Type::String);
    let attributes = [
        ("version", Type::Number),
        ("source", Type::String),
        ("ledger", Type::String),
        ("ledger_id", Type::String),
        ("cluster", Type::String),
        ("files", texts()),
        ("rows", texts()),
    ];
    Type::object(attributes.into_iter().chain(former.iter().map(|name| (*name, Type::String))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis(files: &[(&str, &str)], rows: &[(&str, &str)]) -> Basis {
        let map = |list: &[(&str, &str)]| {
            list.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
        };
        Basis {
            source: "m".into(),
            ledger: "a:5432/dsql_migrations".into(),
            identity: LedgerIdentity { ledger: Some("5f0c".into()), cluster: None },
            files: map(files),
            rows: map(rows),
        }
    }

    #[test]
    fn it_comes_back_from_its_bytes_and_other_bytes_are_none() {
        let basis = basis(&[("1", "x 1 a.sql")], &[("1", "applied x 2"), ("2", "applied x")]);
        assert_eq!([basis.run("1"), basis.run("2"), basis.run("3")], [Some(2), None, None]);
        assert_eq!(Basis::decode(&basis.encode()), Some(basis));
        assert_eq!(Basis::decode(b""), None);
        assert_eq!(Basis::decode(b"other"), None);
        // Arrays of one element, within each other.
        assert_eq!(Basis::decode(&[0x91; 100_000]), None);
    }

    #[test]
    fn bytes_without_a_version_are_understood_and_those_of_a_later_version_are_ignored() {
        let basis = basis(&[("1", "x 1 a.sql")], &[("1", "applied")]);
        let mut value = decode(&basis.encode(), &ty(&[])).unwrap();
        value.set("version", VERSION + 1);
        assert_eq!(Basis::decode(&encode(&value, &ty(&[])).unwrap()), None);
        let texts = || Type::map(Type::String);
        value.set("process", "0123456789abcdef");
        value.set("files", Value::map([("1", "x m/1 a.sql")]));
        let names = ["process", "source", "ledger", "files", "rows"];
        let types = [Type::String, Type::String, Type::String, texts(), texts()];
        let first = Value::object(names.map(|name| (name, value.get(name).unwrap().clone())));
        let bytes = encode(&first, &Type::object(names.into_iter().zip(types))).unwrap();
        let identity = LedgerIdentity::default();
        assert_eq!(Basis::decode(&bytes), Some(Basis { identity, ..basis }));
    }

    #[test]
    fn what_changed_is_named() {
        let before = basis(
            &[("1", "x 1_a.sql"), ("2", "x 2_b.sql"), ("3", "x 3_c.sql")],
            &[
                ("1", "applied x 1"),
                ("4", "applied x"),
                ("6", "adopt x"),
                ("7", "building x 1"),
                ("8", "job-failed x 1"),
            ],
        );
        let mut now = basis(
            &[("1", "x 1_a.sql"), ("2", "y 2_b.sql"), ("5", "x 5_e.sql")],
            &[
                ("1", "applied x"),
                ("2", "applied x"),
                ("3", "failed y"),
                ("5", "adopt y"),
                ("7", "job-failed x 1"),
                ("8", "applied y 2"),
            ],
        );
        now.ledger = "b:5432/dsql_migrations".into();
        assert_eq!(
            before.differences(&now),
            [
                "the ledger was at a:5432/dsql_migrations and is now at b:5432/dsql_migrations",
                "m/2_b.sql was changed (sha256:x… became sha256:y…)",
                "m/3_c.sql was removed",
                "m/5_e.sql was added",
                "another apply ran migration 2",
                "another apply changed migration 3",
                "migration 4 is no longer in the ledger",
                "migration 5 now counts as applied",
                "migration 6 no longer counts as applied",
                "a job of migration 7 has failed",
                "another apply ran migration 8, whose job had failed",
            ]
        );
        assert_eq!(before.differences(&before), [] as [&str; 0]);
        now.source = "/elsewhere/".into();
        let named = before.differences(&now);
        assert!(named[1].starts_with("/elsewhere/2_b.sql was changed"), "{named:?}");
        now.files = before.files.clone();
        assert_eq!(before.differences(&now).len(), 8, "moved files have not changed");
    }

    #[test]
    fn a_plan_that_reads_nothing_keeps_the_bytes_of_the_refresh_and_is_compared_with_nothing() {
        let bytes = of_file("SELECT 1").encode();
        assert_eq!(kept(unread(&bytes)), bytes);
        assert_eq!(kept(bytes.clone()), bytes);
        assert_eq!(unread(b""), b"");
        assert_eq!(Basis::decode(&unread(&bytes)), None);
    }

    #[test]
    fn a_repeated_plan_with_the_same_files_elsewhere_names_both_paths() {
        let request = request(Vec::new(), of_file("SELECT 1").encode());
        let mut moved = of_file("SELECT 1");
        moved.source = "/ci/2/m".into();
        let error = moved.refreshed_before(&request, false).expect_err("moved");
        assert_eq!(error.summary, "Plan was made with another path");
        for part in ["\"m\"", "\"/ci/2/m\"", "${path.module}/migrations"] {
            assert!(error.detail.contains(part), "{part} in {}", error.detail);
        }
        moved.files = of_file("SELECT 2").files;
        let error = moved.refreshed_before(&request, false).expect_err("changed");
        assert!(error.detail.contains("/ci/2/m/1_a.sql was changed"), "{}", error.detail);
    }

    fn of_file(sql: &str) -> Basis {
        let checksum = Checksum::of(sql);
        basis(&[("1", &format!("{} 1_a.sql", beginning(&checksum)))], &[])
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

    fn compared(
        request: &PlanRequest,
        now: &Basis,
        is_own: bool,
    ) -> Result<Option<Diagnostic>, Diagnostic> {
        let before = now.refreshed_before(request, is_own)?;
        Ok(before.and_then(|before| before.changed(now, &Subject::set(Some("app")))))
    }

    #[test]
    fn a_repeated_plan_fails_if_terraform_brings_the_first_one_along_and_files_differ() {
        let first = of_file("SELECT 1").encode();
        let request = request(Vec::new(), first);
        assert_eq!(compared(&request, &of_file("SELECT 1"), false), Ok(None));
        let error = compared(&request, &of_file("SELECT 2"), false).expect_err("changed");
        assert_eq!(error.summary, "Plan is out of date");
        assert!(error.detail.contains("1_a.sql was changed"), "{}", error.detail);
    }

    #[test]
    fn a_refresh_of_another_process_gives_a_warning_and_one_of_the_same_nothing() {
        let request = request(of_file("SELECT 1").encode(), Vec::new());
        assert_eq!(compared(&request, &of_file("SELECT 2"), true), Ok(None));
        let warning = compared(&request, &of_file("SELECT 2"), false);
        let warning = warning.expect("no error").expect("a warning");
        assert!(!warning.is_error());
        assert!(warning.detail.contains("1_a.sql was changed"), "{}", warning.detail);
    }
}
