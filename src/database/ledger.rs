//! The ledger: what was applied, statement by statement, and the schema as it was left.
//!
//! Natural keys only, for DSQL's sequences are no counters, and every write names the row that it
//! expects. DSQL has no advisory locks: the primary keys keep two runs apart.

use std::collections::BTreeMap;

use super::catalog::{Objects, PLAIN_NAMES, Snapshot, Watched, describe_sql, schema_of, unquoted};
use super::error::Error;
use super::jobs::JobId;
use super::session::{Rows, Session, literal, literal_or_null};
use crate::migration::{Checksum, Class, Statement, Version};

/// The name of the schema that holds the ledger, quoted for SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LedgerSchema {
    name: String,
    quoted: String,
}

impl LedgerSchema {
    /// Quotes a schema name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let quoted = postgres_protocol::escape::escape_identifier(name);
        Self { name: name.to_owned(), quoted }
    }

    /// The name as it is in the catalog.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for LedgerSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.quoted)
    }
}

/// How far a migration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    /// Begun, and neither finished nor failed: a run works on it, or was cut off.
    Running,
    /// All statements are done.
    Applied,
    /// A statement failed; those before it are done.
    Failed,
}

impl MigrationState {
    /// The word in the ledger and in the state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Applied => "applied",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        [Self::Running, Self::Applied, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::Answer(format!("unknown migration state {text:?} in the ledger")))
    }
}

/// How far a statement has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementState {
    /// Written before the statement was sent. Found later, it means that nobody knows.
    Intended,
    /// The statement was answered, and its job is not known to have ended.
    Submitted(JobId),
    /// Done, and verified where it was asynchronous.
    Done,
}

impl StatementState {
    fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Intended => ("intended", None),
            Self::Submitted(job) => ("submitted", Some(&job.0)),
            Self::Done => ("done", None),
        }
    }
}

/// A migration as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationRecord {
    /// Name inside the set.
    pub version: Version,
    /// Words from the file name.
    pub description: String,
    /// Checksum of the text as it was applied.
    pub checksum: Checksum,
    /// How far it has come.
    pub state: MigrationState,
    /// When it was finished, RFC 3339 in UTC, by the server's clock.
    pub finished_at: Option<String>,
    /// The database role that applied it.
    pub applied_by: String,
    /// From start to end, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Why the last run failed.
    pub error: Option<String>,
    /// Its statements as far as they were begun, ordered by number.
    pub statements: Vec<StatementRecord>,
}

/// A statement as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRecord {
    /// Place in the migration, counted from 1.
    pub number: usize,
    /// Checksum of the statement's text.
    pub checksum: Checksum,
    /// The word of its class.
    pub class: String,
    /// One line of its text.
    pub summary: String,
    /// How far it has come.
    pub state: StatementState,
}

/// What a migration's row says when it is begun.
#[derive(Debug, Clone, Copy)]
pub struct NewMigration<'a> {
    /// The set it belongs to.
    pub set: &'a str,
    /// Name inside the set.
    pub version: &'a Version,
    /// Words from the file name.
    pub description: &'a str,
    /// Checksum of the text.
    pub checksum: &'a Checksum,
    /// How many statements it has.
    pub statement_count: usize,
}

/// What the database says about a set and about the watched schemas, seen in one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Whether the ledger tables exist.
    pub ledger_exists: bool,
    /// The set's migrations, in the order in which they were finished.
    pub migrations: Vec<MigrationRecord>,
    /// The schema as the last run left it, for the watched schemas.
    pub recorded: Snapshot,
    /// The schema as it is.
    pub live: Snapshot,
}

