//! The lease: one row per migration set, which a run holds until an expiry, and renews with every
//! write to the ledger.
//!
//! DSQL has no advisory locks. The row contains a random owner ID and an expiry by the server's
//! clock. Every write to the ledger renews the row in its own transaction, and fails if the owner
//! is a different one. Two concurrent runs write the same row, so one of them fails with a conflict
//! at its commit. The lease only prevents runs from disturbing each other. That nothing is applied
//! twice is ensured by the statements' rows and the catalog.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::settings::SETTINGS;
use super::stamp::{Stamp, stamp_sql};
use crate::database::error::Error;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::retry::CLAIM;
use crate::database::session::{Rows, Session, literal};

/// How long a lease lasts without a write by its holder. A holder writes before and after each
/// statement. During a long statement, a second connection writes heartbeats
/// ([`Session::write_heartbeat`]).
pub const LEASE_LENGTH: Duration = Duration::from_secs(30);

/// The set whose lease a run claims to create or upgrade the ledger. No migration set has this
/// name.
pub(super) const SETUP: &str = "";

/// A run's claim to a set.
#[derive(Debug, Clone)]
pub struct Lease {
    /// All owner IDs of this run; the last one is in use. After a lost reply, the run takes a new
    /// ID, so that its former connection cannot write to the ledger any more.
    owners: Vec<String>,
    holder: String,
    length: Duration,
}

/// Another run that holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its role and process, for people.
    pub who: String,
    /// Expiry of its lease: RFC 3339 in UTC, by the server's clock.
    pub until: String,
    /// Time until the expiry.
    pub remaining: Duration,
}

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This run holds the lease.
    Granted {
        /// The note on the schema before the run, as JSON: the one of an earlier run that did not
        /// record the schema, or else the one of this run.
        drift: String,
        /// The stamp of the set's rows at the time of the claim.
        stamp: Stamp,
    },
    /// Another run holds the lease.
    Held(Holder),
}

impl Lease {
    /// Creates a lease with a random owner ID. `process` describes the run to people.
    #[must_use]
    pub fn new(process: &str, length: Duration) -> Self {
        Self { owners: vec![random_id()], holder: process.to_owned(), length }
    }

    /// How long it lasts without a write by its holder.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }

    fn owner(&self) -> &str {
        self.owners.last().map_or("", String::as_str)
    }

    /// Returns the fence: a statement that renews the lease, and fails with [`FENCE_ERROR`] if
    /// another run holds it.
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

/// The SQLSTATE of a fence or guard that fails. A division by zero is the only way to raise an
/// error in plain SQL. Only errors of a fence or guard may be interpreted this way.
pub(super) const FENCE_ERROR: SqlState = SqlState::DIVISION_BY_ZERO;

/// Returns an SQL expression for the end of the lease in the row `held`: its expiry, or that of its
/// owner's heartbeat.
pub(super) fn end_sql(ledger: &LedgerSchema) -> String {
    format!(
        "greatest(held.expires_at, (SELECT heartbeat.expires_at FROM {ledger}.heartbeat
                    WHERE heartbeat.set_name = held.set_name AND heartbeat.owner = held.owner))"
    )
}

/// Returns two SQL expressions over the row `held`: the end of the lease, and the seconds until
/// then.
pub(super) fn until_sql(ledger: &LedgerSchema) -> String {
    let end = end_sql(ledger);
    format!(
        "to_char({end} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
         greatest(extract(epoch FROM {end} - now()), 0)"
    )
}

/// Returns an identifier of a run or of a ledger. It is not secret, so a non-cryptographic
/// generator is sufficient.
pub(super) fn random_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

