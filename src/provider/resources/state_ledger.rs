//! Whether a cluster has the ledger that a state describes. An address does not tell: a tunnel can
//! lead to another cluster, and one cluster has several names. See ADR 0036.

mod comparison;

use std::borrow::Cow;
use std::fmt;

pub(super) use self::comparison::{LedgerComparison, LedgerMatch};
use super::basis::{Basis, LedgerIdentity};
use super::computed;
use super::operation::SetOperation;
use crate::database::{MigrationRecord, MigrationState, Observation};
use crate::diagnostic::Diagnostic;
use crate::migration::{Checksum, Version};
use crate::provider::clusters::Clusters;
use crate::provider::diagnostics;
use crate::provider::settings::{LedgerLocation, identifier_in};
use crate::value::{Input, Object, Value};

/// The ledger that a state describes.
pub(super) struct StateLedger<'a> {
    /// The attribute `ledger`.
    name: &'a str,
    /// The name of the set.
    set: &'a str,
    /// What Terraform stores with the state.
    basis: Option<Basis>,
    /// Whether `basis` is that of a plan, and describes the ledger that the plan has found.
    is_planned: bool,
    /// The migrations in the state, by version.
    rows: Cow<'a, Value>,
    /// Whether the set also holds the migrations of other resources.
    is_shared: bool,
}

/// An applied migration of a state whose row differs.
pub(super) struct ChangedRow {
    pub(super) version: Version,
    change: RowChange,
}

enum RowChange {
    Deleted { applied_at: Option<String>, checksum: Option<Checksum> },
    Status { now: MigrationState },
    Checksum { before: Checksum, now: Checksum },
    Time { before: String, now: Option<String> },
}

impl fmt::Display for ChangedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.version;
        match &self.change {
            RowChange::Deleted { applied_at, .. } => {
                let at = applied_at.as_deref().unwrap_or("an unknown time");
                write!(f, "migration {version}, applied at {at}, no longer has a row")
            }
            RowChange::Status { now } => {
                write!(f, "migration {version} was applied and is now {}", now.as_str())
            }
            RowChange::Checksum { before, now } => {
                write!(f, "the checksum of migration {version} was {before} and is now {now}")
            }
            RowChange::Time { before, now } => {
                let now = now.as_deref().unwrap_or("missing");
                write!(f, "the time of migration {version} was {before} and is now {now}")
            }
        }
    }
}

impl ChangedRow {
    /// Whether the row of a migration with this checksum is gone.
    pub(super) fn is_deleted(&self, version: &Version, checksum: &Checksum) -> bool {
        matches!(&self.change, RowChange::Deleted { checksum: Some(before), .. }
            if self.version == *version && before == checksum)
    }
}

/// How a row of the ledger differs from that of a state.
fn change_of(row: &Value, now: Option<&MigrationRecord>) -> Option<RowChange> {
    let text = |name| Some(row.get(name)?.string().known()?.to_owned());
    // Only rows of its statements are left of a lost one.
    let is_there = |now: &&MigrationRecord| now.is_applied() || !now.is_lost();
    let Some(now) = now.filter(is_there) else {
        let checksum = text("checksum").map(Checksum);
        return Some(RowChange::Deleted { applied_at: text("applied_at"), checksum });
    };
    let (before, at) = (Checksum(text("checksum")?), text("applied_at")?);
    if !matches!(now.state, MigrationState::Applied | MigrationState::Building) {
        Some(RowChange::Status { now: now.state })
    } else if now.checksum != before {
        Some(RowChange::Checksum { before, now: now.checksum.clone() })
    } else {
        let is_other = now.finished_at.as_ref() != Some(&at);
        is_other.then(|| RowChange::Time { before: at, now: now.finished_at.clone() })
    }
}

impl<'a> StateLedger<'a> {
    /// `None` if the state names no ledger.
    pub(super) fn of(
        state: &Object<'a>,
        set: &'a str,
        rows: Cow<'a, Value>,
        private: &[u8],
        is_shared: bool,
    ) -> Option<Self> {
        let name = state.string("ledger").known()?;
        let basis = Basis::decode(private);
        Some(Self { name, set, basis, is_planned: false, rows, is_shared })
    }

    /// The same state with the bytes of a plan instead.
    pub(super) fn planned(self) -> Self {
        Self { is_planned: true, ..self }
    }

