//! Plans which migrations run: a pure function of the migrations and the ledger.
//!
//! Versioned migrations run once and in order; `plan/order.rs` decides which of them do not run.
//! Repeatable migrations run after them whenever they have changed; see `plan/repeatable.rs`. A
//! migration whose version has changed does not run again; see `plan/renames.rs`.

mod order;
pub mod renames;
pub(super) mod repeatable;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::difference::TextDifference;
use crate::database::{MigrationRecord, MigrationState, StatementState};
use crate::migration::{
    Checksum, Class, Migration, MigrationKind, Statement, StatementNumber, Version,
};

use self::renames::{RenameProblem, RenamedFile, Renames};

/// The migrations of a set in order, each with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// In the order in which they run.
    pub entries: Vec<PlannedMigration<'a>>,
    /// Rows of the ledger that remain although their files were removed.
    pub retired: Vec<&'a MigrationRecord>,
    /// The last applied version, if the target precedes it.
    pub beyond_target: Option<&'a Version>,
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMigration<'a> {
    /// As read from its file.
    pub migration: &'a Migration,
    /// Whether it runs.
    pub status: Status<'a>,
}

/// Whether a migration runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status<'a> {
    /// It is applied and does not run.
    Applied(&'a MigrationRecord),
    /// It runs, except for the statements that an earlier run has applied.
    Pending {
        /// The record of an earlier run that did not finish.
        begun: Option<&'a MigrationRecord>,
    },
    /// It is repeatable, and all of its statements run again.
    Rerun {
        /// The record of its last run.
        last: &'a MigrationRecord,
    },
    /// It is not applied and does not run.
    Excluded(Reason),
}

/// Why a migration that is not applied does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A baseline replaces it, or it is a baseline and the set does not begin with it.
    Baseline,
    /// It follows the target.
    BeyondTarget,
    /// It precedes an applied migration, and out-of-order migrations are skipped.
    OutOfOrder,
}

impl<'a> Plan<'a> {
    /// Returns the migrations that an apply runs.
    pub fn pending(&self) -> impl Iterator<Item = &PlannedMigration<'a>> {
        self.entries.iter().filter(|entry| entry.is_pending())
    }

    /// Returns the migrations without a file whose failed jobs have left something.
    pub fn abandoned(&self) -> impl Iterator<Item = &'a MigrationRecord> {
        let has_failed = |record: &&MigrationRecord| record.failed_rows().next().is_some();
        self.retired.iter().copied().filter(has_failed)
    }

    /// Returns the migrations that do not run for this reason.
    pub fn excluded(&self, reason: Reason) -> impl Iterator<Item = &'a Migration> {
        let excluded =
            move |entry: &&PlannedMigration<'a>| entry.status == Status::Excluded(reason);
        self.entries.iter().filter(excluded).map(|entry| entry.migration)
    }
}

impl<'a> PlannedMigration<'a> {
    /// Whether an apply runs it.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.status, Status::Pending { .. } | Status::Rerun { .. })
    }

    /// The record of an earlier run whose statements do not run again.
    #[must_use]
    pub fn begun(&self) -> Option<&'a MigrationRecord> {
        match self.status {
            Status::Applied(record) => Some(record),
            Status::Pending { begun } => begun,
            Status::Rerun { .. } | Status::Excluded(_) => None,
        }
    }
}

