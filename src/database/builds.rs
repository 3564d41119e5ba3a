//! What the jobs build for which no run waits, as `sys.jobs` and the catalog show it.

use super::catalog::CatalogObject;
use super::error::{Condition, Error};
use super::ledger::{Build, BuildState, LedgerStatement};
use super::session::{Row, Session, literal_or_null};
use crate::migration::Class;

impl Session {
    /// Looks up what the jobs of statements build, in one round trip, or in none if no statement
    /// has a job that is not known to have ended. For a role that may not read `sys.jobs`, a job
    /// counts as running until its object is valid. Returns whether `sys.jobs` could be read.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub(super) async fn find_builds(
        &mut self,
        statements: &mut [LedgerStatement],
    ) -> Result<bool, Error> {
        let Some(asked) = asked(statements) else { return Ok(true) };
        let (mut results, is_listed) = match self.read(&builds_sql(&asked, "sys.jobs")).await {
            Err(error) if is_denied(&error) => {
                tracing::warn!(%error, "sys.jobs could not be read");
                (self.read(&builds_sql(&asked, NO_JOBS)).await?, false)
            }
            read => (read?, true),
        };
        for row in results.pop().unwrap_or_default() {
            let (position, build) = parse(row, is_listed)?;
            if let Some(statement) = statements.get_mut(position) {
                statement.build = build;
            }
        }
        Ok(is_listed)
    }
}

fn is_denied(error: &Error) -> bool {
    error.server().is_some_and(|error| error.condition() == Condition::PermissionDenied)
}

/// A relation with the columns of `sys.jobs` that are read, and without rows.
const NO_JOBS: &str = "(SELECT NULL::text AS job_id, NULL::text AS status, NULL::text AS details,
                               NULL::oid AS object_id, NULL::timestamptz AS start_time
                         WHERE false)";

/// Returns a row of `VALUES` for each statement whose job is not known to have ended; `None` if
/// there are none.
fn asked(statements: &[LedgerStatement]) -> Option<String> {
    let mut asked = Vec::new();
    for (position, statement) in statements.iter().enumerate() {
        let LedgerStatement { is_done, job, object, .. } = statement;
        if !is_done && (job.is_some() || object.is_some()) {
            let is_index = statement.class == Class::AsyncIndex.into();
            let job = literal_or_null(job.as_ref().map(|job| job.0.as_str()));
            let object = object.map_or_else(|| "NULL".to_owned(), |oid| oid.to_string());
            asked.push(format!("({position}, {is_index}, {job}, {object}::oid)"));
        }
    }
    (!asked.is_empty()).then(|| asked.join(", "))
}

/// Returns a query with a row for each statement that is asked for. The columns are its position,
/// the OID of its object, whether the ledger has that, whether the object is valid, the kind and
/// the name of the object, and the status, the start and the details of the job.
fn builds_sql(asked: &str, jobs: &str) -> String {
    format!(
        // The job of a constraint names only the table.
        "SELECT asked.position,
                coalesce(asked.oid, CASE WHEN asked.is_index THEN j.object_id END),
                asked.oid IS NOT NULL, coalesce(i.indisvalid, k.convalidated),
                CASE WHEN asked.is_index THEN 'index' ELSE 'constraint' END,
                CASE WHEN i.indexrelid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname)
                     WHEN k.oid IS NOT NULL
                     THEN format('%I.%I.%I', n.nspname, c.relname, k.conname) END,
                j.status,
                to_char(j.start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                j.details
           FROM (VALUES {asked}) AS asked (position, is_index, job_id, oid)
           LEFT JOIN {jobs} AS j ON j.job_id = asked.job_id::text
           LEFT JOIN pg_index i
                  ON asked.is_index AND i.indexrelid = coalesce(asked.oid, j.object_id)
           LEFT JOIN pg_constraint k ON NOT asked.is_index AND k.oid = asked.oid
           LEFT JOIN pg_class c ON c.oid = coalesce(i.indexrelid, k.conrelid)
           LEFT JOIN pg_namespace n ON n.oid = c.relnamespace"
    )
}