    /// Compares the ledger of a cluster with that of the state.
    pub(super) fn compare<'c>(
        &'c self,
        clusters: &Clusters,
        location: &'c LedgerLocation,
        observation: &Observation,
    ) -> LedgerComparison<'c> {
        let began_without = clusters.began_without_ledger(location);
        LedgerComparison::new(self, location, observation, began_without)
    }

    /// The applied migrations of the state whose rows someone has changed or deleted. A run counts
    /// itself in the row that it writes, so a row with more runs belongs to a run of another state.
    pub(super) fn changed_rows(&self, records: &[MigrationRecord]) -> Vec<ChangedRow> {
        let Input::Known(rows) = self.rows.entries() else { return Vec::new() };
        let changed = rows.iter().filter_map(|(version, row)| {
            if !computed::is_recorded_as_applied(row) {
                return None;
            }
            let now = records.iter().find(|record| record.version.0 == *version);
            let run = self.basis.as_ref().and_then(|basis| basis.run(version));
            if now.zip(run).is_some_and(|(now, before)| now.run > before) {
                return None;
            }
            let change = change_of(row, now)?;
            Some(ChangedRow { version: Version(version.clone()), change })
        });
        changed.collect()
    }

    /// The error for each row that has another checksum than the state, where the file has that of
    /// the state: someone has changed the row, not the file.
    pub(super) fn edited_rows(
        &self,
        changed: &[ChangedRow],
        operation: &SetOperation<'_>,
    ) -> Vec<Diagnostic> {
        let accepted = &operation.model.known.policy.accepted;
        let edited = changed.iter().filter_map(|ChangedRow { version, change }| {
            let RowChange::Checksum { before, now } = change else { return None };
            let mut files = operation.migrations().iter();
            let file = files.find(|file| file.version == *version && !file.is_repeatable())?;
            let is_edited = file.checksum == *before && accepted.get(version) != Some(before);
            is_edited.then(|| diagnostics::row_edited(file, now, operation.applied_set()))
        });
        edited.collect()
    }

    /// The identifier of the cluster that the state describes.
    fn cluster(&self) -> Option<&str> {
        let of_name = || identifier_in(self.name.split(':').next()?);
        self.identity().and_then(|it| it.cluster.as_deref()).or_else(of_name)
    }

    fn identity(&self) -> Option<&LedgerIdentity> {
        self.basis.as_ref().map(|basis| &basis.identity)
    }

    /// The identifier of the ledger.
    fn ledger(&self) -> Option<&str> {
        self.identity().and_then(|it| it.ledger.as_deref())
    }

    fn row(&self, record: &MigrationRecord) -> Option<&Value> {
        self.rows.get(&record.version.0)
    }

    fn is_mine(&self, record: &MigrationRecord) -> bool {
        !self.is_shared || self.row(record).is_some()
    }

    /// Whether the state has exactly this row. Times are the server's, in seconds.
    fn has(&self, record: &MigrationRecord) -> bool {
        let text = |name| self.row(record)?.get(name)?.string().known();
        let finished = record.finished_at.as_deref();
        finished.is_some()
            && text("applied_at") == finished
            && text("checksum") == Some(record.checksum.0.as_str())
    }

    /// Whether the records have all applied migrations of the state exactly, with their durations.
    fn has_all_in(&self, records: &[MigrationRecord]) -> bool {
        let is_there = |(version, row): (&String, &Value)| {
            let mut records = records.iter().filter(|record| record.version.0 == *version);
            records.any(|record| self.has(record) && has_duration(row, record))
        };
        let mut applied = self.applied().peekable();
        applied.peek().is_some() && applied.all(is_there)
    }

    /// The applied migrations of the state.
    fn applied(&self) -> impl Iterator<Item = (&String, &Value)> {
        let rows = match self.rows.entries() {
            Input::Known(rows) => Some(rows),
            Input::Null | Input::Unknown => None,
        };
        rows.into_iter().flatten().filter(|(_, row)| computed::is_recorded_as_applied(row))
    }

    fn describes_applied(&self) -> bool {
        self.applied().next().is_some()
    }
}

/// Whether a migration took as long as the state says, if it does.
fn has_duration(row: &Value, record: &MigrationRecord) -> bool {
    let before = row.get("duration_ms").filter(|before| !before.is_null());
    before.is_none_or(|before| *before == record.duration_ms.into())
}

#[cfg(test)]
mod tests;