/// Why there is no plan. Nothing has run, and the user must decide how to continue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The text of an applied migration has changed.
    #[error("{file} was changed after it was applied")]
    Diverged {
        /// Path as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
        /// Checksum of the applied text.
        applied: Checksum,
        /// Checksum of the current text.
        found: Checksum,
        /// The difference; `None` if the ledger does not have the statements.
        difference: Option<TextDifference>,
    },
    /// The text of a statement that a failed run had applied has changed.
    #[error("statement {number} of {file} was changed after it {kept}")]
    StatementDiverged {
        /// Path as written in the configuration.
        file: String,
        /// Line of the statement, or of the file's last statement if it was removed.
        line: usize,
        /// Version of the migration.
        version: Version,
        /// Number of the statement.
        number: StatementNumber,
        /// One line of the applied statement.
        applied: Box<str>,
        /// The statements that are applied, in order.
        done: Box<[StatementNumber]>,
        /// The statements whose jobs have failed. Their text may change, but not their number.
        failed: Box<[StatementNumber]>,
        /// What is known of it.
        kept: KeptStatement,
    },
    /// No applied migration of the set is among the files with its text.
    #[error("the applied migrations of this set are not those of the files")]
    OtherFiles {
        /// Number of the applied migrations.
        applied: usize,
        /// The first of them, with its description.
        first: (Version, String),
        /// The last one.
        last: (Version, String),
    },
    /// Statements that a failed run has applied have no row.
    #[error("{file}: the ledger has lost rows of statements")]
    StatementRowsMissing {
        /// Path as written in the configuration.
        file: String,
        /// Version of the migration.
        version: Version,
        /// The statements, each with its number.
        missing: Vec<(StatementNumber, Statement)>,
    },
    /// The row of a migration is gone, and not all of its statements have rows.
    #[error("{}: the ledger has lost the row of migration {}", migration.file, migration.version)]
    MigrationRowMissing {
        /// The migration.
        migration: Box<Migration>,
        /// The numbers of the statements without rows.
        missing: Vec<StatementNumber>,
        /// The last applied version, if it follows the migration.
        followed_by: Option<Version>,
    },
    /// A migration in the ledger has no file.
    #[error("no file for the applied migration {version}")]
    FileMissing {
        /// Its version.
        version: Version,
        /// Its description in the ledger.
        description: String,
        /// Whether all of it is applied, or only a part.
        whole: bool,
    },
    /// New files have the texts of applied migrations without files.
    #[error("{} applied {} a new version", pairs.len(), if pairs.len() == 1 { "migration has" } else { "migrations have" })]
    Renamed {
        /// The files with their former versions.
        pairs: Vec<RenamedFile>,
    },
    /// Several new files, or several applied migrations without files, have one text.
    #[error("{} new {} the text of {} applied {} without a file", files.len(), if files.len() == 1 { "file has" } else { "files have" }, versions.len(), if versions.len() == 1 { "migration" } else { "migrations" })]
    AmbiguousRename {
        /// The applied versions.
        versions: Vec<Version>,
        /// Paths as written in the configuration.
        files: Vec<String>,
    },
    /// A new file has the text of a migration that is only partly applied and has no file.
    #[error("{file} has the text of migration {former}, which is only partly applied")]
    UnfinishedRenamed {
        /// Path as written in the configuration.
        file: String,
        /// The version in the ledger.
        former: Version,
    },
    /// A new file has the applied text of another version, whose own file has another text.
    #[error("{file} has the text with which migration {version} was applied")]
    TextMoved {
        /// Path as written in the configuration.
        file: String,
        /// The applied version.
        version: Version,
    },
    /// The configuration declares a new version that the ledger or the files contradict.
    #[error("migration {former} cannot have the new version {version}: {problem}")]
    InvalidRename {
        /// The former version.
        former: Version,
        /// The declared new version.
        version: Version,
        /// What is wrong.
        problem: RenameProblem,
    },
    /// A pending migration precedes an applied one.
    #[error("{file} precedes {applied}, which is already applied")]
    OutOfOrder {
        /// Path as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
        /// The last applied version.
        applied: Version,
    },
    /// No migration has the version of the target.
    #[error("no migration has the version {version}")]
    TargetMissing {
        /// The target.
        version: Version,
    },
    /// A version that is declared as removed has a file.
    #[error("{file} exists, but its version {version} is declared as removed")]
    NotRemoved {
        /// Path as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
    },
}

/// A statement that must stay in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptStatement {
    /// It is applied, or it may be.
    Applied,
    /// It has started a job that is not known to have failed.
    Building,
    /// Only some of its batches are applied. Its text may change, but not its class.
    Batching,
}