/// Parses a row. The build is `None` if neither `sys.jobs` nor the ledger identifies the object.
/// `is_listed` states whether `sys.jobs` was read.
fn parse(row: Row, is_listed: bool) -> Result<(usize, Option<Build>), Error> {
    let Ok(
        [
            Some(position),
            oid,
            Some(is_recorded),
            valid,
            Some(kind),
            name,
            status,
            started_at,
            details,
        ],
    ) = <[_; 9]>::try_from(row)
    else {
        return Err(Error::Answer("the catalog returned other columns for a build".into()));
    };
    let oid = oid.and_then(|oid| oid.parse().ok());
    let position = position
        .parse()
        .map_err(|_| Error::Answer(format!("a build with the number {position:?}")))?;
    let object = name.map(|name| CatalogObject::from(format!("{kind} {name}").as_str()));
    let state = match (valid.as_deref(), status.as_deref()) {
        (Some("t"), _) => Some(BuildState::Valid),
        // The object existed when its OID was recorded, so someone has dropped it. An OID of the
        // job alone does not show that.
        (None, Some("submitted" | "processing")) if is_recorded == "t" => Some(BuildState::Gone),
        (_, Some("submitted" | "processing")) => Some(BuildState::Running),
        (Some(_), _) if !is_listed => Some(BuildState::Running),
        (Some(_), _) => Some(BuildState::Failed),
        // Someone has dropped what a failed job has left. The statement has still built nothing.
        (None, Some("failed")) => Some(BuildState::Failed),
        (None, _) if oid.is_some() => Some(BuildState::Gone),
        (None, None) if !is_listed => Some(BuildState::Running),
        (None, _) => None,
    };
    Ok((position, state.map(|state| Build { state, object, oid, started_at, status, details })))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What identifies the object.
    #[derive(Clone, Copy, PartialEq)]
    enum By {
        Ledger,
        Job,
        Nothing,
    }

    fn state(valid: Option<&str>, status: Option<&str>, by: By) -> Option<BuildState> {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let oid = (by != By::Nothing).then_some("7");
        let is_recorded = if by == By::Ledger { "t" } else { "f" };
        let row = [Some("0"), oid, Some(is_recorded), valid, Some("index")];
        let row = row.into_iter().chain([valid.map(|_| "public.i"), status, None, None]);
        parse(row.map(text).collect(), true).unwrap().1.map(|build| build.state)
    }

    #[test]
    fn the_catalog_decides_and_the_job_explains_what_is_not_valid() {
        assert_eq!(state(Some("t"), None, By::Ledger), Some(BuildState::Valid));
        assert_eq!(state(Some("t"), Some("processing"), By::Ledger), Some(BuildState::Valid));
        assert_eq!(state(Some("f"), Some("submitted"), By::Ledger), Some(BuildState::Running));
        assert_eq!(state(Some("f"), Some("failed"), By::Ledger), Some(BuildState::Failed));
        assert_eq!(state(Some("f"), Some("completed"), By::Ledger), Some(BuildState::Failed));
        assert_eq!(
            state(Some("f"), None, By::Ledger),
            Some(BuildState::Failed),
            "not listed any more"
        );
        assert_eq!(state(None, None, By::Ledger), Some(BuildState::Gone));
        assert_eq!(state(None, Some("completed"), By::Ledger), Some(BuildState::Gone));
        assert_eq!(state(None, Some("failed"), By::Ledger), Some(BuildState::Failed));
        assert_eq!(state(None, Some("processing"), By::Nothing), Some(BuildState::Running));
        assert_eq!(state(None, Some("processing"), By::Job), Some(BuildState::Running));
        assert_eq!(state(None, Some("processing"), By::Ledger), Some(BuildState::Gone), "dropped");
        assert_eq!(state(None, Some("completed"), By::Job), Some(BuildState::Gone));
        assert_eq!(state(None, Some("failed"), By::Nothing), Some(BuildState::Failed));
        assert_eq!(state(None, Some("completed"), By::Nothing), None);
    }
}
