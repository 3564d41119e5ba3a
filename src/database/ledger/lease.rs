//! Who works on a set: one row, held for a while, renewed with every write.
//!
//! DSQL has no advisory locks. The row holds a random owner and a time by the server's clock. Every
//! write to the ledger renews the row in its own transaction and fails if the owner is another one:
//! two runs write the same row, so of two that would both go on, one loses at its commit. A lease
//! keeps runs from disturbing each other; that nothing is applied twice does not depend on it, but
//! on the statements' rows and on the catalog.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::stamp::{Stamp, stamp_sql};
use crate::database::error::Error;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Rows, Session, literal};

/// How long a lease lives without a sign of its holder. A holder writes before and after each
/// statement; while one takes long, a second connection gives signs of life ([`Session::write_heartbeat`]).
pub const LEASE_LENGTH: Duration = Duration::from_secs(30);

/// A run's claim to a set.
#[derive(Debug, Clone)]
pub struct Lease {
    /// All names of this run; the last counts. A run that has lost an answer takes a new name, so
    /// that what is left of its old connection can write nothing any more.
    owners: Vec<String>,
    holder: String,
    length: Duration,
}

/// Another run that holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its role and process, in words.
    pub who: String,
    /// When its lease ends unless it is renewed, RFC 3339 in UTC, by the server's clock.
    pub until: String,
    /// The same as time from now.
    pub remaining: Duration,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The set is this run's. What differed from the recorded schema when a run that did not come
    /// to its recording began, or else when this one did.
    Granted {
        /// As it was given, JSON.
        drift: String,
        /// The set's rows as this run has found them.
        stamp: Stamp,
    },
    /// Another run works on it.
    Held(Holder),
}

impl Lease {
    /// A claim with a random owner. `process` tells people who it is.
    #[must_use]
    pub fn new(process: &str, length: Duration) -> Self {
        Self { owners: vec![random_owner()], holder: process.to_owned(), length }
    }

    /// How long it lives without a sign of its holder.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }

    fn owner(&self) -> &str {
        self.owners.last().map_or("", String::as_str)
    }

    /// A statement that renews the lease, and that fails with [`FENCE_ERROR`] if it is another
    /// run's.
    pub(super) fn fence_sql(&self, ledger: &LedgerSchema, set: &str) -> String {
        format!(
            "UPDATE {ledger}.lease SET expires_at = now()
                    + {} / CASE WHEN owner = {} THEN 1 ELSE 0 END
              WHERE set_name = {}",
            interval(self.length),
            literal(self.owner()),
            literal(set),
        )
    }
}

/// The SQLSTATE of a guard that fails: division by zero, the only way to raise an error in plain
/// SQL. It means a guard only where a guard stands.
pub(super) const FENCE_ERROR: SqlState = SqlState::DIVISION_BY_ZERO;

/// An expression: when the lease in the row `held` ends, by itself or by its owner's heartbeat.
fn end_sql(ledger: &LedgerSchema) -> String {
    format!(
        "greatest(held.expires_at, (SELECT beat.expires_at FROM {ledger}.heartbeat AS beat
                    WHERE beat.set_name = held.set_name AND beat.owner = held.owner))"
    )
}

/// Two expressions over the row `held`: when a lease ends, and how many seconds that is from now.
fn until_sql(ledger: &LedgerSchema) -> String {
    let end = end_sql(ledger);
    format!(
        "to_char({end} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
         greatest(extract(epoch FROM {end} - now()), 0)"
    )
}

/// The name is read by people only by accident, and by no attacker: it need not be secret.
fn random_owner() -> String {
    format!("{:032x}", fastrand::u128(..))
}

