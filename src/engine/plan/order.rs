//! Decides which versioned migrations run, from the baseline, the target and the order.

use std::collections::BTreeMap;

use super::{ExecOrder, PlanError, Policy, Reason};
use crate::database::MigrationRecord;
use crate::migration::{Migration, MigrationKind, Version};

/// Whether a record belongs to a migration. Not every record with the same version does: a baseline
/// may have the version of the last migration that it replaces.
pub(super) fn belongs(migration: &Migration, record: &MigrationRecord) -> bool {
    let is_baseline = |kind| kind == MigrationKind::Baseline;
    is_baseline(migration.kind) == is_baseline(record.kind)
}

/// The migrations of a directory, by version and by whether they are baselines.
pub(super) struct Files<'a>(BTreeMap<(&'a Version, bool), &'a Migration>);

impl<'a> Files<'a> {
    pub(super) fn new(migrations: &'a [Migration]) -> Self {
        let key = |it: &'a Migration| (&it.version, it.kind == MigrationKind::Baseline);
        Self(migrations.iter().map(|migration| (key(migration), migration)).collect())
    }

    /// The migration to which a record belongs.
    pub(super) fn of(&self, record: &MigrationRecord) -> Option<&'a Migration> {
        self.0.get(&(&record.version, record.kind == MigrationKind::Baseline)).copied()
    }
}

/// The part of a directory that a run covers. All indexes count from 0.
#[derive(Default)]
pub(super) struct Scope<'a> {
    migrations: &'a [Migration],
    /// The baseline with which the set begins.
    start: Option<usize>,
    /// The last migration that runs.
    target: Option<usize>,
    /// The last applied migration.
    last_applied: Option<usize>,
    /// The last applied migration, if it follows the target.
    pub(super) beyond_target: Option<usize>,
    /// Whether the target holds back a pending migration.
    pub(super) holds_back: bool,
}

impl<'a> Scope<'a> {
    /// Finds the scope. If the target does not exist, returns an error together with a scope that
    /// has no target.
    pub(super) fn new<'r>(
        migrations: &'a [Migration],
        ledger: &[MigrationRecord],
        policy: &Policy,
        record_of: impl Fn(&Migration) -> Option<&'r MigrationRecord>,
    ) -> (Self, Option<PlanError>) {
        let is_versioned = |migration: &Migration| !migration.is_repeatable();
        let last = |accept: &dyn Fn(&Migration) -> bool| {
            migrations.iter().rposition(|m| is_versioned(m) && accept(m))
        };
        let is_applied =
            |migration: &Migration| record_of(migration).is_some_and(MigrationRecord::is_applied);
        let is_begun =
            |migration: &Migration| record_of(migration).is_some_and(MigrationRecord::has_begun);
        let is_baseline = |migration: &Migration| migration.kind == MigrationKind::Baseline;

        let target = policy.target.as_ref().map(|target| last(&|m| m.version == *target));
        let end = target.flatten().map_or(migrations.len(), |target| target + 1);
        // Records without a file count as well, because files that a baseline replaces may have
        // been removed.
        let has_history = ledger
            .iter()
            .any(|record| record.kind != MigrationKind::Repeatable && record.has_begun());
        let start = if has_history {
            last(&|m| is_baseline(m) && is_begun(m))
        } else {
            migrations[..end].iter().rposition(is_baseline)
        };
        let last_applied = last(&is_applied);
        let mut scope = Self { migrations, start, last_applied, ..Self::default() };
        match (target, &policy.target) {
            (Some(None), Some(version)) => {
                (scope, Some(PlanError::TargetMissing { version: version.clone() }))
            }
            (target, _) => {
                scope.target = target.flatten();
                scope.beyond_target =
                    last_applied.filter(|last| scope.target.is_some_and(|target| target < *last));
                let waits = |(index, migration): (usize, &Migration)| {
                    is_versioned(migration) && !is_applied(migration) && scope.is_held_back(index)
                };
                scope.holds_back =
                    migrations.iter().enumerate().any(waits) || scope.beyond_target.is_some();
                (scope, None)
            }
        }
    }

    /// The last applied version, if it follows the migration with this index.
    pub(super) fn applied_after(&self, index: usize) -> Option<&'a Version> {
        let last = self.last_applied.filter(|last| *last > index)?;
        Some(&self.migrations[last].version)
    }

    fn is_held_back(&self, index: usize) -> bool {
        self.beyond_target.is_some() || self.target.is_some_and(|target| index > target)
    }

    /// Decides whether a migration that is not applied runs: `None` if it does, or else why not.
    pub(super) fn judge(
        &self,
        index: usize,
        migration: &Migration,
        begun: Option<&MigrationRecord>,
        order: ExecOrder,
    ) -> Result<Option<Reason>, PlanError> {
        // A migration with a row is not out of order: it was begun in its turn, and the next one
        // began while its jobs ran. A failed job leaves no row of its statement.
        let is_begun = begun.is_some();
        let is_start = self.start == Some(index);
        if self.start.is_some_and(|start| index < start)
            || migration.kind == MigrationKind::Baseline && !is_start
        {
            return Ok(Some(Reason::Baseline));
        }
        if self.is_held_back(index) {
            return Ok(Some(Reason::BeyondTarget));
        }
        match (self.last_applied, order) {
            (Some(last), _) if index > last || is_begun => Ok(None),
            (None, _) | (_, ExecOrder::NonLinear) => Ok(None),
            (Some(_), ExecOrder::LinearSkip) => Ok(Some(Reason::OutOfOrder)),
            (Some(last), ExecOrder::Linear) => Err(PlanError::OutOfOrder {
                file: migration.file.clone(),
                version: migration.version.clone(),
                applied: self.migrations[last].version.clone(),
            }),
        }
    }
}

/// Returns the index of the last record that a baseline of the directory replaces. The database has
/// the version of the baseline, so it also has all migrations before it.
pub(super) fn replaced(migrations: &[Migration], ledger: &[MigrationRecord]) -> Option<usize> {
    let baselines = || migrations.iter().filter(|m| m.kind == MigrationKind::Baseline);
    ledger.iter().rposition(|record| {
        record.is_applied()
            && record.kind == MigrationKind::Versioned
            && baselines().any(|baseline| baseline.version == record.version)
    })
}
