//! The writes to the ledger, and the transactions that they share with statements.

mod sql;

use self::sql::writes_sql;
use super::{LedgerSchema, StatementRecord, StatementState};
use crate::database::catalog::Objects;
use crate::database::error::Error;
use crate::database::jobs::JobId;
use crate::database::lease::{FENCE_ERROR, Lease};
use crate::database::message::{MessageError, WireTransaction};
use crate::database::session::Session;
use crate::migration::fact::Fact;
use crate::migration::{Class, Migration, Statement, Version};

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
        /// Its place, counted from 1.
        number: usize,
        /// How far it has come.
        state: StatementState,
    },
    /// A statement certainly was not applied.
    Withdraw {
        /// Its migration.
        version: &'a Version,
        /// Its place, counted from 1.
        number: usize,
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

/// One transaction of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group<'a> {
    /// Writes to the ledger, together with the row changes that they record.
    Rows {
        /// Row changes, run before the writes.
        statements: Vec<&'a Statement>,
        /// The writes.
        writes: Vec<Write<'a>>,
    },
    /// A schema change, alone.
    Schema(&'a Statement),
    /// Takes an index away; the name is quoted for SQL.
    DropIndex(String),
}

impl Group<'_> {
    /// Whether it does more than to write down what has happened.
    #[must_use]
    pub fn is_work(&self) -> bool {
        match self {
            Self::Rows { statements, .. } => !statements.is_empty(),
            Self::Schema(_) | Self::DropIndex(_) => true,
        }
    }
}

impl<'a> Group<'a> {
    /// Its writes to the ledger.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write<'a>> {
        match self {
            Self::Rows { writes, .. } => writes,
            Self::Schema(_) | Self::DropIndex(_) => Vec::new(),
        }
    }
}

/// Where in a [`Group`] an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePoint {
    /// The lease is another run's.
    LeaseLost,
    /// The run has shut its own string out, because its time is over: nothing is wrong.
    BudgetEnded,
    /// The statement with this place in the group, counted from 0.
    Statement(usize),
    /// A write to the ledger.
    Ledger,
    /// The commit.
    Commit,
}

/// Groups that did not come to their end.
#[derive(Debug)]
pub struct TransactionError {
    /// Of each committed group, the job that it started, if any.
    pub committed: Vec<Option<JobId>>,
    /// Where in the next group.
    pub at: FailurePoint,
    /// The error.
    pub source: Error,
}

impl Session {
    /// Runs groups in order, in as few waits as the server allows. The lease is renewed and
    /// checked in each group of rows. Nothing is repeated.
    ///
    /// # Errors
    /// The first error, with what was committed before it.
    pub async fn run_transactions(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
        groups: &[Group<'_>],
    ) -> Result<Vec<Option<JobId>>, TransactionError> {
        let script: Vec<WireTransaction> =
            groups.iter().map(|group| transaction(ledger, set, lease, group)).collect();
        let jobs = |committed: Vec<Vec<super::Rows>>| {
            committed.into_iter().zip(groups).map(|(answers, group)| job(answers, group)).collect()
        };
        match self.send_transactions(&script).await {
            Ok(committed) => Ok(jobs(committed)),
            Err(MessageError { committed, statement, error }) => {
                let next = committed.len();
                let count = script[next].statements.len();
                let at = failure_point(&groups[next], statement, count, &error);
                Err(TransactionError { committed: jobs(committed), at, source: error })
            }
        }
    }
}

/// The job that a schema change has answered with.
fn job(answers: Vec<super::Rows>, group: &Group<'_>) -> Option<JobId> {
    let Group::Schema(statement) = group else { return None };
    if !matches!(statement.class, Class::AsyncIndex | Class::Validate) {
        return None;
    }
    answers.into_iter().next()?.pop()?.pop()?.map(JobId)
}

/// `statement` is the place in the transaction of `count` statements, and the one after the last is
/// the commit.
fn failure_point(group: &Group<'_>, statement: usize, count: usize, error: &Error) -> FailurePoint {
    match group {
        _ if statement == count => FailurePoint::Commit,
        Group::Schema(_) | Group::DropIndex(_) => FailurePoint::Statement(0),
        // The fence comes first.
        Group::Rows { statements, .. } => match statement.checked_sub(1) {
            None if error.code() == Some(FENCE_ERROR) => FailurePoint::LeaseLost,
            Some(nth) if nth < statements.len() => FailurePoint::Statement(nth),
            None | Some(_) => FailurePoint::Ledger,
        },
    }
}

fn transaction(
    ledger: &LedgerSchema,
    set: &str,
    lease: &Lease,
    group: &Group<'_>,
) -> WireTransaction {
    let (statements, bare) = match group {
        Group::Rows { statements, writes } => {
            let fence = std::iter::once(lease.fence_sql(ledger, set));
            let statements = statements.iter().map(|statement| statement.text.clone());
            (fence.chain(statements).chain(writes_sql(ledger, set, writes)).collect(), false)
        }
        // `ANALYZE` is refused inside `BEGIN … COMMIT`.
        Group::Schema(statement) => (vec![statement.text.clone()], is_analyze(&statement.text)),
        Group::DropIndex(name) => (vec![format!("DROP INDEX IF EXISTS {name}")], false),
    };
    WireTransaction { statements, bare }
}

fn is_analyze(sql: &str) -> bool {
    sql.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("analyze"))
}