impl Session {
    /// Claims the lease of a set. A run that holds it may claim it again.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`CLAIM`].
    pub async fn claim(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &Lease,
        drift: &str,
    ) -> Result<Claim, Error> {
        let (set, owner) = (literal(set), literal(lease.owner()));
        let sql = format!(
            "INSERT INTO {ledger}.lease AS held (
               set_name, owner, holder, expires_at, drift, begun_at)
             VALUES ({set}, {owner}, current_user || ', ' || {}, now() + {}, {}, now())
             ON CONFLICT (set_name) DO UPDATE SET
               owner = excluded.owner, holder = excluded.holder, expires_at = excluded.expires_at,
               drift = coalesce(held.drift, excluded.drift),
               begun_at = CASE WHEN held.drift IS NULL THEN excluded.begun_at ELSE held.begun_at END
             WHERE {} <= now() OR held.owner = excluded.owner;
             SELECT owner = {owner}, holder, {}, drift, {}, {SETTINGS}
               FROM {ledger}.lease AS held WHERE set_name = {set}",
            literal(&lease.holder),
            interval(lease.length),
            literal(drift),
            end_sql(ledger),
            until_sql(ledger),
            stamp_sql(ledger, &set),
        );
        let results = self.collect_under(&CLAIM, &sql).await.whole()?;
        let claim = parse_claim(&results).map(|(claim, settings)| {
            self.settings = Some(settings);
            claim
        });
        claim.ok_or_else(|| Error::Answer("the ledger's lease table returned other columns".into()))
    }

    /// Changes the owner ID of the lease after a lost reply, so that the former connection cannot
    /// write to the ledger any more. Returns false if another run holds the lease.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`CLAIM`].
    pub async fn fence_former_connection(
        &mut self,
        ledger: &LedgerSchema,
        set: &str,
        lease: &mut Lease,
    ) -> Result<bool, Error> {
        lease.owners.push(random_id());
        // With the new ID, because the fence is repeated if the reply is lost.
        let mine: Vec<String> = lease.owners.iter().map(|owner| literal(owner)).collect();
        let sql = format!(
            "UPDATE {ledger}.lease SET owner = {}, expires_at = now() + {}
              WHERE set_name = {} AND owner IN ({}) RETURNING owner",
            literal(lease.owner()),
            interval(lease.length),
            literal(set),
            mine.join(", "),
        );
        let results = self.collect_under(&CLAIM, &sql).await.whole()?;
        Ok(results.iter().any(|rows| rows.len() == 1))
    }

    /// Writes a heartbeat while the run's own connection is busy. The heartbeat has its own row,
    /// because a write to the lease row would make the transaction in flight fail with a conflict
    /// at its commit.
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

    /// Deletes the heartbeat row of a run, so that its lease ends at its own expiry.
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

/// Returns the statement that claims the lease for a setup, unless another run holds any lease.
pub(super) fn setup_claim_sql(ledger: &LedgerSchema, lease: &Lease) -> String {
    let (set, end) = (literal(SETUP), end_sql(ledger));
    format!(
        "INSERT INTO {ledger}.lease AS held (set_name, owner, holder, expires_at)
         SELECT {set}, {}, current_user || ', ' || {}, now() + {}
          WHERE NOT EXISTS (SELECT FROM {ledger}.lease AS held
                             WHERE set_name <> {set} AND {end} > now())
         ON CONFLICT (set_name) DO UPDATE SET
           owner = excluded.owner, holder = excluded.holder, expires_at = excluded.expires_at
         WHERE {end} <= now() OR held.owner = excluded.owner",
        literal(lease.owner()),
        literal(&lease.holder),
        interval(lease.length),
    )
}

/// Returns the query for the run that holds a lease after [`setup_claim_sql`]: this one, if it has
/// claimed it.
pub(super) fn setup_holder_sql(ledger: &LedgerSchema, lease: &Lease) -> String {
    let is_mine = format!("(set_name = {} AND owner = {})", literal(SETUP), literal(lease.owner()));
    format!(
        "SELECT {is_mine}, holder, {} FROM {ledger}.lease AS held WHERE {} > now()
          ORDER BY {is_mine} DESC, {} DESC LIMIT 1",
        until_sql(ledger),
        end_sql(ledger),
        end_sql(ledger),
    )
}

/// Parses the result of [`setup_holder_sql`]: the other run that holds a lease; `None` for an
/// invalid result.
pub(super) fn parse_setup_holder(rows: &Rows) -> Option<Option<Holder>> {
    let [Some(is_mine), Some(who), Some(until), Some(remaining)] = &rows.first()?[..] else {
        return None;
    };
    let other = holder(who, until, remaining)?;
    Some(Some(other).filter(|_| is_mine != "t"))
}

pub(super) fn holder(who: &str, until: &str, remaining: &str) -> Option<Holder> {
    let remaining = Duration::try_from_secs_f64(remaining.parse().ok()?).ok()?;
    Some(Holder { who: who.to_owned(), until: until.to_owned(), remaining })
}

fn interval(length: Duration) -> String {
    format!("interval '{} seconds'", length.as_secs_f64())
}

/// Parses the result of a claim, and the settings of the session.
fn parse_claim(results: &[Rows]) -> Option<(Claim, String)> {
    let [Some(mine), Some(who), Some(until), Some(remaining), drift, Some(stamp), Some(settings)] =
        &results.last()?.first()?[..]
    else {
        return None;
    };
    let claim = if mine == "t" {
        Claim::Granted { drift: drift.clone()?, stamp: Stamp(stamp.clone()) }
    } else {
        Claim::Held(holder(who, until, remaining)?)
    };
    Some((claim, settings.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lease_has_a_different_owner() {
        let lease = || Lease::new("x", LEASE_LENGTH);
        assert_ne!(lease().owner(), lease().owner());
        assert_eq!(lease().owner().len(), 32);
    }

    #[test]
    fn a_run_waits_longer_than_the_lease_of_a_dead_run_lasts() {
        assert!(crate::database::retry::LEASE.within() > LEASE_LENGTH);
    }
}
