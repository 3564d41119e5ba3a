//! Finds migrations whose versions have changed, because files were renamed or the directory has
//! another layout.
//!
//! A file that the ledger does not know and that has the text of an applied migration without a
//! file would run it again, so such a plan is an error. The configuration declares which version
//! replaces which. The new version then gets a row that names the former one, and the row of that
//! one remains. From then on, the rows show that the former version needs no file.

mod detect;
mod groups;
mod links;
mod versions;

use std::collections::BTreeSet;

use super::{PlanError, Policy};
use crate::database::MigrationRecord;
use crate::migration::{Checksum, Migration, Version};

pub(super) use self::links::needs_no_file;
pub use self::links::{current, first, has_former};
use self::versions::{Entry, Versions};

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

#[cfg(test)]
mod tests;
