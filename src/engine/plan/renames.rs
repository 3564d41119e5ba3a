//! Finds migrations whose versions have changed, because files were renamed or the directory has
//! another layout.
//!
//! A file that the ledger does not know and that has the text of an applied migration without a
//! file would run it again, so such a plan is an error. The configuration declares which version
//! replaces which. The new version then gets a row that names the former one, and the row of that
//! one remains. From then on, the rows show that the former version needs no file.

mod detect;

use std::collections::{BTreeMap, BTreeSet};

use super::{PlanError, Policy, order};
use crate::database::{MigrationRecord, MigrationState};
use crate::migration::{Checksum, Migration, MigrationKind, Version};

/// The migrations of a set whose versions have changed.
#[derive(Debug, Default)]
pub struct Renames<'a> {
    /// As the configuration declares them, and not in the ledger yet.
    declared: Vec<Renamed<'a>>,
    /// Not declared and found by their texts, or declared and wrong.
    found: Vec<Renamed<'a>>,
    /// Entries of the configuration that have no effect on this cluster.
    pub unused: Vec<UnusedRename<'a>>,
    /// What prevents a plan.
    pub(super) errors: Vec<PlanError>,
    /// The former versions that these errors concern.
    former: BTreeSet<&'a Version>,
    /// The new versions that these errors concern.
    new: BTreeSet<&'a Version>,
}

/// A migration whose version has changed.
#[derive(Debug, Clone, Copy)]
struct Renamed<'a> {
    from: &'a MigrationRecord,
    to: &'a Migration,
}

/// A file with a new version and the text of an applied migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenamedFile {
    /// The version in the ledger.
    pub former: Version,
    /// The version of the file.
    pub version: Version,
    /// Path as written in the configuration.
    pub file: String,
    /// The checksum of the file, if it has the statements that were applied, but not the text.
    pub edited: Option<Checksum>,
}

/// An entry of the configuration that has no effect on this cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusedRename<'a> {
    /// The former version.
    pub former: &'a Version,
    /// The new version.
    pub version: &'a Version,
    /// Why it has no effect.
    pub reason: UnusedReason,
}

/// Why an entry has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnusedReason {
    /// The ledger shows the new version already.
    Recorded,
    /// The former version was not applied to this cluster.
    NotApplied,
    /// The former version has a file, and the new one has none.
    NotRenamed,
}

/// Why an entry of the configuration is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenameProblem {
    /// Both versions have files.
    #[error("{file} still has the former version")]
    FormerFileExists {
        /// Path as written in the configuration.
        file: String,
    },
    /// The new version has no file.
    #[error("no migration has the new version")]
    NoFile,
    /// The text of the file is not the one that was applied.
    #[error("{file} does not have the text that was applied")]
    OtherText {
        /// Path as written in the configuration.
        file: String,
        /// Checksum of the file.
        found: Checksum,
    },
    /// Some statements of the former version are not applied.
    #[error("the former version is only partly applied")]
    Unfinished,
    /// One of the two is a baseline or a repeatable migration.
    #[error("it is not a versioned migration under both versions")]
    NotVersioned,
    /// The new version was applied on its own.
    #[error("the new version is in the ledger already")]
    NewIsApplied,
    /// Two applied versions would become one.
    #[error("another applied version has the same new version")]
    SameVersion,
}

/// What an entry of the configuration means on this cluster.
enum Entry<'a> {
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

impl<'a> Renames<'a> {
    /// Compares the versions of the ledger with those of the files.
    #[must_use]
    pub fn find(
        migrations: &'a [Migration],
        ledger: &'a [MigrationRecord],
        policy: &'a Policy,
    ) -> Self {
        let versions = Versions::new(migrations, ledger, policy);
        let mut renames = Self::default();
        for (former, version) in &policy.renamed {
            match versions.entry(former, version) {
                Entry::Renames(renamed) => renames.declared.push(renamed),
                Entry::Wrong { problem, pair } => {
                    renames.reject(former, version, problem);
                    renames.found.extend(pair);
                }
                Entry::Unused(reason) => {
                    renames.unused.push(UnusedRename { former, version, reason });
                }
                Entry::NothingApplied => {}
            }
        }
        renames.reject_shared_versions();
        renames.detect(&versions);
        renames
    }

    /// The migrations that get a row, each with its former version.
    pub fn declared(&self) -> impl Iterator<Item = (&'a Migration, &'a Version)> {
        self.declared.iter().map(|renamed| (renamed.to, &renamed.from.version))
    }

