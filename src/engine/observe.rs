//! Reads a set from its cluster, and finds what runs that have ended have made, and which history
//! tables are gone.

use super::drift;
use crate::database::{Error, Observation, ObserveQuery, Session};

/// Reads the ledger of a set, the recorded schema and the live schema; read-only, one round trip.
/// Another one follows only if a run has ended without recording the schema, and the server has to
/// print expressions of its statements, and one if a recorded table is gone.
///
/// # Errors
/// The cluster could not be read.
pub async fn observe(session: &mut Session, query: ObserveQuery<'_>) -> Result<Observation, Error> {
    let mut observation = session.observe(query).await?;
    drift::find_made(session, &mut observation).await?;
    drift::find_dropped_history(session, query.ledger, &mut observation).await?;
    Ok(observation)
}
