//! What explains a difference between the recorded and the live schema: the runs that have not
//! recorded their changes yet, of any set, and their statements.

use super::build::{Build, BuildState};
use super::lease::{Holder, end_sql, holder, until_sql};
use super::record::RecordedClass;
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
    /// Whether this is the observed set.
    pub is_own: bool,
    /// Who holds the lease of the set; `None` if the run has ended.
    pub holder: Option<Holder>,
    /// How the schema differed from the recorded one when the run began: the relations that
    /// differed, as they were. A relation without objects did not exist.
    pub before: Snapshot,
}

/// A schema change that was begun and whose end is not recorded, or one of a run that has ended
/// without recording the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerStatement {
    /// The migration set.
    pub set: String,
    /// Whether this is the observed set.
    pub is_own: bool,
    /// Its migration.
    pub version: Version,
    /// Its number in the migration.
    pub number: StatementNumber,
    /// One line of its text.
    pub summary: String,
    /// Its class.
    pub class: RecordedClass,
    /// The job that it started.
    pub job: Option<JobId>,
    /// The OID of what the job builds, if the run that started it did not wait for it.
    pub object: Option<u32>,
    /// What the job builds, if it is not known to have ended.
    pub build: Option<Build>,
    /// Whether it was applied. Otherwise, the ledger does not state it.
    pub is_done: bool,
    /// Whether its job has failed, and a run drops or has dropped what the job has left.
    pub has_failed: bool,
    /// Whether a run applied it, or dropped what it has left, that has ended without recording the
    /// schema.
    pub is_unrecorded: bool,
    /// Its text, unless that contains the value of a variable.
    pub text: Option<String>,
}

impl LedgerStatement {
    /// Whether it was applied, and the schema was recorded afterward. A run that leaves a job
    /// records what its other statements have made.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.is_done && !self.is_unrecorded
    }

    /// Whether what its job builds, or has left, exists.
    #[must_use]
    pub fn has_object(&self) -> bool {
        self.build.as_ref().is_some_and(|build| build.object.is_some())
    }

    /// Whether it has started a job that is not running any more.
    #[must_use]
    pub fn is_job_over(&self) -> bool {
        let is_running = |build: &Build| build.state == BuildState::Running;
        self.job.is_some() && !self.build.as_ref().is_some_and(is_running)
    }
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

/// Returns the queries for the leases and the schema changes, which are in the order of their ends.
/// `set` is a literal.
pub(super) fn read_sql(ledger: &LedgerSchema, set: &str) -> String {
    format!(
        // Inside `LATERAL`, a column that an earlier layout lacks is that of `absent`. Without the
        // time when a run began, all statements of its set may be its own.
        "SELECT set_name, set_name = {set}, holder, {}, drift FROM {ledger}.lease AS held
          WHERE set_name = {set} OR drift IS NOT NULL ORDER BY set_name;
         SELECT set_name, set_name = {set}, version, number, summary, job_id, state = 'done',
                is_unrecorded, row.statement_text, class, row.job_object, state = 'failed'
           FROM (SELECT NULL::text AS statement_text, NULL::timestamptz AS begun_at,
                        NULL::bigint AS job_object) AS absent
          CROSS JOIN LATERAL (
                  SELECT set_name, version, number, summary, job_id, state, changed_at,
                         statement_text, class, job_object,
                         state IN ('done', 'failed') AND EXISTS (
                           SELECT FROM {ledger}.lease AS held
                            WHERE held.set_name = sent.set_name AND drift IS NOT NULL
                              AND coalesce(sent.changed_at >= begun_at, true)
                              AND {} <= now()) AS is_unrecorded
                    FROM {ledger}.statement AS sent
                   WHERE class NOT IN ('dml', 'batch')) AS row
          WHERE state IN ('intended', 'submitted')
            AND (set_name = {set} OR set_name IN (
                  SELECT set_name FROM {ledger}.lease WHERE drift IS NOT NULL))
             OR state IN ('submitted', 'failed') AND row.job_object IS NOT NULL
             OR is_unrecorded
          ORDER BY changed_at, set_name, version, number",
        until_sql(ledger),
        end_sql(ledger),
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
        let is_own = is_mine == "t";
        if is_own {
            leases.unrecorded = note.is_some();
            leases.holder.clone_from(&holder);
        }
        if let Some(note) = note {
            let before = Snapshot::from_json(&note)?;
            leases.runs.push(UnrecordedRun { set, is_own, holder, before });
        }
    }
    Ok(leases)
}

/// Parses the statements.
pub(crate) fn parse_unrecorded(rows: Rows) -> Result<Vec<LedgerStatement>, Error> {
    let statement = |row: Row| {
        let [
            set,
            is_own,
            version,
            number,
            summary,
            job,
            is_done,
            is_unrecorded,
            text,
            class,
            oid,
            has_failed,
        ] = <[_; 12]>::try_from(row).ok()?;
        Some(LedgerStatement {
            set: set?,
            is_own: is_own? == "t",
            version: Version(version?),
            number: StatementNumber::new(number?.parse().ok()?)?,
            summary: summary?,
            class: RecordedClass::parse(class?),
            job: job.map(JobId),
            object: oid.and_then(|oid| oid.parse().ok()),
            build: None,
            is_done: is_done? == "t",
            has_failed: has_failed? == "t",
            is_unrecorded: is_unrecorded? == "t",
            text,
        })
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