impl Session {
    /// Claims a set. The same lease may be claimed again.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn claim(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
        drift: &str,
    ) -> Result<Claim, Error> {
        let (set, owner) = (literal(set), literal(lease.owner()));
        let sql = format!(
            "INSERT INTO {ledger}.lease AS held (set_name, owner, holder, expires_at, drift)
             VALUES ({set}, {owner}, current_user || ', ' || {}, now() + {}, {})
             ON CONFLICT (set_name) DO UPDATE SET
               owner = excluded.owner, holder = excluded.holder, expires_at = excluded.expires_at,
               drift = coalesce(held.drift, excluded.drift)
             WHERE {} <= now() OR held.owner = excluded.owner;
             SELECT owner = {owner}, holder, {}, drift, {}
               FROM {ledger}.lease AS held WHERE set_name = {set}",
            literal(&lease.holder),
            interval(lease.length),
            literal(drift),
            end_sql(ledger),
            until_sql(ledger),
            stamp_sql(ledger, &set),
        );
        let results = self.transact(&sql).await?;
        parse_claim(&results)
            .ok_or_else(|| Error::Answer("the ledger's lease table has other columns".into()))
    }

    /// Renames the owner of a lease after an answer was lost: whatever the old connection still
    /// does cannot write to the ledger any more. False if the lease is another run's.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn fence_former_connection(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &mut Lease,
    ) -> Result<bool, Error> {
        let mine: Vec<String> = lease.owners.iter().map(|owner| literal(owner)).collect();
        lease.owners.push(random_owner());
        let sql = format!(
            "UPDATE {ledger}.lease SET owner = {}, expires_at = now() + {}
              WHERE set_name = {} AND owner IN ({}) RETURNING owner",
            literal(lease.owner()),
            interval(lease.length),
            literal(set),
            mine.join(", "),
        );
        let results = self.transact(&sql).await?;
        Ok(results.iter().any(|rows| rows.len() == 1))
    }

    /// Gives a sign of life for a run whose own connection is busy. It has a row of its own:
    /// whoever wrote to the row of the lease would make the transaction on its way lose at its
    /// commit.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn write_heartbeat(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
    ) -> Result<(), Error> {
        let sql = format!(
            "INSERT INTO {ledger}.heartbeat (set_name, owner, expires_at)
             SELECT set_name, owner, now() + {} FROM {ledger}.lease
              WHERE set_name = {} AND owner = {}
             ON CONFLICT (set_name) DO UPDATE
             SET owner = excluded.owner, expires_at = excluded.expires_at",
            interval(lease.length),
            literal(set),
            literal(lease.owner()),
        );
        self.transact(&sql).await.map(drop)
    }

    /// Takes the signs of life of a run back, so that its lease ends when it says so itself.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn end_heartbeat(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
    ) -> Result<(), Error> {
        let sql = format!(
            "DELETE FROM {ledger}.heartbeat WHERE set_name = {} AND owner = {}",
            literal(set),
            literal(lease.owner()),
        );
        self.transact(&sql).await.map(drop)
    }
}

/// Asks for the lease of a set; `set` is a literal.
pub(super) fn read_sql(ledger: &LedgerSchema, set: &str) -> String {
    format!(
        "SELECT drift IS NOT NULL, holder, {} FROM {ledger}.lease AS held WHERE set_name = {set}",
        until_sql(ledger)
    )
}

/// Whether a run has ended without recording the schema, and who holds the lease now.
pub(crate) fn parse_lease(rows: &Rows) -> Result<(bool, Option<Holder>), Error> {
    let Some(row) = rows.first() else { return Ok((false, None)) };
    let [Some(unrecorded), Some(who), Some(until), Some(remaining)] = &row[..] else {
        return Err(Error::Answer("the ledger's lease table has other columns".into()));
    };
    let holder = holder(who, until, remaining)
        .ok_or_else(|| Error::Answer("a time in the ledger's lease table is none".into()))?;
    // A run that has ended leaves its row with a time that is over.
    Ok((unrecorded == "t", Some(holder).filter(|holder| !holder.remaining.is_zero())))
}

fn holder(who: &str, until: &str, remaining: &str) -> Option<Holder> {
    let remaining = Duration::try_from_secs_f64(remaining.parse().ok()?).ok()?;
    Some(Holder { who: who.to_owned(), until: until.to_owned(), remaining })
}

fn interval(length: Duration) -> String {
    format!("interval '{} seconds'", length.as_secs_f64())
}

fn parse_claim(results: &[Rows]) -> Option<Claim> {
    let [Some(mine), Some(who), Some(until), Some(remaining), drift, Some(stamp)] =
        &results.last()?.first()?[..]
    else {
        return None;
    };
    if mine == "t" {
        return Some(Claim::Granted { drift: drift.clone()?, stamp: Stamp(stamp.clone()) });
    }
    holder(who, until, remaining).map(Claim::Held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_leases_have_the_same_owner() {
        let lease = || Lease::new("x", LEASE_LENGTH);
        assert_ne!(lease().owner(), lease().owner());
        assert_eq!(lease().owner().len(), 32);
    }

    #[test]
    fn a_lease_that_is_over_has_no_holder_but_may_tell_of_a_run_that_died() {
        let row = |unrecorded: &str, remaining: &str| {
            let cells = [unrecorded, "admin, x", "2026-11-23T12:00:00Z", remaining];
            vec![cells.map(|cell| Some(cell.to_owned())).to_vec()]
        };
        let (unrecorded, holder) = parse_lease(&row("f", "1.5")).unwrap();
        assert!(!unrecorded);
        assert_eq!(holder.unwrap().remaining, Duration::from_millis(1500));
        assert_eq!(parse_lease(&row("t", "0")).unwrap(), (true, None));
        assert_eq!(parse_lease(&Rows::new()).unwrap(), (false, None));
        assert!(parse_lease(&row("f", "soon")).is_err());
    }

    #[test]
    fn a_run_waits_longer_than_the_lease_of_a_dead_run_lives() {
        assert!(crate::database::retry::LEASE.within() > LEASE_LENGTH);
    }
}
