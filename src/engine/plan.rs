//! What is to be done: a pure function of the migrations and of the ledger.
//!
//! Versioned migrations run once and in their order; `plan/order.rs` says which of them stay behind.
//! Repeatable ones run after them, whenever they have changed; see `plan/repeatable.rs`.

mod order;
mod repeatable;

use std::collections::{BTreeMap, BTreeSet};

use crate::database::{MigrationRecord, MigrationState};
use crate::migration::{
    Checksum, Class, Migration, MigrationKind, Statement, StatementNumber, Version,
};

/// The migrations of a set in their order, each with what the ledger says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// In the order in which they run.
    pub entries: Vec<PlannedMigration<'a>>,
    /// Rows of the ledger that stay although no file belongs to them.
    pub retired: Vec<&'a MigrationRecord>,
    /// The last applied version, if the target stands before it.
    pub beyond_target: Option<&'a Version>,
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMigration<'a> {
    /// As read from its file.
    pub migration: &'a Migration,
    /// What is to be done with it.
    pub status: Status<'a>,
}

/// What is to be done with a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status<'a> {
    /// Nothing.
    Applied(&'a MigrationRecord),
    /// It runs, after what an earlier run has done of it.
    Pending {
        /// The row of an unfinished earlier run.
        begun: Option<&'a MigrationRecord>,
    },
    /// It is repeatable and runs from its first statement on, whatever the ledger has of it.
    Rerun {
        /// The row of its last run.
        last: &'a MigrationRecord,
    },
    /// It does not run, and is not applied.
    Excluded(Reason),
}

/// Why a migration that is not applied does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A baseline stands for it, or the baseline is of no use to a set that has a history.
    Baseline,
    /// It comes after the target.
    BeyondTarget,
    /// It stands before an applied one, and such ones are skipped.
    OutOfOrder,
}

impl<'a> Plan<'a> {
    /// The entries that an apply would run.
    pub fn pending(&self) -> impl Iterator<Item = &PlannedMigration<'a>> {
        self.entries.iter().filter(|entry| entry.is_pending())
    }

    /// The migrations that do not run for this reason.
    pub fn excluded(&self, reason: Reason) -> impl Iterator<Item = &'a Migration> {
        let excluded =
            move |entry: &&PlannedMigration<'a>| entry.status == Status::Excluded(reason);
        self.entries.iter().filter(excluded).map(|entry| entry.migration)
    }
}

impl<'a> PlannedMigration<'a> {
    /// Whether an apply would run it.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.status, Status::Pending { .. } | Status::Rerun { .. })
    }

    /// The row of an earlier run whose statements do not run again.
    #[must_use]
    pub fn begun(&self) -> Option<&'a MigrationRecord> {
        match self.status {
            Status::Applied(record) => Some(record),
            Status::Pending { begun } => begun,
            Status::Rerun { .. } | Status::Excluded(_) => None,
        }
    }
}

/// Why there is no plan. Each names what a practitioner must decide; nothing has been run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The text of an applied migration has changed.
    #[error("{file} was changed after it was applied")]
    Diverged {
        /// File as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
        /// Checksum of the text that was applied.
        applied: Checksum,
        /// Checksum of the text now.
        found: Checksum,
    },
    /// The text of a statement has changed that a failed run had already applied.
    #[error("{file}: statement {number} was changed after it was applied")]
    StatementDiverged {
        /// File as written in the configuration.
        file: String,
        /// Line of the statement now; of the file's last statement if it is gone.
        line: usize,
        /// Version of the migration.
        version: Version,
        /// FailurePoint of the statement, counted from 1.
        number: StatementNumber,
        /// One line of the statement that was applied.
        applied: String,
    },
    /// The ledger knows a migration that the directory does not have.
    #[error("no file for the applied migration {version}")]
    FileMissing {
        /// Its version.
        version: Version,
        /// Its description in the ledger.
        description: String,
        /// Whether all of it or only a part is applied.
        whole: bool,
    },
    /// A migration that is not applied stands before one that is.
    #[error("{file} comes before {applied}, which is already applied")]
    OutOfOrder {
        /// File as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
        /// The last applied version.
        applied: Version,
    },
    /// No file has the version at which the plan is to stop.
    #[error("no migration has the version {version}")]
    TargetMissing {
        /// The target.
        version: Version,
    },
    /// A version is called removed, and has a file.
    #[error("{file} is there, but its version {version} is called removed")]
    NotRemoved {
        /// File as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
    },
}

/// What becomes of a migration that is not applied and stands before one that is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExecOrder {
    /// It is an error.
    #[default]
    Linear,
    /// It never runs.
    LinearSkip,
    /// It runs.
    NonLinear,
}

/// What a practitioner has allowed beyond the plain rule that every migration runs once, in the
/// order of the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Edited files that may stay as they are: an applied migration may have the checksum that
    /// stands beside its version. It is not run again.
    pub accepted: BTreeMap<Version, Checksum>,
    /// What becomes of late migrations.
    pub order: ExecOrder,
    /// The last version that runs.
    pub target: Option<Version>,
    /// Applied versions whose files were removed on purpose.
    pub removed: BTreeSet<Version>,
}

