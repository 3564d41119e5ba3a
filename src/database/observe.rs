//! Reads the ledger of a migration set and the live schema in one round trip.

use tokio_postgres::error::SqlState;

use super::catalog::{PLAIN_NAMES, Snapshot, Watched, describe_sql};
use super::error::Error;
use super::ledger::{Holder, MigrationRecord, Stamp, parse_lease, read};
use super::ledger_schema::LedgerSchema;
use super::session::{Answers, Session};

/// The ledger of a set and the watched schemas, read in one snapshot of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Whether the ledger tables exist.
    pub ledger_exists: bool,
    /// The set's migrations, in the order in which they were first begun. They may finish in
    /// another order, because a later migration does not wait for an index that it does not need.
    pub migrations: Vec<MigrationRecord>,
    /// The schema as the last run left it, for the watched schemas.
    pub recorded: Snapshot,
    /// The schema now.
    pub live: Snapshot,
    /// Whether a run has ended without recording the schema that it left.
    pub unrecorded: bool,
    /// The run that holds the lease of the set.
    pub holder: Option<Holder>,
    /// Identifies the state of the set's rows.
    pub stamp: Stamp,
}

impl Session {
    /// Reads the ledger of a set, the recorded schema and the live schema; read-only, one round
    /// trip.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn observe(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        watched: &Watched,
    ) -> Result<Observation, Error> {
        // The live schema comes first, so that it is read even if the ledger does not exist.
        let (describe, ledger) =
            (describe_sql(watched, ledger), read::read_sql(ledger, set, watched));
        let sql = format!("{PLAIN_NAMES}; {describe}; {ledger}");
        let Answers { rows, error, .. } = self.read_so_far(&sql).await;
        let mut answers = rows.into_iter().skip(1);
        let mut next = || answers.next().ok_or_else(|| Error::Answer("a result is missing".into()));
        match error {
            None => {
                let live = Snapshot::from_rows(next()?)?;
                let (migrations, statements) = (next()?, next()?);
                let (unrecorded, holder) = parse_lease(&next()?)?;
                Ok(Observation {
                    ledger_exists: true,
                    migrations: read::parse_migrations(migrations, statements)?,
                    live,
                    unrecorded,
                    holder,
                    stamp: Stamp::from_rows(&next()?)?,
                    recorded: read::parse_recorded(next()?)?,
                })
            }
            // No run has created the ledger yet.
            Some(error)
                if error.is(&SqlState::UNDEFINED_TABLE)
                    || error.is(&SqlState::INVALID_SCHEMA_NAME) =>
            {
                let live = Snapshot::from_rows(next()?)?;
                Ok(Observation { live, ..Observation::default() })
            }
            Some(error) => Err(error),
        }
    }
}
