//! The ledger: what was applied, statement by statement, and the schema as it was left.
//!
//! Natural keys only, for DSQL's sequences are no counters, and every write names the row that it
//! expects. This file reads; `write.rs` writes.

mod batch;
mod tables;
mod write;

use std::collections::BTreeMap;

use super::catalog::{Objects, PLAIN_NAMES, Snapshot, Watched, describe_sql};
use super::error::{Error, Outcome};
use super::facts::parse_facts;
use super::jobs::JobId;
use super::lease::{self, Holder};
use super::message::MessageError;
use super::retry::{ATTEMPTS, pause_before};
use super::session::{Answers, Row, Rows, Session, literal};
use crate::migration::fact::Facts;
use crate::migration::{Checksum, MigrationKind, ValuesDigest, Version};

pub use batch::Batch;
pub use write::{FailurePoint, Group, TransactionError, Write};

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
    /// It runs in batches, and some of them are committed.
    Batching(Batches),
    /// Done, and verified where it was asynchronous.
    Done,
    /// Not sent: the catalog had its whole effect already. Only in repeatable migrations.
    Skipped,
}

/// How far a statement that runs in batches has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Batches {
    /// How many batches that changed rows are committed.
    pub count: u64,
    /// How many rows they have changed.
    pub rows: u64,
}

impl StatementState {
    fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Intended => ("intended", None),
            Self::Submitted(job) => ("submitted", Some(&job.0)),
            Self::Batching(_) => ("batching", None),
            Self::Done => ("done", None),
            Self::Skipped => ("skipped", None),
        }
    }
}

/// A migration as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationRecord {
    /// Name inside the set.
    pub version: Version,
    /// What it was when it was last begun.
    pub kind: MigrationKind,
    /// How often it was begun.
    pub run: u32,
    /// Of the values that its variables had.
    pub values: Option<ValuesDigest>,
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
    /// What says that it is applied, if no run of the provider has applied it: the ledger of
    /// another tool, or `baseline_version`.
    pub adopted_from: Option<String>,
    /// Its statements as far as they were begun, ordered by number.
    pub statements: Vec<StatementRecord>,
}

impl MigrationRecord {
    /// Whether it is still to be written: a migration that is to be taken over has no time yet.
    #[must_use]
    pub fn is_to_adopt(&self) -> bool {
        self.adopted_from.is_some() && self.finished_at.is_none()
    }

    /// Whether anything of it is in the database, as far as the ledger knows.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.state == MigrationState::Applied || !self.statements.is_empty()
    }
}

/// A statement as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRecord {
    /// FailurePoint in the migration, counted from 1.
    pub number: usize,
    /// Checksum of the statement's text.
    pub checksum: Checksum,
    /// The word of its class.
    pub class: String,
    /// One line of its text.
    pub summary: String,
    /// How far it has come.
    pub state: StatementState,
    /// What the catalog said before it was sent, as long as that can be needed.
    pub before: Option<Facts>,
}

impl StatementRecord {
    /// Whether what was done of the statement binds its text. A statement that runs in batches may
    /// be mended as long as it is not done: it goes on with the rows that are left.
    #[must_use]
    pub fn is_binding(&self) -> bool {
        !matches!(self.state, StatementState::Batching(_))
    }
}

/// What the database says about a set and about the watched schemas, seen in one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Whether the ledger tables exist.
    pub ledger_exists: bool,
    /// The set's migrations, in the order in which they were first begun. They may finish in
    /// another one: a later migration does not wait for an index that it does not need.
    pub migrations: Vec<MigrationRecord>,
    /// The schema as the last run left it, for the watched schemas.
    pub recorded: Snapshot,
    /// The schema as it is.
    pub live: Snapshot,
    /// Whether a run has ended without recording the schema that it left.
    pub unrecorded: bool,
    /// The run that works on the set now.
    pub holder: Option<Holder>,
    /// Tells one state of the set's rows from another.
    pub stamp: Stamp,
}