impl Session {
    /// Reads a set's ledger, the recorded schema and the live schema: one wait, no write.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn observe(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        watched: &Watched,
    ) -> Result<Observation, Error> {
        let describe = describe_sql(watched, ledger);
        let sql = format!("{PLAIN_NAMES}; {}; {describe}", read_sql(ledger, set, watched));
        match self.transact(&sql).await {
            Ok(results) => {
                let [_, migrations, statements, recorded, live] = &results[..] else {
                    return Err(Error::Answer("the ledger query has other results".into()));
                };
                Ok(Observation {
                    ledger_exists: true,
                    migrations: parse_migrations(migrations, statements)?,
                    recorded: parse_recorded(recorded)?,
                    live: Snapshot::from_rows(live)?,
                })
            }
            // Undefined table or schema: no run has been here yet.
            Err(error) if matches!(error.code(), Some("42P01" | "3F000")) => {
                let results = self.transact(&format!("{PLAIN_NAMES}; {describe}")).await?;
                let live = results.last().map(Snapshot::from_rows).transpose()?;
                Ok(Observation { live: live.unwrap_or_default(), ..Observation::default() })
            }
            Err(error) => Err(error),
        }
    }

    /// Creates the ledger. Each table is a transaction of its own, and each may exist already.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn create_ledger(&mut self, ledger: &LedgerSchema) -> Result<(), Error> {
        for sql in [
            format!("CREATE SCHEMA IF NOT EXISTS {ledger}"),
            format!(
                "CREATE TABLE IF NOT EXISTS {ledger}.migration (
                   set_name text NOT NULL, version text NOT NULL, description text NOT NULL,
                   checksum text NOT NULL, statement_count integer NOT NULL, state text NOT NULL,
                   started_at timestamptz NOT NULL, finished_at timestamptz,
                   applied_by text NOT NULL, duration_ms bigint, error text,
                   PRIMARY KEY (set_name, version))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {ledger}.statement (
                   set_name text NOT NULL, version text NOT NULL, number integer NOT NULL,
                   checksum text NOT NULL, class text NOT NULL, summary text NOT NULL,
                   state text NOT NULL, job_id text, changed_at timestamptz NOT NULL,
                   PRIMARY KEY (set_name, version, number))"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {ledger}.schema_object (
                   relation text NOT NULL PRIMARY KEY, schema_name text NOT NULL,
                   objects text NOT NULL,
                   changed_at timestamptz NOT NULL)"
            ),
        ] {
            self.transact(&sql).await?;
        }
        Ok(())
    }

    /// Writes that a migration has begun, or has begun again after a failure. Returns false if
    /// another run has applied it meanwhile.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn begin_migration(
        &mut self,
        ledger: &LedgerSchema,
        new: NewMigration<'_>,
    ) -> Result<bool, Error> {
        let sql = format!(
            "INSERT INTO {ledger}.migration
               (set_name, version, description, checksum, statement_count, state, started_at,
                applied_by)
             VALUES ({}, {}, {}, {}, {}, 'running', now(), current_user)
             ON CONFLICT (set_name, version) DO UPDATE SET
               description = excluded.description, checksum = excluded.checksum,
               statement_count = excluded.statement_count, state = 'running', error = NULL,
               started_at = excluded.started_at, applied_by = excluded.applied_by
             WHERE migration.state <> 'applied' RETURNING version",
            literal(new.set),
            literal(&new.version.0),
            literal(new.description),
            literal(&new.checksum.0),
            new.statement_count,
        );
        let results = self.transact(&sql).await?;
        Ok(one_row(&results))
    }

    /// Writes how a begun migration ended: applied, or failed with an error in words.
    ///
    /// # Errors
    /// As [`Session::transact`]; [`Error::Answer`] if the row is not there.
    pub async fn end_migration(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        version: &Version,
        failure: Option<&str>,
    ) -> Result<(), Error> {
        let state =
            if failure.is_some() { MigrationState::Failed } else { MigrationState::Applied };
        let sql = format!(
            "UPDATE {ledger}.migration SET state = '{}', error = {}, finished_at = now(),
                duration_ms = (extract(epoch FROM now() - started_at) * 1000)::bigint
              WHERE set_name = {} AND version = {} RETURNING version",
            state.as_str(),
            literal_or_null(failure),
            literal(set),
            literal(&version.0),
        );
        let results = self.transact(&sql).await?;
        if one_row(&results) {
            Ok(())
        } else {
            Err(Error::Answer(format!("the ledger row of migration {version} is gone")))
        }
    }

    /// Writes that a statement is about to be sent. The primary key makes this fail if another
    /// run has written the same row: then that run owns the statement.
    ///
    /// # Errors
    /// As [`Session::transact`]; SQLSTATE `23505` means another run.
    pub async fn intend(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        version: &Version,
        record: &StatementRecord,
    ) -> Result<(), Error> {
        self.transact(&insert_statement(ledger, set, version, record)).await.map(drop)
    }

    /// Moves a statement's row from `intended` or `submitted` to its next state.
    ///
    /// # Errors
    /// As [`Session::transact`]; [`Error::Answer`] if the row is not there.
    pub async fn advance(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        version: &Version,
        number: usize,
        state: &StatementState,
    ) -> Result<(), Error> {
        let (word, job) = state.parts();
        let sql = format!(
            "UPDATE {ledger}.statement
                SET state = '{word}', job_id = coalesce({}, job_id), changed_at = now()
              WHERE set_name = {} AND version = {} AND number = {number} AND state <> 'done'
              RETURNING number",
            literal_or_null(job),
            literal(set),
            literal(&version.0),
        );
        let results = self.transact(&sql).await?;
        if one_row(&results) {
            Ok(())
        } else {
            Err(Error::Answer(format!(
                "the ledger row of statement {number} of migration {version} is gone or done"
            )))
        }
    }

    /// Takes the row of a statement back that certainly was not applied.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn withdraw(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        version: &Version,
        number: usize,
    ) -> Result<(), Error> {
        let sql = format!(
            "DELETE FROM {ledger}.statement
              WHERE set_name = {} AND version = {} AND number = {number} AND state <> 'done'",
            literal(set),
            literal(&version.0),
        );
        self.transact(&sql).await.map(drop)
    }

    /// Runs neighbouring DML statements and writes their rows in the same transaction: either all
    /// of it is in the database or nothing.
    ///
    /// # Errors
    /// As [`Session::transact`]; [`super::ServerError::after`] tells which statement failed.
    pub async fn run_dml(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        version: &Version,
        steps: &[(&Statement, StatementRecord)],
    ) -> Result<(), Error> {
        // The new line ends a comment that a statement may end with.
        let mut sql: String =
            steps.iter().map(|(statement, _)| format!("{}\n;\n", statement.text)).collect();
        for (_, record) in steps {
            sql.push_str(&insert_statement(ledger, set, version, record));
            sql.push_str(";\n");
        }
        self.transact(&sql).await.map(drop)
    }

    /// Runs a schema change in a transaction of its own. Returns the job that it started, if any.
    ///
    /// # Errors
    /// As [`Session::send`]: nothing is repeated here.
    pub async fn run_ddl(&mut self, statement: &Statement) -> Result<Option<JobId>, Error> {
        let mut results = self.send(&statement.text).await?;
        let job = results.pop().and_then(|mut rows| rows.pop()).and_then(|mut row| row.pop());
        let returns_job = matches!(statement.class, Class::AsyncIndex | Class::Validate);
        Ok(job.flatten().filter(|_| returns_job).map(JobId))
    }

    /// Records the schema of the given relations; `None` forgets a relation that is gone.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn record_schema(
        &mut self,
        ledger: &LedgerSchema,
        changes: &[(&str, Option<&Objects>)],
    ) -> Result<(), Error> {
        // 3,000 rows and 10 MiB are DSQL's limits for one transaction.
        for chunk in changes.chunks(500) {
            let sql: String = chunk
                .iter()
                .map(|(relation, objects)| match objects {
                    Some(objects) => format!(
                        "INSERT INTO {ledger}.schema_object (relation, schema_name, objects, changed_at)
                         VALUES ({}, {}, {}, now()) ON CONFLICT (relation) DO UPDATE
                         SET objects = excluded.objects, changed_at = excluded.changed_at;\n",
                        literal(relation),
                        literal(&unquoted(schema_of(relation))),
                        literal(&serde_json::json!(objects).to_string()),
                    ),
                    None => format!(
                        "DELETE FROM {ledger}.schema_object WHERE relation = {};\n",
                        literal(relation)
                    ),
                })
                .collect();
            self.transact(&sql).await?;
        }
        Ok(())
    }
}