    /// As [`Renames::declared`], with those that are not declared.
    pub fn all(&self) -> impl Iterator<Item = (&'a Migration, &'a Version)> {
        let found = self.found.iter().map(|renamed| (renamed.to, &renamed.from.version));
        self.declared().chain(found)
    }

    /// Whether an error concerns this former version.
    pub(super) fn rejects_former(&self, version: &Version) -> bool {
        self.former.contains(version)
    }

    /// Whether an error concerns this new version.
    pub(super) fn rejects_new(&self, version: &Version) -> bool {
        self.new.contains(version)
    }

    fn reject(&mut self, former: &'a Version, version: &'a Version, problem: RenameProblem) {
        self.former.insert(former);
        self.new.insert(version);
        let (former, version) = (former.clone(), version.clone());
        self.errors.push(PlanError::InvalidRename { former, version, problem });
    }

    /// A row can name only one former version.
    fn reject_shared_versions(&mut self) {
        let all = std::mem::take(&mut self.declared);
        for renamed in &all {
            let same = |other: &&Renamed<'_>| other.to.version == renamed.to.version;
            if all.iter().filter(same).count() == 1 {
                self.declared.push(*renamed);
            } else {
                let problem = RenameProblem::SameVersion;
                self.reject(&renamed.from.version, &renamed.to.version, problem);
            }
        }
    }
}

/// The versions of the files, of the ledger and of the configuration.
struct Versions<'a> {
    migrations: &'a [Migration],
    files: order::Files<'a>,
    /// The rows of the ledger with those to write, in order.
    records: &'a [MigrationRecord],
    /// The rows of the ledger.
    ledger: BTreeMap<&'a Version, &'a MigrationRecord>,
    policy: &'a Policy,
    /// The versions that a baseline replaces.
    replaced: BTreeSet<&'a Version>,
}

impl<'a> Versions<'a> {
    fn new(migrations: &'a [Migration], ledger: &'a [MigrationRecord], policy: &'a Policy) -> Self {
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
    fn is_new(&self, migration: &Migration) -> bool {
        !self.record(&migration.version).is_some_and(MigrationRecord::has_begun)
    }

    /// Whether the text of a file is the one that was applied, or is accepted in its place.
    fn has_text(&self, record: &MigrationRecord, migration: &Migration) -> bool {
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

    fn entry(&self, former: &Version, version: &'a Version) -> Entry<'a> {
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
        } else if from.state != MigrationState::Applied {
            Some(RenameProblem::Unfinished)
        } else if !self.has_text(from, to) && !is_accepted {
            let (file, found) = (to.file.clone(), to.checksum.clone());
            Some(RenameProblem::OtherText { file, found })
        } else {
            None
        }
    }
}

/// Whether the row of a new version names this one as its former version.
fn is_former<'r>(
    record: &MigrationRecord,
    ledger: impl IntoIterator<Item = &'r MigrationRecord>,
) -> bool {
    ledger.into_iter().any(|other| {
        other.version != record.version
            && other.adopted_from.as_deref() == Some(record.version.0.as_str())
    })
}

/// Whether the ledger shows that a version needs no file, because its migration has another version
/// now, or has its former version again.
pub(super) fn needs_no_file<'r>(
    record: &'r MigrationRecord,
    ledger: &'r [MigrationRecord],
    has_file: impl Fn(&MigrationRecord) -> bool,
) -> bool {
    let former = |record: &&'r MigrationRecord| {
        let version = record.adopted_from.as_deref()?;
        ledger.iter().find(|other| other.version.0 == version && other.version != record.version)
    };
    // Two rows that a person has written may name each other.
    let formers = std::iter::successors(Some(record), former).take(ledger.len()).skip(1);
    is_former(record, ledger) || formers.into_iter().any(has_file)
}

/// Returns the record of the current version of a migration, whose version may have changed.
#[must_use]
pub fn current<'r>(
    record: &'r MigrationRecord,
    ledger: &'r [MigrationRecord],
) -> &'r MigrationRecord {
    let next =
        |record: &&'r MigrationRecord| ledger.iter().find(|other| is_former(record, [*other]));
    std::iter::successors(Some(record), next).take(ledger.len()).last().unwrap_or(record)
}

/// Whether a record is that of a new version, so that its migration began as another record.
#[must_use]
pub fn has_former(record: &MigrationRecord, ledger: &[MigrationRecord]) -> bool {
    ledger.iter().any(|other| is_former(other, [record]))
}

#[cfg(test)]
mod tests;
