//! Which versioned migrations run: where a history begins, where it stops, what comes too late.

use super::{ExecOrder, PlanError, Policy, Reason};
use crate::database::{MigrationRecord, MigrationState};
use crate::migration::{Migration, MigrationKind};

/// Whether a row is that of a migration: a baseline may have the version of the last migration
/// that it stands for.
pub(super) fn belongs(migration: &Migration, record: &MigrationRecord) -> bool {
    let is_baseline = |kind| kind == MigrationKind::Baseline;
    is_baseline(migration.kind) == is_baseline(record.kind)
}

/// The part of a directory that a run is about. All places count from 0.
#[derive(Default)]
pub(super) struct Scope<'a> {
    migrations: &'a [Migration],
    /// The baseline with which the history begins.
    start: Option<usize>,
    /// The last migration that runs.
    target: Option<usize>,
    /// The last one that is applied.
    last_applied: Option<usize>,
    /// The same, if it comes after the target.
    pub(super) beyond_target: Option<usize>,
    /// Whether a migration waits for another target.
    pub(super) holds_back: bool,
}

impl<'a> Scope<'a> {
    /// A target that is not there comes beside a scope without one.
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
        let is_applied = |migration: &Migration| {
            record_of(migration).is_some_and(|record| record.state == MigrationState::Applied)
        };
        let is_begun =
            |migration: &Migration| record_of(migration).is_some_and(MigrationRecord::has_begun);
        let is_baseline = |migration: &Migration| migration.kind == MigrationKind::Baseline;

        let target = policy.target.as_ref().map(|target| last(&|m| m.version == *target));
        let end = target.flatten().map_or(migrations.len(), |target| target + 1);
        // Also rows without a file: files that a baseline stands for may be gone.
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

    fn is_held_back(&self, index: usize) -> bool {
        self.beyond_target.is_some() || self.target.is_some_and(|target| index > target)
    }

    /// Why a migration that is not applied does not run; nothing if it does.
    pub(super) fn judge(
        &self,
        index: usize,
        migration: &Migration,
        begun: Option<&MigrationRecord>,
        order: ExecOrder,
    ) -> Result<Option<Reason>, PlanError> {
        // One that was begun is not late: the next was begun while its jobs ran.
        let is_begun = begun.is_some_and(|record| !record.statements.is_empty());
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

/// The last row, in the order of the ledger, for which a baseline of the directory provably stands:
/// the database has the version that the baseline ends with, so it has all before it.
pub(super) fn replaced(migrations: &[Migration], ledger: &[MigrationRecord]) -> Option<usize> {
    let baselines = || migrations.iter().filter(|m| m.kind == MigrationKind::Baseline);
    ledger.iter().rposition(|record| {
        record.state == MigrationState::Applied
            && record.kind == MigrationKind::Versioned
            && baselines().any(|baseline| baseline.version == record.version)
    })
}
