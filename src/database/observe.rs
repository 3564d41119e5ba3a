//! Reads the ledger of a migration set and the live schema in one round trip.

use tokio_postgres::error::SqlState;

use super::catalog::{PLAIN_NAMES, Snapshot, Watched, describe_sql, existing_sql, parse_existing};
use super::error::Error;
use super::ledger::{
    Holder, LedgerState, MigrationRecord, Stamp, header_sql, parse_header, parse_lease, read,
};
use super::ledger_schema::LedgerSchema;
use super::session::{Answers, Rows, Session};
use crate::migration::Version;
use crate::migration::fact::{FactSubject, Facts};

/// What an observation reads.
#[derive(Debug, Clone, Copy)]
pub struct ObserveQuery<'a> {
    /// The schema that holds the ledger.
    pub ledger: &'a LedgerSchema,
    /// Name of the migration set.
    pub set: &'a str,
    /// The schemas whose objects are described.
    pub watched: &'a Watched,
    /// The objects to look up by name.
    pub objects: &'a [FactSubject],
    /// The migrations whose finished statements keep the facts of the catalog from before they were
    /// sent.
    pub with_facts: &'a [Version],
}

impl<'a> ObserveQuery<'a> {
    /// Returns a query that looks up no objects and reads no former facts.
    #[must_use]
    pub fn new(ledger: &'a LedgerSchema, set: &'a str, watched: &'a Watched) -> Self {
        Self { ledger, set, watched, objects: &[], with_facts: &[] }
    }
}

/// The ledger of a set and the watched schemas, read in one snapshot of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Whether there is a ledger, and whether this provider may write to it.
    pub ledger: LedgerState,
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
    /// The identities of those of the looked-up objects that exist.
    pub existing: Facts,
}

impl Session {
    /// Reads the ledger of a set, the recorded schema and the live schema; read-only, one round
    /// trip.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn observe(&mut self, query: ObserveQuery<'_>) -> Result<Observation, Error> {
        let ObserveQuery { ledger, set, watched, objects, with_facts } = query;
        // The header and the live schema come first, so that they are read even if the ledger does
        // not exist.
        let (header, describe) = (header_sql(ledger), describe_sql(watched, ledger));
        let rows = read::read_sql(ledger, set, watched, with_facts);
        // Names without a schema mean those of the search path, so they come before it changes.
        let existing = existing_sql(objects).map(|sql| format!("{sql}; ")).unwrap_or_default();
        let sql = format!("{existing}{PLAIN_NAMES}; {header}; {describe}; {rows}");
        let Answers { rows, error, .. } = self.read_so_far(&sql).await;
        let mut answers = rows.into_iter();
        let mut next = || answers.next().ok_or_else(|| Error::Answer("a result is missing".into()));
        match error {
            None => {
                let existing = existing_of(objects, &mut next)?;
                let header = parse_header(&next()?).unwrap_or_default();
                let live = Snapshot::from_rows(next()?)?;
                let (migrations, statements) = (next()?, next()?);
                let (unrecorded, holder) = parse_lease(&next()?)?;
                Ok(Observation {
                    ledger: LedgerState::of(header, ledger.layout()),
                    migrations: read::parse_migrations(migrations, statements)?,
                    live,
                    existing,
                    unrecorded,
                    holder,
                    stamp: Stamp::from_rows(&next()?)?,
                    recorded: read::parse_recorded(next()?)?,
                })
            }
            Some(error)
                if error.is(&SqlState::UNDEFINED_TABLE)
                    || error.is(&SqlState::INVALID_SCHEMA_NAME) =>
            {
                let existing = existing_of(objects, &mut next)?;
                let header = parse_header(&next()?);
                let live = Snapshot::from_rows(next()?)?;
                // The header is written last, so a ledger with one has had all tables.
                let was_complete = header.is_some_and(|header| header.id.is_some())
                    || next().is_ok_and(|migrations| !migrations.is_empty());
                if was_complete {
                    return Err(Error::Answer(format!(
                        "a table of the ledger is missing: {error}"
                    )));
                }
                // No run has created the ledger yet.
                Ok(Observation { live, existing, ..Observation::default() })
            }
            Some(error) => Err(error),
        }
    }
}

/// Takes the results that come before the header.
fn existing_of(
    objects: &[FactSubject],
    next: &mut impl FnMut() -> Result<Rows, Error>,
) -> Result<Facts, Error> {
    let existing =
        if objects.is_empty() { Facts::default() } else { parse_existing(objects, next()?)? };
    // The result of `SET LOCAL`.
    next().map(|_| existing)
}