/// Equal as long as nobody has written to the rows of a set: cheaper than to read them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(pub String);

impl Default for Stamp {
    /// Of a set without rows, as in a ledger that was just created.
    fn default() -> Self {
        Self("0 0".to_owned())
    }
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
        // The schema first: where there is no ledger, it is known all the same.
        let (describe, ledger) = (describe_sql(watched, ledger), read_sql(ledger, set, watched));
        let sql = format!("{PLAIN_NAMES}; {describe}; {ledger}");
        let Answers { rows, error, .. } = self.read_so_far(&sql).await;
        let mut answers = rows.into_iter().skip(1);
        let mut next = || answers.next().ok_or_else(|| Error::Answer("a result is missing".into()));
        match error {
            None => {
                let live = Snapshot::from_rows(next()?)?;
                let (migrations, statements) = (next()?, next()?);
                let (unrecorded, holder) = lease::parse_found(&next()?)?;
                Ok(Observation {
                    ledger_exists: true,
                    migrations: parse_migrations(migrations, statements)?,
                    live,
                    unrecorded,
                    holder,
                    stamp: Stamp::from_rows(&next()?)?,
                    recorded: parse_recorded(next()?)?,
                })
            }
            // Undefined table or schema: no run has been here yet.
            Some(error) if matches!(error.code(), Some("42P01" | "3F000")) => {
                let live = Snapshot::from_rows(next()?)?;
                Ok(Observation { live, ..Observation::default() })
            }
            Some(error) => Err(error),
        }
    }

    /// Creates the ledger where it does not exist.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn create_ledger(&mut self, ledger: &LedgerSchema) -> Result<(), Error> {
        let script = tables::create_sql(ledger);
        let mut done = 0;
        let mut attempt = 1;
        // A role that may not create schemas works in one that `admin` has made for it; PostgreSQL
        // refuses it `IF NOT EXISTS` too.
        let mut no_schema = None;
        while done < script.len() {
            match self.send_transactions(&script[done..]).await {
                Ok(_) => return Ok(()),
                Err(MessageError { committed, error, .. })
                    if done + committed.len() == 0 && error.code() == Some("42501") =>
                {
                    no_schema = Some(error);
                    done = 1;
                }
                Err(MessageError { error, .. })
                    if attempt == ATTEMPTS
                        || (error.outcome() == Outcome::NotApplied
                            && !is_made_by_other(&error)) =>
                {
                    let is_missing = error.code() == Some("3F000");
                    return Err(no_schema.filter(|_| is_missing).unwrap_or(error));
                }
                // What exists already is left alone, so after any doubt it is simply sent again.
                Err(MessageError { committed, error, .. }) => {
                    tracing::debug!(attempt, %error, "the ledger's tables, again");
                    done += committed.len();
                    tokio::time::sleep(pause_before(attempt)).await;
                    attempt += 1;
                }
            }
        }
        Ok(())
    }
}

/// `IF NOT EXISTS` looks before it creates; two runs that both look first meet in a catalog's index.
fn is_made_by_other(error: &Error) -> bool {
    matches!(error.code(), Some("23505" | "42P06" | "42P07" | "42710"))
}

fn read_sql(ledger: &LedgerSchema, set: &str, watched: &Watched) -> String {
    let set = literal(set);
    let watched = watched.condition("schema_name", ledger);
    format!(
        "SELECT version, description, checksum, state,
                to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                applied_by, duration_ms, error, adopted_from, kind, run, values_digest
           FROM {ledger}.migration WHERE set_name = {set}
          ORDER BY position, version;
         SELECT version, number, checksum, class, summary, state, job_id,
                CASE WHEN state <> 'done' THEN catalog_before END, batches, changed_rows
           FROM {ledger}.statement WHERE set_name = {set} ORDER BY version, number;
         {};
         SELECT {};
         SELECT relation, objects FROM {ledger}.schema_object
          -- Every cluster has this schema: its row tells that the schema has been recorded at all.
          WHERE {watched} OR relation = 'public'",
        lease::read_sql(ledger, &set),
        stamp_sql(ledger, &set),
    )
}

