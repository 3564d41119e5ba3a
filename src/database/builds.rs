//! What the jobs build for which no run waits, as `sys.jobs` and the catalog show it.

use super::catalog::CatalogObject;
use super::error::{Condition, Error};
use super::ledger::{Build, BuildState, LedgerStatement};
use super::session::{Row, Session, literal};
use crate::migration::Class;

impl Session {
    /// Looks up what the jobs of statements build, in one round trip, or in none if no statement
    /// has a job that is not known to have ended. For a role that may not read `sys.jobs`, a job
    /// counts as running until its object is valid.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub(super) async fn find_builds(
        &mut self,
        statements: &mut [LedgerStatement],
    ) -> Result<(), Error> {
        let Some(asked) = asked(statements) else { return Ok(()) };
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
        Ok(())
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
        if let (false, Some(job)) = (statement.is_done, &statement.job) {
            let is_index = statement.class == Class::AsyncIndex.into();
            let object = statement.object.map_or_else(|| "NULL".to_owned(), |oid| oid.to_string());
            asked.push(format!("({position}, {is_index}, {}, {object}::oid)", literal(&job.0)));
        }
    }
    (!asked.is_empty()).then(|| asked.join(", "))
}

/// Returns a query with a row for each statement that is asked for. The columns are its position,
/// whether its object is known, whether the object is valid, the kind and the name of the object,
/// and the status, the start and the details of the job.
fn builds_sql(asked: &str, jobs: &str) -> String {
    format!(
        "SELECT asked.position, coalesce(asked.oid, i.indexrelid, j.object_id) IS NOT NULL
                  AND (asked.is_index OR asked.oid IS NOT NULL),
                coalesce(i.indisvalid, k.convalidated),
                CASE WHEN asked.is_index THEN 'index' ELSE 'constraint' END,
                CASE WHEN i.indexrelid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname)
                     WHEN k.oid IS NOT NULL
                     THEN format('%I.%I.%I', n.nspname, c.relname, k.conname) END,
                j.status,
                to_char(j.start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                j.details
           FROM (VALUES {asked}) AS asked (position, is_index, job_id, oid)
           LEFT JOIN {jobs} AS j ON j.job_id = asked.job_id
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
    let Ok([Some(position), Some(is_known), valid, Some(kind), name, status, started_at, details]) =
        <[_; 8]>::try_from(row)
    else {
        return Err(Error::Answer("the catalog returned other columns for a build".into()));
    };
    let position = position
        .parse()
        .map_err(|_| Error::Answer(format!("a build with the number {position:?}")))?;
    let object = name.map(|name| CatalogObject::from(format!("{kind} {name}").as_str()));
    let state = match (valid.as_deref(), status.as_deref()) {
        (Some("t"), _) => Some(BuildState::Valid),
        (_, Some("submitted" | "processing")) => Some(BuildState::Running),
        (Some(_), _) if !is_listed => Some(BuildState::Running),
        (Some(_), _) => Some(BuildState::Failed),
        // Someone has dropped what a failed job has left. The statement has still built nothing.
        (None, Some("failed")) => Some(BuildState::Failed),
        (None, _) if is_known == "t" => Some(BuildState::Gone),
        (None, None) if !is_listed => Some(BuildState::Running),
        (None, _) => None,
    };
    Ok((position, state.map(|state| Build { state, object, started_at, status, details })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(valid: Option<&str>, status: Option<&str>, is_known: bool) -> Option<BuildState> {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let known = if is_known { "t" } else { "f" };
        let row = ["0", known].map(|value| text(Some(value))).into_iter();
        let object = [text(valid), text(Some("index")), text(valid.map(|_| "public.i"))];
        let row = row.chain(object).chain([text(status), None, None]).collect();
        parse(row, true).unwrap().1.map(|build| build.state)
    }

    #[test]
    fn the_catalog_decides_and_the_job_explains_what_is_not_valid() {
        assert_eq!(state(Some("t"), None, true), Some(BuildState::Valid));
        assert_eq!(state(Some("t"), Some("processing"), true), Some(BuildState::Valid));
        assert_eq!(state(Some("f"), Some("submitted"), true), Some(BuildState::Running));
        assert_eq!(state(Some("f"), Some("failed"), true), Some(BuildState::Failed));
        assert_eq!(state(Some("f"), Some("completed"), true), Some(BuildState::Failed));
        assert_eq!(state(Some("f"), None, true), Some(BuildState::Failed), "not listed any more");
        assert_eq!(state(None, None, true), Some(BuildState::Gone));
        assert_eq!(state(None, Some("completed"), true), Some(BuildState::Gone));
        assert_eq!(state(None, Some("failed"), true), Some(BuildState::Failed));
        assert_eq!(state(None, Some("processing"), false), Some(BuildState::Running));
        assert_eq!(state(None, Some("failed"), false), Some(BuildState::Failed));
        assert_eq!(state(None, Some("completed"), false), None);
    }
}