impl fmt::Display for KeptStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "was applied",
            Self::Building => "had started a job",
            Self::Batching => "had begun to run in batches",
        })
    }
}

impl PlanError {
    /// The versions that are wholly applied and have no file.
    #[must_use]
    pub fn missing(&self) -> Vec<&Version> {
        match self {
            Self::FileMissing { version, whole: true, .. } => vec![version],
            Self::Renamed { pairs } => pairs.iter().map(|pair| &pair.former).collect(),
            Self::AmbiguousRename { versions, .. } => versions.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// How to treat out-of-order migrations: pending migrations that precede an applied one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExecOrder {
    /// They are errors.
    #[default]
    Linear,
    /// They never run.
    LinearSkip,
    /// They run.
    NonLinear,
}

/// Exceptions to the rule that every migration runs once, in the order of the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Applied migrations whose files may have changed, each with the accepted checksum. They do
    /// not run again.
    pub accepted: BTreeMap<Version, Checksum>,
    /// How to treat out-of-order migrations.
    pub order: ExecOrder,
    /// The last version that runs.
    pub target: Option<Version>,
    /// Applied versions whose files were removed on purpose.
    pub removed: BTreeSet<Version>,
    /// Versions that were applied under a former version: former to new, without circles.
    pub renamed: BTreeMap<Version, Version>,
}

/// Compares the migrations with the ledger, which contains a row for each declared new version.
///
/// # Errors
/// All violations of the rules, in the order of the directory.
pub fn plan<'a>(
    migrations: &'a [Migration],
    ledger: &'a [MigrationRecord],
    policy: &Policy,
) -> Result<Plan<'a>, Vec<PlanError>> {
    let (plan, errors) = compare(migrations, ledger, policy);
    if errors.is_empty() {
        return Ok(plan);
    }
    Err(other_files(migrations, ledger).map_or(errors, |error| vec![error]))
}

/// As [`plan`], with a plan even if rules are violated. The rules are numbered in the order in
/// which they apply.
pub fn compare<'a>(
    migrations: &'a [Migration],
    ledger: &'a [MigrationRecord],
    policy: &Policy,
) -> (Plan<'a>, Vec<PlanError>) {
    let records: BTreeMap<&Version, &MigrationRecord> =
        ledger.iter().map(|record| (&record.version, record)).collect();
    let record_of = |migration: &Migration| {
        let record = records.get(&migration.version).copied();
        record.filter(|record| order::belongs(migration, record))
    };
    // 1. A new version of an applied migration must be declared.
    let renames = Renames::find(migrations, ledger, policy);
    let mut errors = renames.errors.clone();
    // 2. The target must exist.
    let (scope, target_missing) = order::Scope::new(migrations, ledger, policy, record_of);
    errors.extend(target_missing);
    let mut entries = Vec::with_capacity(migrations.len());
    for (index, migration) in migrations.iter().enumerate() {
        let record = record_of(migration);
        // 3. A version that is declared as removed must not have a file.
        errors.extend(removed_with_file(migration, policy));
        let status = match record {
            // 4. A repeatable migration runs if it has changed, unless the target holds it back.
            _ if migration.is_repeatable() => repeatable_status(&scope, migration, record),
            // 5. An applied migration must not have changed, unless the change is accepted.
            Some(record) if record.is_applied() => {
                errors.extend(changed_file(migration, record, policy));
                Status::Applied(record)
            }
            // 6. Any other migration runs, unless a baseline, the target or the order excludes it.
            begun => match scope.judge(index, migration, begun, policy.order) {
                Ok(None) => {
                    // 7. The statements that a failed run has applied must not have changed, and
                    //    must have their rows.
                    errors.extend(begun.and_then(|begun| changed_statement(migration, begun)));
                    let last = scope.applied_after(index);
                    errors.extend(begun.and_then(|begun| missing_rows(migration, begun, last)));
                    Status::Pending { begun }
                }
                Ok(Some(reason)) => Status::Excluded(reason),
                Err(error) => {
                    // The position of a new version says nothing about when it was applied.
                    errors.extend(Some(error).filter(|_| !renames.rejects_new(&migration.version)));
                    Status::Excluded(Reason::OutOfOrder)
                }
            },
        };
        entries.push(PlannedMigration { migration, status });
    }

    // 8. A migration that has begun must have a file, unless it may be retired.
    let (retired, missing) = without_file(migrations, ledger, policy, &renames);
    errors.extend(missing);
    let beyond_target = scope.beyond_target.map(|index| &migrations[index].version);
    (Plan { entries, retired, beyond_target }, errors)
}

