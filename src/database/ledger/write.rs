//! The kinds of writes to the ledger. `write_sql.rs` has their SQL.

use super::record::{StatementRecord, StatementState};
use crate::database::catalog::Objects;
use crate::database::jobs::JobId;
use crate::migration::fact::Fact;
use crate::migration::{Migration, StatementNumber, Version};

/// A write to the ledger. Each names the state in which it expects its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write<'a> {
    /// Begins a migration, for the first time or again. Fails if it is already applied.
    Begin(&'a Migration),
    /// Begins a repeatable migration with its first statement. Fails if its last run is not the
    /// given one.
    BeginAgain {
        /// The migration.
        migration: &'a Migration,
        /// Number of its last run.
        after: u32,
    },
    /// Deletes the statement rows of an earlier run of a migration.
    Forget {
        /// The migration.
        version: &'a Version,
    },
    /// Ends the run of a migration.
    End {
        /// The migration.
        version: &'a Version,
        /// How it ends.
        end: MigrationEnd,
    },
    /// Records that the jobs of a migration have ended, for which the run did not wait that started
    /// them.
    Complete {
        /// The migration.
        version: &'a Version,
    },
    /// Records migrations that were applied before the provider was used, or under another version.
    /// They are in the order of the set, and not more than one transaction can record. Migrations
    /// that are already applied are not changed.
    Adopt {
        /// The migrations, each with the source that shows it as applied.
        migrations: Vec<(&'a Migration, &'a str)>,
    },
    /// Inserts the row of a statement that is about to be sent, with the facts of the catalog.
    Intend {
        /// Its migration.
        version: &'a Version,
        /// The row.
        record: StatementRecord,
        /// The facts to read.
        facts: Vec<Fact>,
        /// Its text, unless that contains the value of a variable.
        text: Option<&'a str>,
    },
    /// Inserts the row of a statement in the same transaction, or of one that is not sent.
    Record {
        /// Its migration.
        version: &'a Version,
        /// The row.
        record: StatementRecord,
    },
    /// Updates the state of a statement.
    Advance {
        /// Its migration.
        version: &'a Version,
        /// Its number in the migration.
        number: StatementNumber,
        /// The new state.
        state: StatementState,
    },
    /// Records the job of a statement for which the run does not wait.
    LeaveJob {
        /// Its migration.
        version: &'a Version,
        /// Its number in the migration.
        number: StatementNumber,
        /// The job.
        job: JobId,
        /// The OID of the index or the constraint that it makes valid.
        object: u32,
    },
    /// Records that a statement is certainly not applied, with what its job has left.
    Fail {
        /// Its migration.
        version: &'a Version,
        /// Its number in the migration.
        number: StatementNumber,
        /// The job that has failed.
        job: Option<JobId>,
        /// The OID of the index that is to be dropped.
        object: Option<u32>,
    },
    /// Deletes the row of a statement that was certainly not applied.
    Withdraw {
        /// Its migration.
        version: &'a Version,
        /// Its number in the migration.
        number: StatementNumber,
    },
    /// Records the schema of a relation as a run leaves it.
    Schema {
        /// The relation.
        relation: &'a str,
        /// Its objects; `None` if it was dropped.
        objects: Option<&'a Objects>,
        /// When it was recorded last, as the run has read it. Fails if that has changed.
        after: Option<&'a str>,
    },
    /// Releases the lease at the end of a run.
    Release {
        /// Whether all changes of the run are recorded, so that the next run records none for it.
        settled: bool,
    },
}

/// How the run of a migration ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationEnd {
    /// All of its statements are done.
    Applied,
    /// All of its statements were sent, and the run does not wait for their jobs.
    Building,
    /// It has failed, for this reason.
    Failed(String),
}