fn read_sql(ledger: &LedgerSchema, set: &str, watched: &Watched) -> String {
    let set = literal(set);
    let watched = watched.condition("schema_name", ledger);
    format!(
        "SELECT version, description, checksum, state,
                to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                applied_by, duration_ms, error
           FROM {ledger}.migration WHERE set_name = {set}
          ORDER BY migration.finished_at NULLS LAST, version;
         SELECT version, number, checksum, class, summary, state, job_id
           FROM {ledger}.statement WHERE set_name = {set} ORDER BY version, number;
         SELECT relation, objects FROM {ledger}.schema_object
          -- Every cluster has this schema: its row tells that the schema has been recorded at all.
          WHERE {watched} OR relation = 'public'"
    )
}

/// Whether a write with `RETURNING` found the one row that it names.
fn one_row(results: &[Rows]) -> bool {
    results.iter().any(|rows| rows.len() == 1)
}

fn insert_statement(
    ledger: &LedgerSchema,
    set: &str,
    version: &Version,
    record: &StatementRecord,
) -> String {
    let (state, job) = record.state.parts();
    format!(
        "INSERT INTO {ledger}.statement
           (set_name, version, number, checksum, class, summary, state, job_id, changed_at)
         VALUES ({}, {}, {}, {}, {}, {}, '{state}', {}, now())",
        literal(set),
        literal(&version.0),
        record.number,
        literal(&record.checksum.0),
        literal(&record.class),
        literal(&record.summary),
        literal_or_null(job),
    )
}