/// The error that explains all others if the files are those of another set. A single migration
/// that differs was probably edited.
fn other_files(migrations: &[Migration], ledger: &[MigrationRecord]) -> Option<PlanError> {
    let texts: BTreeSet<&str> = migrations.iter().map(|it| it.checksum.0.as_str()).collect();
    let applied = || ledger.iter().filter(|it| it.is_applied());
    let of = |record: &MigrationRecord| (record.version.clone(), record.description.clone());
    let has_none = applied().all(|record| !texts.contains(record.checksum.0.as_str()));
    let is_other = applied().count() > 1 && has_none;
    is_other.then_some(PlanError::OtherFiles {
        applied: applied().count(),
        first: of(applied().next()?),
        last: of(applied().next_back()?),
    })
}

/// Rule 3.
fn removed_with_file(migration: &Migration, policy: &Policy) -> Option<PlanError> {
    policy.removed.contains(&migration.version).then(|| PlanError::NotRemoved {
        file: migration.file.clone(),
        version: migration.version.clone(),
    })
}

/// Rule 4.
fn repeatable_status<'a>(
    scope: &order::Scope<'_>,
    migration: &Migration,
    record: Option<&'a MigrationRecord>,
) -> Status<'a> {
    match repeatable::status(migration, record) {
        Status::Applied(record) => Status::Applied(record),
        _ if scope.holds_back => Status::Excluded(Reason::BeyondTarget),
        status => status,
    }
}

/// Rule 5.
fn changed_file(
    migration: &Migration,
    record: &MigrationRecord,
    policy: &Policy,
) -> Option<PlanError> {
    let is_accepted = policy.accepted.get(&migration.version) == Some(&migration.checksum);
    let has_changed = record.checksum != migration.checksum && !is_accepted;
    has_changed.then(|| PlanError::Diverged {
        file: migration.file.clone(),
        version: migration.version.clone(),
        applied: record.checksum.clone(),
        found: migration.checksum.clone(),
        difference: TextDifference::find(record, migration),
    })
}

/// Rule 7. After a failure, the author may edit the statements that were not applied, and remove
/// those whose jobs have failed.
fn changed_statement(migration: &Migration, begun: &MigrationRecord) -> Option<PlanError> {
    begun.statements.iter().find_map(|record| {
        let statement = migration.statement(record.number);
        let is_unchanged = |statement: &Statement| {
            if record.is_binding() {
                statement.checksum() == record.checksum
            } else {
                statement.class == Class::Batch
            }
        };
        if record.has_failed() || statement.is_some_and(is_unchanged) {
            return None;
        }
        let shown = statement.or(migration.statements.last())?;
        Some(PlanError::StatementDiverged {
            file: migration.file.clone(),
            line: shown.origin.line,
            version: migration.version.clone(),
            number: record.number,
            applied: record.summary.as_str().into(),
            done: begun
                .statements
                .iter()
                .filter(|it| it.is_binding() && !matches!(it.state, StatementState::Submitted(_)))
                .map(|it| it.number)
                .collect(),
            failed: begun.failed_rows().map(|row| row.number).collect(),
            kept: match record.state {
                StatementState::Batching(_) => KeptStatement::Batching,
                StatementState::Submitted(_) => KeptStatement::Building,
                _ => KeptStatement::Applied,
            },
        })
    })
}

