//! What explains a difference between the recorded and the live schema: the runs that have not
//! recorded their changes yet, of any set, and the statements whose end is not recorded.

use super::lease::{Holder, holder, until_sql};
use crate::database::catalog::Snapshot;
use crate::database::error::Error;
use crate::database::jobs::JobId;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Row, Rows};
use crate::migration::{StatementNumber, Version};

/// A run that has not recorded the schema that it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnrecordedRun {
    /// The migration set.
    pub set: String,
    /// Who holds the lease of the set; `None` if the run has ended.
    pub holder: Option<Holder>,
    /// How the schema differed from the recorded one when the run began: the relations that
    /// differed, as they were. A relation without objects did not exist.
    pub before: Snapshot,
}

/// A statement that was begun and whose end is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenStatement {
    /// The migration set.
    pub set: String,
    /// Its migration.
    pub version: Version,
    /// Its number in the migration.
    pub number: StatementNumber,
    /// One line of its text.
    pub summary: String,
    /// The job that it started.
    pub job: Option<JobId>,
}

/// The lease of a set, and the runs that have not recorded the schema.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leases {
    /// Whether a run of the set has not recorded the schema.
    pub(crate) unrecorded: bool,
    /// The run that holds the lease of the set.
    pub(crate) holder: Option<Holder>,
    /// The runs of all sets.
    pub(crate) runs: Vec<UnrecordedRun>,
}

/// Returns the queries for the leases and the open statements. `set` is a literal.
pub(super) fn read_sql(ledger: &LedgerSchema, set: &str) -> String {
    format!(
        "SELECT set_name, set_name = {set}, holder, {}, drift FROM {ledger}.lease AS held
          WHERE set_name = {set} OR drift IS NOT NULL ORDER BY set_name;
         SELECT set_name, version, number, summary, job_id FROM {ledger}.statement
          WHERE state IN ('intended', 'submitted')
            AND (set_name = {set}
                 OR set_name IN (SELECT set_name FROM {ledger}.lease WHERE drift IS NOT NULL))
          ORDER BY set_name, version, number",
        until_sql(ledger)
    )
}

/// Parses the leases.
pub(crate) fn parse_leases(rows: Rows) -> Result<Leases, Error> {
    let mut leases = Leases::default();
    for row in rows {
        let Ok([Some(set), Some(is_mine), Some(who), Some(until), Some(remaining), note]) =
            <[_; 6]>::try_from(row)
        else {
            return Err(Error::Answer("the ledger's lease table returned other columns".into()));
        };
        let holder = holder(&who, &until, &remaining).ok_or_else(|| {
            Error::Answer("the ledger's lease table contains an invalid expiry".into())
        })?;
        // A run that has ended leaves its row with an expiry in the past.
        let holder = Some(holder).filter(|holder| !holder.remaining.is_zero());
        if is_mine == "t" {
            leases.unrecorded = note.is_some();
            leases.holder.clone_from(&holder);
        }
        if let Some(note) = note {
            leases.runs.push(UnrecordedRun { set, holder, before: Snapshot::from_json(&note)? });
        }
    }
    Ok(leases)
}

/// Parses the open statements.
pub(crate) fn parse_open(rows: Rows) -> Result<Vec<OpenStatement>, Error> {
    let statement = |row: Row| {
        let [Some(set), Some(version), Some(number), Some(summary), job] =
            <[_; 5]>::try_from(row).ok()?
        else {
            return None;
        };
        let number = StatementNumber::new(number.parse().ok()?)?;
        Some(OpenStatement { set, version: Version(version), number, summary, job: job.map(JobId) })
    };
    let other = || Error::Answer("the ledger's statement table returned other columns".into());
    rows.into_iter().map(|row| statement(row).ok_or_else(other)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(cells: [Option<&str>; 6]) -> Vec<Option<String>> {
        cells.map(|cell| cell.map(str::to_owned)).to_vec()
    }

    fn lease<'a>(set: &'a str, is_mine: &'a str, remaining: &'a str) -> [Option<&'a str>; 5] {
        [Some(set), Some(is_mine), Some("admin, x"), Some("2026-11-23T12:00:00Z"), Some(remaining)]
    }

    fn with_note<'a>(lease: [Option<&'a str>; 5], note: Option<&'a str>) -> Vec<Option<String>> {
        let [set, is_mine, who, until, remaining] = lease;
        row([set, is_mine, who, until, remaining, note])
    }

    #[test]
    fn an_expired_lease_has_no_holder_but_may_belong_to_a_run_that_died() {
        let parsed =
            |remaining, note| parse_leases(vec![with_note(lease("a", "t", remaining), note)]);
        let alive = parsed("1.5", None).unwrap();
        assert!(!alive.unrecorded && alive.runs.is_empty());
        assert_eq!(alive.holder.unwrap().remaining, Duration::from_millis(1500));
        let dead = parsed("0", Some("{}")).unwrap();
        assert!(dead.unrecorded && dead.holder.is_none());
        assert_eq!(dead.runs[0].holder, None);
        assert_eq!(parse_leases(Rows::new()).unwrap(), Leases::default());
        assert!(parsed("soon", None).is_err() && parsed("1", Some("?")).is_err());
    }

    #[test]
    fn the_runs_of_other_sets_are_listed_and_their_leases_are_not_ours() {
        let note = r#"{"public.t":{"table public.t":"permanent"}}"#;
        let leases = parse_leases(vec![
            with_note(lease("a", "t", "0"), None),
            with_note(lease("b", "f", "3"), Some(note)),
        ]);
        let leases = leases.unwrap();
        assert!(!leases.unrecorded && leases.holder.is_none());
        assert_eq!(leases.runs[0].set, "b");
        assert!(leases.runs[0].holder.is_some());
        assert!(leases.runs[0].before.relations.contains_key("public.t"));
    }
}