fn parse_migrations(migrations: &Rows, statements: &Rows) -> Result<Vec<MigrationRecord>, Error> {
    let mut statements_of = BTreeMap::<Version, Vec<StatementRecord>>::new();
    for row in statements {
        let (version, statement) = parse_statement(row)?;
        statements_of.entry(version).or_default().push(statement);
    }
    let mut records = Vec::with_capacity(migrations.len());
    for row in migrations {
        let mut record = parse_migration(row)?;
        record.statements = statements_of.remove(&record.version).unwrap_or_default();
        records.push(record);
    }
    Ok(records)
}

fn parse_migration(row: &[Option<String>]) -> Result<MigrationRecord, Error> {
    let [
        Some(version),
        Some(description),
        Some(checksum),
        Some(state),
        finished_at,
        Some(applied_by),
        duration_ms,
        error,
    ] = row
    else {
        return Err(Error::Answer("the ledger's migration table has other columns".into()));
    };
    Ok(MigrationRecord {
        version: Version(version.clone()),
        description: description.clone(),
        checksum: Checksum(checksum.clone()),
        state: MigrationState::parse(state)?,
        finished_at: finished_at.clone(),
        applied_by: applied_by.clone(),
        duration_ms: duration_ms.as_ref().and_then(|text| text.parse().ok()),
        error: error.clone(),
        statements: Vec::new(),
    })
}

fn parse_statement(row: &[Option<String>]) -> Result<(Version, StatementRecord), Error> {
    let [
        Some(version),
        Some(number),
        Some(checksum),
        Some(class),
        Some(summary),
        Some(state),
        job_id,
    ] = row
    else {
        return Err(Error::Answer("the ledger's statement table has other columns".into()));
    };
    let state = match (state.as_str(), job_id) {
        ("intended", _) => StatementState::Intended,
        ("submitted", Some(job)) => StatementState::Submitted(JobId(job.clone())),
        ("done", _) => StatementState::Done,
        _ => {
            return Err(Error::Answer(format!("unknown statement state {state:?} in the ledger")));
        }
    };
    let number = number
        .parse()
        .map_err(|_| Error::Answer(format!("statement number {number:?} in the ledger")))?;
    let record = StatementRecord {
        number,
        checksum: Checksum(checksum.clone()),
        class: class.clone(),
        summary: summary.clone(),
        state,
    };
    Ok((Version(version.clone()), record))
}

fn parse_recorded(rows: &Rows) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot::default();
    for row in rows {
        let [Some(relation), Some(objects)] = &row[..] else {
            return Err(Error::Answer("the ledger's schema table has other columns".into()));
        };
        let objects: Objects = serde_json::from_str(objects).map_err(|error| {
            Error::Answer(format!("the recorded schema of {relation}: {error}"))
        })?;
        snapshot.relations.insert(relation.clone(), objects);
    }
    Ok(snapshot)
}