/// Rule 7. Statements run in order, so the predecessors of a statement with a row have rows, except
/// for asynchronous ones, whose rows are withdrawn if their jobs fail. The rows of a failed
/// migration were counted as well. If the row of the migration is gone, the last rows of its
/// statements may be gone too. `followed_by` is the last applied version after it.
fn missing_rows(
    migration: &Migration,
    begun: &MigrationRecord,
    followed_by: Option<&Version>,
) -> Option<PlanError> {
    if begun.is_lost() && !begun.statements.is_empty() {
        let has_row = |number: &StatementNumber| begun.statement(*number).is_some();
        let numbers = migration.numbered().map(|(number, _)| number);
        let missing: Vec<_> = numbers.filter(|number| !has_row(number)).collect();
        return (!missing.is_empty()).then(|| PlanError::MigrationRowMissing {
            migration: Box::new(migration.clone()),
            missing,
            followed_by: followed_by.cloned(),
        });
    }
    let is_lasting = |class: Class| !matches!(class, Class::AsyncIndex | Class::Validate);
    let has_row = |number| begun.statement(number).is_some();
    let last = begun.statements.iter().map(|record| record.number).max();
    let counted = begun.recorded.filter(|_| begun.state != MigrationState::Running).unwrap_or(0);
    let mut lasting = 0;
    let lost = migration.numbered().filter(|(number, statement)| {
        lasting += usize::from(is_lasting(statement.class));
        let is_expected = last.is_some_and(|last| *number < last) || lasting <= counted;
        is_lasting(statement.class) && is_expected && !has_row(*number)
    });
    let missing: Vec<_> = lost.map(|(number, statement)| (number, statement.clone())).collect();
    (!missing.is_empty()).then(|| PlanError::StatementRowsMissing {
        file: migration.file.clone(),
        version: migration.version.clone(),
        missing,
    })
}

/// Rule 8. Returns the records that need no file, and the errors for those that do.
fn without_file<'a>(
    migrations: &[Migration],
    ledger: &'a [MigrationRecord],
    policy: &Policy,
    renames: &Renames<'_>,
) -> (Vec<&'a MigrationRecord>, Vec<PlanError>) {
    let files = order::Files::new(migrations);
    let has_file = |record: &MigrationRecord| files.of(record).is_some();
    // The index of the last record that a baseline replaces.
    let replaced = order::replaced(migrations, ledger);
    let (mut retired, mut missing) = (Vec::new(), Vec::new());
    for (index, record) in ledger.iter().enumerate().filter(|(_, record)| !has_file(record)) {
        if may_retire(record, policy)
            || replaced.is_some_and(|last| index <= last)
            || renames::needs_no_file(record, ledger, has_file)
        {
            retired.push(record);
        } else if !renames.rejects_former(&record.version) {
            missing.push(PlanError::FileMissing {
                version: record.version.clone(),
                description: record.description.clone(),
                whole: record.is_applied(),
            });
        }
    }
    (retired, missing)
}

/// Whether the file of a migration may be removed without an error. The file of a migration that
/// has run no statement may be.
fn may_retire(record: &MigrationRecord, policy: &Policy) -> bool {
    !record.has_begun()
        || record.kind == MigrationKind::Repeatable
        || policy.removed.contains(&record.version)
}

/// Updates a plan after another run has changed the ledger: migrations that the other run has
/// applied do not run again. `None` if the other run has applied anything that differs from the
/// plan.
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
            Some(record) if record.is_applied() => {
                if record.checksum != migration.checksum && !was_applied {
                    return None;
                }
                Status::Applied(record)
            }
            begun => {
                let has_changed = |begun| {
                    changed_statement(migration, begun)
                        .or_else(|| missing_rows(migration, begun, None))
                };
                if was_applied || begun.and_then(has_changed).is_some() {
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

#[cfg(test)]
mod tests;
