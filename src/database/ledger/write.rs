//! The writes to the ledger, and the transactions that they share with statements.

use super::{LedgerSchema, StatementRecord, StatementState};
use crate::database::catalog::{Objects, schema_of, unquoted};
use crate::database::error::Error;
use crate::database::facts::facts_sql;
use crate::database::jobs::JobId;
use crate::database::lease::{FENCE_ERROR, Lease};
use crate::database::script::{Stopped, Transaction};
use crate::database::session::{Session, literal, literal_or_null};
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
        relation: String,
        /// Its objects.
        objects: Option<Objects>,
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
pub enum Place {
    /// The lease is another run's.
    LeaseLost,
    /// The run has shut its own string out, because its time is over: nothing is wrong.
    Halted,
    /// The statement with this place in the group, counted from 0.
    Statement(usize),
    /// The write with this place in the group, counted from 0.
    Write(usize),
    /// The commit.
    Commit,
}

/// Groups that did not come to their end.
#[derive(Debug)]
pub struct Interrupted {
    /// Of each committed group, the job that it started, if any.
    pub committed: Vec<Option<JobId>>,
    /// Where in the next group.
    pub place: Place,
    /// The error.
    pub error: Error,
}

impl Session {
    /// Runs groups in order, in as few waits as the server allows. The lease is renewed and
    /// checked in each group of rows. Nothing is repeated.
    ///
    /// # Errors
    /// The first error, with what was committed before it.
    pub async fn run_groups(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
        groups: &[Group<'_>],
    ) -> Result<Vec<Option<JobId>>, Interrupted> {
        let script: Vec<Transaction> =
            groups.iter().map(|group| transaction(ledger, set, lease, group)).collect();
        let jobs = |committed: Vec<Vec<super::Rows>>| {
            committed.into_iter().zip(groups).map(|(answers, group)| job(answers, group)).collect()
        };
        match self.run_script(&script).await {
            Ok(committed) => Ok(jobs(committed)),
            Err(Stopped { committed, statement, error }) => {
                let place = place(&groups[committed.len()], statement, &error);
                Err(Interrupted { committed: jobs(committed), place, error })
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

fn place(group: &Group<'_>, statement: usize, error: &Error) -> Place {
    match group {
        Group::Schema(_) | Group::DropIndex(_) if statement == 0 => Place::Statement(0),
        Group::Schema(_) | Group::DropIndex(_) => Place::Commit,
        Group::Rows { statements, writes } => {
            // The fence comes first.
            let Some(after_fence) = statement.checked_sub(1) else {
                return if error.code() == Some(FENCE_ERROR) {
                    Place::LeaseLost
                } else {
                    Place::Write(0)
                };
            };
            if after_fence < statements.len() {
                Place::Statement(after_fence)
            } else if after_fence < statements.len() + writes.len() {
                Place::Write(after_fence - statements.len())
            } else {
                Place::Commit
            }
        }
    }
}

fn transaction(ledger: &LedgerSchema, set: &str, lease: &Lease, group: &Group<'_>) -> Transaction {
    let (statements, bare) = match group {
        Group::Rows { statements, writes } => {
            let fence = std::iter::once(lease.fence_sql(ledger, set));
            let statements = statements.iter().map(|statement| statement.text.clone());
            let writes = writes.iter().map(|write| write_sql(ledger, set, write));
            (fence.chain(statements).chain(writes).collect(), false)
        }
        // `ANALYZE` is refused inside `BEGIN … COMMIT`.
        Group::Schema(statement) => (vec![statement.text.clone()], is_analyze(&statement.text)),
        Group::DropIndex(name) => (vec![format!("DROP INDEX IF EXISTS {name}")], false),
    };
    Transaction { statements, bare }
}

fn is_analyze(sql: &str) -> bool {
    sql.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("analyze"))
}

fn write_sql(ledger: &LedgerSchema, set: &str, write: &Write<'_>) -> String {
    let set = literal(set);
    match write {
        Write::Begin(migration) => begin_sql(ledger, &set, migration, "found.state <> 'applied'"),
        Write::BeginAgain { migration, after } => {
            begin_sql(ledger, &set, migration, &format!("found.run = {after}"))
        }
        Write::Forget { version } => format!(
            "DELETE FROM {ledger}.statement WHERE set_name = {set} AND version = {}",
            literal(&version.0),
        ),
        Write::End { version, failure } => format!(
            "UPDATE {ledger}.migration SET state = '{}', error = {}, finished_at = now(),
                duration_ms = (extract(epoch FROM now() - started_at) * 1000)::bigint
              WHERE set_name = {set} AND version = {}",
            if failure.is_some() { "failed" } else { "applied" },
            literal_or_null(failure.as_deref()),
            literal(&version.0),
        ),
        Write::Adopt { migrations, from } => adopt_sql(ledger, &set, migrations, from),
        Write::Intend { version, record, facts } => {
            insert_statement(ledger, &set, version, record, &facts_sql(facts))
        }
        Write::Record { version, record } => {
            insert_statement(ledger, &set, version, record, "NULL")
        }
        Write::Advance { version, number, state } => {
            let (word, job) = state.parts();
            format!(
                "UPDATE {ledger}.statement
                    SET state = '{word}', job_id = coalesce({}, job_id), changed_at = now()
                  WHERE set_name = {set} AND version = {} AND number = {number}
                    AND state <> 'done'",
                literal_or_null(job),
                literal(&version.0),
            )
        }
        Write::Withdraw { version, number } => format!(
            "DELETE FROM {ledger}.statement
              WHERE set_name = {set} AND version = {} AND number = {number} AND state <> 'done'",
            literal(&version.0),
        ),
        Write::Schema { relation, objects: Some(objects) } => format!(
            "INSERT INTO {ledger}.schema_object (relation, schema_name, objects, changed_at)
             VALUES ({}, {}, {}, now()) ON CONFLICT (relation) DO UPDATE
             SET objects = excluded.objects, changed_at = excluded.changed_at",
            literal(relation),
            literal(&unquoted(schema_of(relation))),
            literal(&serde_json::json!(objects).to_string()),
        ),
        Write::Schema { relation, objects: None } => {
            format!("DELETE FROM {ledger}.schema_object WHERE relation = {}", literal(relation))
        }
        // The owner stays, so that a repetition after a lost answer passes the fence.
        Write::Release { settled } => format!(
            "UPDATE {ledger}.lease SET expires_at = now(){} WHERE set_name = {set}",
            if *settled { ", drift = NULL" } else { "" },
        ),
    }
}

/// The division fails if the row is not as `expected`: another run was faster.
fn begin_sql(ledger: &LedgerSchema, set: &str, migration: &Migration, expected: &str) -> String {
    let values = migration.values.digest();
    format!(
        "INSERT INTO {ledger}.migration AS found
           (set_name, version, position, description, checksum, statement_count, state,
            started_at, applied_by, kind, run, values_digest)
         VALUES ({set}, {}, (SELECT 1 + coalesce(max(position), 0) FROM {ledger}.migration
                              WHERE set_name = {set}),
                 {}, {}, {}, 'running', now(), current_user, '{}', 1, {})
         ON CONFLICT (set_name, version) DO UPDATE SET
           description = excluded.description, checksum = excluded.checksum,
           statement_count = excluded.statement_count / CASE WHEN {expected} THEN 1 ELSE 0 END,
           state = 'running', error = NULL, kind = excluded.kind, run = found.run + 1,
           values_digest = excluded.values_digest,
           started_at = excluded.started_at, applied_by = excluded.applied_by",
        literal(&migration.version.0),
        literal(&migration.description),
        literal(&migration.checksum.0),
        migration.statements.len(),
        migration.kind.as_str(),
        literal_or_null(values.as_ref().map(|digest| digest.0.as_str())),
    )
}

/// `set` is a literal.
fn adopt_sql(ledger: &LedgerSchema, set: &str, migrations: &[&Migration], from: &str) -> String {
    let row = |(nth, migration): (usize, &&Migration)| {
        format!(
            "({}, {}, {}, {}, {}, '{}')",
            nth + 1,
            literal(&migration.version.0),
            literal(&migration.description),
            literal(&migration.checksum.0),
            migration.statements.len(),
            migration.kind.as_str()
        )
    };
    let rows: Vec<String> = migrations.iter().enumerate().map(row).collect();
    format!(
        "INSERT INTO {ledger}.migration AS found
           (set_name, version, position, description, checksum, statement_count, state,
            started_at, finished_at, applied_by, adopted_from, kind, run)
         SELECT {set}, new.version, last.position + new.nth, new.description, new.checksum,
                new.statement_count, 'applied', now(), now(), current_user, {}, new.kind, 0
           FROM (VALUES {}) AS new (nth, version, description, checksum, statement_count, kind),
                (SELECT coalesce(max(position), 0) AS position FROM {ledger}.migration
                  WHERE set_name = {set}) AS last
         ON CONFLICT (set_name, version) DO UPDATE SET
           description = excluded.description, checksum = excluded.checksum,
           statement_count = excluded.statement_count, state = 'applied', error = NULL,
           started_at = excluded.started_at, finished_at = excluded.finished_at,
           duration_ms = NULL, applied_by = excluded.applied_by,
           adopted_from = excluded.adopted_from
         WHERE found.state <> 'applied'",
        literal(from),
        rows.join(", "),
    )
}

fn insert_statement(
    ledger: &LedgerSchema,
    set: &str,
    version: &Version,
    record: &StatementRecord,
    before: &str,
) -> String {
    let (state, job) = record.state.parts();
    format!(
        "INSERT INTO {ledger}.statement
           (set_name, version, number, checksum, class, summary, state, job_id, catalog_before,
            changed_at)
         VALUES ({set}, {}, {}, {}, {}, {}, '{state}', {}, {before}, now())",
        literal(&version.0),
        record.number,
        literal(&record.checksum.0),
        literal(&record.class),
        literal(&record.summary),
        literal_or_null(job),
    )
}
