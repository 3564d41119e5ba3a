//! What is to be done: a pure function of the migrations and of the ledger.

use std::collections::BTreeMap;

use crate::database::{MigrationRecord, MigrationState};
use crate::migration::{Checksum, Class, Migration, Statement, Version};

/// The migrations of a set in their order, each with what the ledger says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// In the order of the directory.
    pub entries: Vec<Entry<'a>>,
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// As read from its file.
    pub migration: &'a Migration,
    /// What is to be done with it.
    pub standing: Standing<'a>,
}

/// What is to be done with a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Nothing.
    Applied(&'a MigrationRecord),
    /// It runs, after what an earlier run has done of it.
    Pending {
        /// The row of an unfinished earlier run.
        begun: Option<&'a MigrationRecord>,
    },
}

impl<'a> Plan<'a> {
    /// The entries that an apply would run.
    pub fn pending(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(|entry| matches!(entry.standing, Standing::Pending { .. }))
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
        /// Place of the statement, counted from 1.
        number: usize,
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
    Late {
        /// File as written in the configuration.
        file: String,
        /// Its version.
        version: Version,
        /// The last applied version.
        applied: Version,
    },
}

/// What a practitioner has allowed beyond the plain rule that every migration runs once, in the
/// order of the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Edited files that may stay as they are: an applied migration may have the checksum that
    /// stands beside its version. It is not run again.
    pub accepted: BTreeMap<Version, Checksum>,
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
    let mut records: BTreeMap<&Version, &MigrationRecord> =
        ledger.iter().map(|record| (&record.version, record)).collect();
    let last_applied = migrations.iter().rposition(|migration| {
        records.get(&migration.version).is_some_and(|r| r.state == MigrationState::Applied)
    });

    let mut errors = Vec::new();
    let mut entries = Vec::with_capacity(migrations.len());
    for (place, migration) in migrations.iter().enumerate() {
        let record = records.remove(&migration.version);
        let standing = match record {
            Some(record) if record.state == MigrationState::Applied => {
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
                Standing::Applied(record)
            }
            begun => {
                // One that was begun is not late: the next was begun while its jobs ran.
                let is_begun = begun.is_some_and(|record| !record.statements.is_empty());
                match last_applied {
                    Some(last) if place < last && !is_begun => errors.push(PlanError::Late {
                        file: migration.file.clone(),
                        version: migration.version.clone(),
                        applied: migrations[last].version.clone(),
                    }),
                    _ => errors.extend(begun.and_then(|begun| changed_part(migration, begun))),
                }
                Standing::Pending { begun }
            }
        };
        entries.push(Entry { migration, standing });
    }

    // What is left has no file. A migration of which nothing was done may go without a word.
    errors.extend(
        records
            .into_values()
            .filter(|record| {
                record.state == MigrationState::Applied || !record.statements.is_empty()
            })
            .map(|record| PlanError::FileMissing {
                version: record.version.clone(),
                description: record.description.clone(),
                whole: record.state == MigrationState::Applied,
            }),
    );
    if errors.is_empty() { Ok(Plan { entries }) } else { Err(errors) }
}

/// The same plan after the ledger has moved on: what another run has applied meanwhile is done.
/// Nothing if that run has applied something else than this plan shows.
#[must_use]
pub fn renew<'a>(plan: &Plan<'a>, ledger: &'a [MigrationRecord]) -> Option<Plan<'a>> {
    let entry = |entry: &Entry<'a>| {
        let migration = entry.migration;
        let record = ledger.iter().find(|record| record.version == migration.version);
        let standing = match record {
            Some(record) if record.state == MigrationState::Applied => {
                if record.checksum != migration.checksum {
                    return None;
                }
                Standing::Applied(record)
            }
            begun => {
                let was_applied = matches!(entry.standing, Standing::Applied(_));
                if was_applied || begun.and_then(|begun| changed_part(migration, begun)).is_some() {
                    return None;
                }
                Standing::Pending { begun }
            }
        };
        Some(Entry { migration, standing })
    };
    let entries = plan.entries.iter().map(entry).collect::<Option<Vec<_>>>()?;
    Some(Plan { entries })
}

/// After a failure the rest of a file may be mended, but not the part that is applied.
fn changed_part(migration: &Migration, begun: &MigrationRecord) -> Option<PlanError> {
    begun.statements.iter().find_map(|record| {
        let statement = migration.statements.get(record.number - 1);
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
