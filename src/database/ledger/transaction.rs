//! The transactions of a run: statements of the author together with the writes that record them.

use tokio_postgres::error::SqlState;

use super::lease::{FENCE_ERROR, Lease};
use super::settings::check_sql;
use super::write::Write;
use super::write_sql::writes_sql;
use crate::database::error::Error;
use crate::database::jobs::JobId;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::message::{MessageError, WireTransaction};
use crate::database::session::{Rows, Session};
use crate::migration::{Class, Statement};

/// One transaction of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction<'a> {
    /// Writes to the ledger only. Like every transaction that writes to the ledger, it first checks
    /// and renews the lease.
    Ledger(Vec<Write<'a>>),
    /// Row changes, followed by the writes that record them.
    Dml {
        /// The row changes.
        statements: Vec<&'a Statement>,
        /// The writes.
        writes: Vec<Write<'a>>,
    },
    /// A schema change, which DSQL commits alone.
    Ddl(&'a Statement),
    /// Drops an index; the name is quoted for SQL.
    DropIndex(String),
}

impl<'a> Transaction<'a> {
    /// Only checks and renews the lease.
    #[must_use]
    pub fn renew_lease() -> Self {
        Self::Ledger(Vec::new())
    }

    /// Whether it changes anything besides the ledger.
    #[must_use]
    pub fn is_work(&self) -> bool {
        match self {
            Self::Ledger(_) => false,
            Self::Dml { .. } | Self::Ddl(_) | Self::DropIndex(_) => true,
        }
    }

    /// Its writes to the ledger.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write<'a>> {
        match self {
            Self::Ledger(writes) | Self::Dml { writes, .. } => writes,
            Self::Ddl(_) | Self::DropIndex(_) => Vec::new(),
        }
    }
}

/// Where in a [`Transaction`] an error occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePoint {
    /// The fence failed: another run holds the lease.
    LeaseLost,
    /// The run fenced off its own connection because its budget ended; set by the engine.
    BudgetEnded,
    /// A ledger row to insert exists already.
    RowExists,
    /// A ledger row is not in the expected state.
    RowChanged,
    /// The statement with this index in the transaction, from 0.
    Statement(usize),
    /// Any other write to the ledger.
    Ledger,
    /// The commit.
    Commit,
}

impl FailurePoint {
    /// The point of a failed write to the ledger. A statement of the author may fail with the same
    /// codes, and is never read this way.
    pub(super) fn of_write(error: &Error) -> Self {
        if error.is(&SqlState::UNIQUE_VIOLATION) {
            Self::RowExists
        } else if error.is(&FENCE_ERROR) {
            Self::RowChanged
        } else {
            Self::Ledger
        }
    }
}

/// Transactions that did not all commit.
#[derive(Debug)]
pub struct TransactionError {
    /// For each committed transaction, the job that it started, if any.
    pub committed: Vec<Option<JobId>>,
    /// Where the next transaction failed.
    pub at: FailurePoint,
    /// The error.
    pub source: Error,
}

impl Session {
    /// Runs transactions in order, in as few round trips as the server allows. Each one that writes
    /// to the ledger checks and renews the lease first. Nothing is repeated.
    ///
    /// # Errors
    /// The first error, with the jobs of the transactions that were committed before it.
    pub async fn run_transactions(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
        transactions: &[Transaction<'_>],
    ) -> Result<Vec<Option<JobId>>, TransactionError> {
        let check = self.settings.as_deref().map(check_sql);
        let on_wire: Vec<WireTransaction> = transactions
            .iter()
            .map(|transaction| wire_transaction(ledger, set, lease, transaction, check.as_ref()))
            .collect();
        let jobs = |committed: Vec<Vec<Rows>>| {
            let results = committed.into_iter().zip(transactions);
            results.map(|(results, transaction)| job(results, transaction)).collect()
        };
        match self.send_transactions(&on_wire).await {
            Ok(committed) => Ok(jobs(committed)),
            Err(MessageError { committed, statement, source }) => {
                let next = committed.len();
                let count = on_wire[next].statements.len();
                let on_check = match &transactions[next] {
                    Transaction::Dml { statements, .. } if check.is_some() => {
                        Some(statements.len() + 1)
                    }
                    _ => None,
                };
                let (at, source) = match on_check {
                    Some(on_check) if statement == on_check && source.is(&FENCE_ERROR) => {
                        (FailurePoint::Statement(on_check - 2), Error::SettingsChanged)
                    }
                    _ => (failure_point(&transactions[next], statement, count, &source), source),
                };
                Err(TransactionError { committed: jobs(committed), at, source })
            }
        }
    }
}

/// The job that a schema change returned.
fn job(results: Vec<Rows>, transaction: &Transaction<'_>) -> Option<JobId> {
    let Transaction::Ddl(statement) = transaction else { return None };
    if !matches!(statement.class, Class::AsyncIndex | Class::Validate) {
        return None;
    }
    results.into_iter().next()?.pop()?.pop()?.map(JobId)
}

/// Maps an index into the `count` statements that were sent to the transaction. The index `count`
/// means the commit.
fn failure_point(
    transaction: &Transaction<'_>,
    statement: usize,
    count: usize,
    error: &Error,
) -> FailurePoint {
    let row_changes = match transaction {
        Transaction::Ddl(_) | Transaction::DropIndex(_) if statement == count => {
            return FailurePoint::Commit;
        }
        Transaction::Ddl(_) | Transaction::DropIndex(_) => return FailurePoint::Statement(0),
        Transaction::Ledger(_) => 0,
        Transaction::Dml { statements, .. } => statements.len(),
    };
    // The fence comes first.
    match statement.checked_sub(1) {
        None if error.is(&FENCE_ERROR) => FailurePoint::LeaseLost,

        Some(index) if index < row_changes => FailurePoint::Statement(index),
        // A rejected commit of writes alone is a rejected write.
        Some(_) if statement == count => match FailurePoint::of_write(error) {
            at @ (FailurePoint::RowExists | FailurePoint::RowChanged) if row_changes == 0 => at,
            _ => FailurePoint::Commit,
        },
        None | Some(_) => FailurePoint::of_write(error),
    }
}

fn wire_transaction(
    ledger: &LedgerSchema,
    set: &str,
    lease: &Lease,
    transaction: &Transaction<'_>,
    check: Option<&String>,
) -> WireTransaction {
    let fenced = |statements: &[&Statement], writes: &[Write<'_>]| {
        let mut all = vec![lease.fence_sql(ledger, set)];
        all.extend(statements.iter().map(|statement| statement.text.clone()));
        all.extend(check.filter(|_| !statements.is_empty()).cloned());
        all.extend(writes_sql(ledger, set, writes));
        all
    };
    let (statements, bare) = match transaction {
        Transaction::Ledger(writes) => (fenced(&[], writes), false),
        Transaction::Dml { statements, writes } => (fenced(statements, writes), false),
        // DSQL rejects `ANALYZE` inside `BEGIN … COMMIT`.
        Transaction::Ddl(statement) => (vec![statement.text.clone()], is_analyze(&statement.text)),
        Transaction::DropIndex(name) => (vec![format!("DROP INDEX IF EXISTS {name}")], false),
    };
    WireTransaction { statements, bare }
}

fn is_analyze(sql: &str) -> bool {
    sql.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("analyze"))
}