/// An expression; `set` is a literal.
pub(super) fn stamp_sql(ledger: &LedgerSchema, set: &str) -> String {
    format!(
        "concat_ws(' ',
           (SELECT concat_ws(' ', count(*), sum(run), max(started_at), max(finished_at))
              FROM {ledger}.migration WHERE set_name = {set}),
           (SELECT concat_ws(' ', count(*), max(changed_at), max(state))
              FROM {ledger}.statement WHERE set_name = {set}))"
    )
}

impl Stamp {
    fn from_rows(rows: &Rows) -> Result<Self, Error> {
        match rows.first().map(Vec::as_slice) {
            Some([Some(stamp)]) => Ok(Self(stamp.clone())),
            _ => Err(Error::Answer("the ledger gave no stamp".into())),
        }
    }
}

fn parse_migrations(migrations: Rows, statements: Rows) -> Result<Vec<MigrationRecord>, Error> {
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

fn parse_migration(row: Row) -> Result<MigrationRecord, Error> {
    let Ok(
        [
            Some(version),
            Some(description),
            Some(checksum),
            Some(state),
            finished_at,
            Some(applied_by),
            duration_ms,
            error,
            adopted_from,
            Some(kind),
            Some(run),
            values,
        ],
    ) = <[_; 12]>::try_from(row)
    else {
        return Err(Error::Answer("the ledger's migration table has other columns".into()));
    };
    let kind = MigrationKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let (Some(kind), Ok(run)) = (kind, run.parse()) else {
        return Err(Error::Answer(format!("kind or run of migration {version} in the ledger")));
    };
    Ok(MigrationRecord {
        version: Version(version),
        kind,
        run,
        values: values.map(ValuesDigest),
        description,
        checksum: Checksum(checksum),
        state: MigrationState::parse(&state)?,
        finished_at,
        applied_by,
        duration_ms: duration_ms.and_then(|text| text.parse().ok()),
        error,
        adopted_from,
        statements: Vec::new(),
    })
}

fn parse_statement(row: Row) -> Result<(Version, StatementRecord), Error> {
    let Ok(
        [
            Some(version),
            Some(number),
            Some(checksum),
            Some(class),
            Some(summary),
            Some(state),
            job_id,
            before,
            batches,
            changed_rows,
        ],
    ) = <[_; 10]>::try_from(row)
    else {
        return Err(Error::Answer("the ledger's statement table has other columns".into()));
    };
    let count = |text: Option<String>| text?.parse().ok();
    let state = match (state.as_str(), job_id) {
        ("intended", _) => StatementState::Intended,
        ("submitted", Some(job)) => StatementState::Submitted(JobId(job)),
        ("batching", _) => StatementState::Batching(Batches {
            count: count(batches).unwrap_or_default(),
            rows: count(changed_rows).unwrap_or_default(),
        }),
        ("done", _) => StatementState::Done,
        ("skipped", _) => StatementState::Skipped,
        _ => {
            return Err(Error::Answer(format!("unknown statement state {state:?} in the ledger")));
        }
    };
    let number = number
        .parse()
        .map_err(|_| Error::Answer(format!("statement number {number:?} in the ledger")))?;
    let record = StatementRecord {
        number,
        checksum: Checksum(checksum),
        class,
        summary,
        state,
        before: before.as_deref().map(parse_facts).transpose()?,
    };
    Ok((Version(version), record))
}

fn parse_recorded(rows: Rows) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot::default();
    for row in rows {
        let Ok([Some(relation), Some(objects)]) = <[_; 2]>::try_from(row) else {
            return Err(Error::Answer("the ledger's schema table has other columns".into()));
        };
        let objects: Objects = serde_json::from_str(&objects).map_err(|error| {
            Error::Answer(format!("the recorded schema of {relation}: {error}"))
        })?;
        snapshot.relations.insert(relation, objects);
    }
    Ok(snapshot)
}
