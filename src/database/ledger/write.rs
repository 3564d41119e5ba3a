//! The writes to the ledger.

use super::record::{StatementRecord, StatementState};
use crate::database::catalog::Objects;
use crate::migration::fact::Fact;
use crate::migration::{Migration, StatementNumber, Version};

/// One write to the ledger. Each names the row that it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write<'a> {
    /// A migration has begun, or has begun again. Fails if it is applied already.
    Begin(&'a Migration),
    /// A repeatable migration has begun from its first statement on. Fails if its last run is
    /// another one.
    BeginAgain {
        /// The migration.
        migration: &'a Migration,
        /// Its last run.
        after: u32,
    },
    /// No statement of a migration is begun: the rows are those of an earlier run.
    Forget {
        /// The migration.
        version: &'a Version,
    },
    /// A migration is applied, or why it is not.
    End {
        /// The migration.
        version: &'a Version,
        /// What went wrong, in words.
        failure: Option<String>,
    },
    /// Migrations that were applied before the provider came: neighbours in the order of the set,
    /// not more than a transaction takes. What is applied already is left alone.
    Adopt {
        /// The migrations.
        migrations: Vec<&'a Migration>,
        /// What says that they are applied.
        from: &'a str,
    },
    /// A statement is about to be sent; the row keeps what the catalog says before.
    Intend {
        /// Its migration.
        version: &'a Version,
        /// The row.
        record: StatementRecord,
        /// What to ask the catalog.
        facts: Vec<Fact>,
    },
    /// A statement of the same transaction is done.
    Record {
        /// Its migration.
        version: &'a Version,
        /// The row.
        record: StatementRecord,
    },
    /// A statement was answered or is done.
    Advance {
        /// Its migration.
        version: &'a Version,
        /// Its number in the migration.
        number: StatementNumber,
        /// How far it has come.
        state: StatementState,
    },
    /// A statement certainly was not applied.
    Withdraw {
        /// Its migration.
        version: &'a Version,
        /// Its number in the migration.
        number: StatementNumber,
    },
    /// The schema of a relation as a run leaves it; nothing if it is gone.
    Schema {
        /// The relation.
        relation: &'a str,
        /// Its objects.
        objects: Option<&'a Objects>,
    },
    /// The run ends. `settled` says that all it has changed is recorded.
    Release {
        /// Whether the next run has nothing to record for this one.
        settled: bool,
    },
}
