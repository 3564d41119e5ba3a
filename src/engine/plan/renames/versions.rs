//! Looks up what an entry of the configuration means.

use std::collections::{BTreeMap, BTreeSet};

use super::links::is_former;
use super::{RenameProblem, Renamed, UnusedReason};
use crate::database::MigrationRecord;
use crate::engine::plan::{Policy, order};
use crate::migration::{Migration, MigrationKind, Version};

/// What an entry of the configuration means on this cluster.
pub(super) enum Entry<'a> {
    Renames(Renamed<'a>),
    Unused(UnusedReason),
    /// The former version has left nothing in the database, so the new one runs like any other.
    NothingApplied,
    Wrong {
        problem: RenameProblem,
        /// The two migrations, if they exist.
        pair: Option<Renamed<'a>>,
    },
}

/// The versions of the files, of the ledger and of the configuration.
pub(super) struct Versions<'a> {
    pub(super) migrations: &'a [Migration],
    pub(super) files: order::Files<'a>,
    /// The rows of the ledger with those to write, in order.
    pub(super) records: &'a [MigrationRecord],
    /// The rows of the ledger.
    pub(super) ledger: BTreeMap<&'a Version, &'a MigrationRecord>,
    pub(super) policy: &'a Policy,
    /// The versions that a baseline replaces.
    pub(super) replaced: BTreeSet<&'a Version>,
}

impl<'a> Versions<'a> {
    pub(super) fn new(
        migrations: &'a [Migration],
        ledger: &'a [MigrationRecord],
        policy: &'a Policy,
    ) -> Self {
        let last = order::replaced(migrations, ledger);
        let replaced = last.map_or(&[][..], |last| &ledger[..=last]);
        let written = ledger.iter().filter(|record| !record.is_to_adopt());
        Self {
            migrations,
            files: order::Files::new(migrations),
            records: ledger,
            ledger: written.map(|record| (&record.version, record)).collect(),
            policy,
            replaced: replaced.iter().map(|record| &record.version).collect(),
        }
    }

    fn record(&self, version: &Version) -> Option<&'a MigrationRecord> {
        self.ledger.get(version).copied()
    }

    fn file(&self, version: &Version) -> Option<&'a Migration> {
        self.migrations.iter().find(|migration| migration.version == *version)
    }

    /// Whether the ledger has nothing applied of a file.
    pub(super) fn is_new(&self, migration: &Migration) -> bool {
        !self.record(&migration.version).is_some_and(MigrationRecord::has_begun)
    }

    /// Whether the text of a file is the one that was applied, or is accepted in its place.
    pub(super) fn has_text(&self, record: &MigrationRecord, migration: &Migration) -> bool {
        let accepted = |version| self.policy.accepted.get(version);
        record.checksum == migration.checksum
            || accepted(&record.version) == Some(&migration.checksum)
    }

    /// The version that a migration has in the end, if its version has changed several times.
    fn last_version(&self, version: &'a Version) -> &'a Version {
        let next = |version: &&'a Version| self.policy.renamed.get(*version);
        // The configuration has no circles.
        std::iter::successors(Some(version), next).last().unwrap_or(version)
    }

    pub(super) fn entry(&self, former: &Version, version: &'a Version) -> Entry<'a> {
        let Some(from) = self.record(former) else {
            return Entry::Unused(UnusedReason::NotApplied);
        };
        if is_former(from, self.ledger.values().copied()) {
            return Entry::Unused(UnusedReason::Recorded);
        }
        if !from.has_begun() {
            return Entry::NothingApplied;
        }
        let file = self.file(self.last_version(version));
        let new = file.filter(|migration| self.is_new(migration));
        if let Some(former) = self.files.of(from) {
            return match new {
                None => Entry::Unused(UnusedReason::NotRenamed),
                Some(_) => {
                    let file = former.file.clone();
                    Entry::Wrong { problem: RenameProblem::FormerFileExists { file }, pair: None }
                }
            };
        }
        let Some(to) = new else {
            let is_applied = file.is_some();
            let problem =
                if is_applied { RenameProblem::NewIsApplied } else { RenameProblem::NoFile };
            return Entry::Wrong { problem, pair: None };
        };
        let pair = Renamed { from, to };
        match self.problem(from, to) {
            None => Entry::Renames(pair),
            Some(problem) => Entry::Wrong { problem, pair: Some(pair) },
        }
    }

    fn problem(&self, from: &MigrationRecord, to: &Migration) -> Option<RenameProblem> {
        let is_accepted = self.policy.accepted.get(&to.version) == Some(&to.checksum);
        let is_versioned = |kind| kind == MigrationKind::Versioned;
        if !is_versioned(from.kind) || !is_versioned(to.kind) {
            Some(RenameProblem::NotVersioned)
        } else if !from.is_finished() {
            Some(RenameProblem::Unfinished)
        } else if !self.has_text(from, to) && !is_accepted {
            let (file, found) = (to.file.clone(), to.checksum.clone());
            Some(RenameProblem::OtherText { file, found })
        } else {
            None
        }
    }
}