/// Compares the migrations with the ledger.
///
/// # Errors
/// Everything that is wrong, in the order of the directory, not only the first.
pub fn plan<'a>(
    migrations: &'a [Migration],
    ledger: &'a [MigrationRecord],
    policy: &Policy,
) -> Result<Plan<'a>, Vec<PlanError>> {
    let records: BTreeMap<&Version, &MigrationRecord> =
        ledger.iter().map(|record| (&record.version, record)).collect();
    let record_of = |migration: &Migration| {
        let record = records.get(&migration.version).copied();
        record.filter(|record| order::belongs(migration, record))
    };
    let mut errors = Vec::new();
    let (scope, wrong) = order::Scope::new(migrations, ledger, policy, record_of);
    errors.extend(wrong);
    let mut entries = Vec::with_capacity(migrations.len());
    for (index, migration) in migrations.iter().enumerate() {
        if policy.removed.contains(&migration.version) {
            let (file, version) = (migration.file.clone(), migration.version.clone());
            errors.push(PlanError::NotRemoved { file, version });
        }
        let record = record_of(migration);
        let status = if migration.is_repeatable() {
            let status = repeatable::status(migration, record);
            let waits = scope.holds_back && !matches!(status, Status::Applied(_));
            if waits { Status::Excluded(Reason::BeyondTarget) } else { status }
        } else if let Some(record) = record.filter(|r| r.state == MigrationState::Applied) {
            if record.checksum != migration.checksum
                && policy.accepted.get(&migration.version) != Some(&migration.checksum)
            {
                errors.push(PlanError::Diverged {
                    file: migration.file.clone(),
                    version: migration.version.clone(),
                    applied: record.checksum.clone(),
                    found: migration.checksum.clone(),
                });
            }
            Status::Applied(record)
        } else {
            match scope.judge(index, migration, record, policy.order) {
                Ok(None) => {
                    errors.extend(record.and_then(|begun| changed_part(migration, begun)));
                    Status::Pending { begun: record }
                }
                Ok(Some(reason)) => Status::Excluded(reason),
                Err(late) => {
                    errors.push(late);
                    Status::Excluded(Reason::OutOfOrder)
                }
            }
        };
        entries.push(PlannedMigration { migration, status });
    }

    let known: BTreeSet<&Version> =
        migrations.iter().filter(|m| record_of(m).is_some()).map(|m| &m.version).collect();
    let replaced = order::replaced(migrations, ledger);
    let mut retired = Vec::new();
    for (index, record) in ledger.iter().enumerate() {
        if known.contains(&record.version) {
            continue;
        }
        // A migration of which nothing was done may go without a word.
        let may_go = !record.has_begun()
            || record.kind == MigrationKind::Repeatable
            || policy.removed.contains(&record.version)
            || replaced.is_some_and(|last| index <= last);
        if may_go {
            retired.push(record);
        } else {
            errors.push(PlanError::FileMissing {
                version: record.version.clone(),
                description: record.description.clone(),
                whole: record.state == MigrationState::Applied,
            });
        }
    }
    let beyond_target = scope.beyond_target.map(|index| &migrations[index].version);
    if errors.is_empty() { Ok(Plan { entries, retired, beyond_target }) } else { Err(errors) }
}

/// The same plan after the ledger has moved on: what another run has applied meanwhile is done.
/// Nothing if that run has applied something else than this plan shows.
#[must_use]
pub(super) fn renew<'a>(plan: &Plan<'a>, ledger: &'a [MigrationRecord]) -> Option<Plan<'a>> {
    let entry = |entry: &PlannedMigration<'a>| {
        let migration = entry.migration;
        let record = ledger.iter().find(|record| {
            record.version == migration.version && order::belongs(migration, record)
        });
        let was_applied = matches!(entry.status, Status::Applied(_));
        let status = match record {
            _ if matches!(entry.status, Status::Excluded(_)) => entry.status.clone(),
            _ if migration.is_repeatable() => {
                let status = repeatable::status(migration, record);
                if was_applied && !matches!(status, Status::Applied(_)) {
                    return None;
                }
                status
            }
            Some(record) if record.state == MigrationState::Applied => {
                if record.checksum != migration.checksum && !was_applied {
                    return None;
                }
                Status::Applied(record)
            }
            begun => {
                if was_applied || begun.and_then(|begun| changed_part(migration, begun)).is_some() {
                    return None;
                }
                Status::Pending { begun }
            }
        };
        Some(PlannedMigration { migration, status })
    };
    let entries = plan.entries.iter().map(entry).collect::<Option<Vec<_>>>()?;
    Some(Plan { entries, retired: plan.retired.clone(), beyond_target: plan.beyond_target })
}

/// After a failure the rest of a file may be mended, but not the part that is applied.
fn changed_part(migration: &Migration, begun: &MigrationRecord) -> Option<PlanError> {
    begun.statements.iter().find_map(|record| {
        let statement = migration.statement(record.number);
        let fits = |statement: &Statement| {
            if record.is_binding() {
                statement.checksum() == record.checksum
            } else {
                statement.class == Class::Batch
            }
        };
        if statement.is_some_and(fits) {
            return None;
        }
        let shown = statement.or(migration.statements.last())?;
        Some(PlanError::StatementDiverged {
            file: migration.file.clone(),
            line: shown.origin.line,
            version: migration.version.clone(),
            number: record.number,
            applied: record.summary.clone(),
        })
    })
}

#[cfg(test)]
mod tests;
