//! DSQL's asynchronous jobs: index builds and constraint validations.

use super::error::Error;
use super::facts::relation;
use super::session::{Rows, Session, literal};
use crate::migration::fact::Name;

/// The name of a job, 26 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobId(pub String);

/// A job to look up. Its row in `sys.jobs` may be gone: DSQL deletes finished ones after 30
/// minutes. So what it builds is asked for as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobQuestion {
    /// An index build.
    Index {
        /// Its id, unless it was lost with an answer.
        job: Option<JobId>,
        /// The index, quoted for SQL, unless the server gave it its name.
        index: Option<String>,
    },
    /// A validation.
    Constraint {
        /// Its id, unless it was lost with an answer.
        job: Option<JobId>,
        /// The table.
        table: Name,
        /// The constraint.
        constraint: String,
    },
    /// A job of a statement that does not say what it builds: only its id leads to its end.
    Other(JobId),
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Submitted or being worked on.
    Running,
    /// What it builds is there and valid.
    Completed,
    /// What it builds is not valid, and nobody works on it.
    Failed,
}

/// A job as `sys.jobs` and the catalog show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// How far it has come.
    pub state: JobState,
    /// Its id, if `sys.jobs` knows it.
    pub id: Option<JobId>,
    /// DSQL's words about a failure.
    pub details: Option<String>,
    /// The index it builds, quoted for SQL, as long as it is there.
    pub index: Option<String>,
}

/// A row of `sys.jobs`, in DSQL's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedJob {
    /// Its name.
    pub id: JobId,
    /// What it does, for example `INDEX_BUILD`.
    pub kind: String,
    /// How far it has come, for example `processing`.
    pub status: String,
    /// The object that it works on; absent once that is gone.
    pub object: Option<String>,
    /// About a failure.
    pub details: Option<String>,
}

impl Session {
    /// Looks jobs up, all in one wait. The catalog decides: what is valid is completed, whatever
    /// `sys.jobs` says or has forgotten, and what is not valid is completed by no word of it; DSQL
    /// also says `completed` when the table was dropped during the build.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn jobs(&mut self, questions: &[JobQuestion]) -> Result<Vec<Job>, Error> {
        let sql: Vec<String> = questions.iter().map(question_sql).collect();
        let results = self.read(&sql.join(";\n")).await?;
        if results.len() != questions.len() {
            return Err(Error::Answer("sys.jobs gave another number of answers".into()));
        }
        results.iter().map(parse).collect()
    }

    /// All index builds and validations that `sys.jobs` lists, the oldest first. DSQL deletes
    /// finished ones after 30 minutes (user guide, "Asynchronous indexes").
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn list_jobs(&mut self) -> Result<Vec<ListedJob>, Error> {
        let sql = "SELECT job_id, job_type, status, object_name, details FROM sys.jobs
                    WHERE job_type IN ('INDEX_BUILD', 'VALIDATE_CONSTRAINT')
                    ORDER BY start_time, job_id";
        let rows = self.read(sql).await?.pop().unwrap_or_default();
        rows.into_iter()
            .map(|row| match <[Option<String>; 5]>::try_from(row) {
                Ok([Some(id), Some(kind), Some(status), object, details]) => {
                    Ok(ListedJob { id: JobId(id), kind, status, object, details })
                }
                _ => Err(Error::Answer("sys.jobs has other columns than expected".into())),
            })
            .collect()
    }

    /// A few keys that an index would have to hold twice, each as a line, for a unique index that
    /// could not be built. Nothing if there are none, or if the search itself is too much.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn duplicates(&mut self, index: &str) -> Result<Vec<String>, Error> {
        let search = format!(
            "SELECT format(
                 'SELECT concat_ws('', '', %s) || '' ('' || count(*) || '' rows)''
                    FROM %s WHERE %s GROUP BY %s HAVING count(*) > 1 LIMIT 5',
                 string_agg(format('%L || coalesce((%s)::text, ''NULL'')', k.key || ' = ', k.key),
                            ', ' ORDER BY k.n),
                 i.indrelid::regclass,
                 concat_ws(' AND ', coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'),
                   CASE WHEN NOT i.indnullsnotdistinct
                        THEN string_agg(format('(%s) IS NOT NULL', k.key), ' AND ') END),
                 string_agg(k.key, ', ' ORDER BY k.n))
               FROM pg_index i
               CROSS JOIN LATERAL (
                 SELECT n, pg_get_indexdef(i.indexrelid, n, true) AS key
                   FROM generate_series(1, i.indnkeyatts) AS n) k
              WHERE i.indexrelid = to_regclass({})
              GROUP BY i.indexrelid, i.indrelid, i.indpred, i.indnullsnotdistinct",
            literal(index)
        );
        let Some(query) = only_value(self.transact(&search).await?) else { return Ok(Vec::new()) };
        let found = self.transact(&query).await?;
        Ok(found.into_iter().flatten().filter_map(|row| row.into_iter().next().flatten()).collect())
    }
}

fn only_value(results: Vec<Rows>) -> Option<String> {
    results.into_iter().next()?.into_iter().next()?.into_iter().next()?
}

/// Columns: valid, index, `job_id`, status, details; one row.
fn question_sql(question: &JobQuestion) -> String {
    let id = |job: &Option<JobId>| match job {
        Some(job) => format!("j.job_id = {}", literal(&job.0)),
        None => "true".to_owned(),
    };
    match question {
        JobQuestion::Index { job, index } => {
            let named = index.as_ref().map_or_else(
                || "NULL".to_owned(),
                |index| format!("to_regclass({})", literal(index)),
            );
            let by_job = job.as_ref().map_or_else(
                || "NULL".to_owned(),
                |job| {
                    format!("(SELECT object_id FROM sys.jobs WHERE job_id = {})", literal(&job.0))
                },
            );
            format!(
                "SELECT i.indisvalid, i.indexrelid::regclass::text, j.job_id, j.status, j.details
                   FROM (SELECT coalesce({by_job}, {named}::oid) AS oid) target
                   LEFT JOIN pg_index i ON i.indexrelid = target.oid
                   LEFT JOIN sys.jobs j ON j.object_id = target.oid
                         AND j.job_type = 'INDEX_BUILD' AND {}
                  ORDER BY j.start_time DESC NULLS LAST LIMIT 1",
                id(job)
            )
        }
        JobQuestion::Other(job) => format!(
            "SELECT j.status = 'completed', NULL, j.job_id, j.status, j.details
               FROM (SELECT {} AS id) target LEFT JOIN sys.jobs j ON j.job_id = target.id",
            literal(&job.0)
        ),
        // A job for a validation names only the table, so without an id the youngest has to do.
        JobQuestion::Constraint { job, table, constraint } => format!(
            "SELECT k.convalidated, NULL, j.job_id, j.status, j.details
               FROM (SELECT {}::oid AS oid) target
               LEFT JOIN pg_constraint k ON k.conrelid = target.oid AND k.conname = {}
               LEFT JOIN sys.jobs j ON j.object_id = target.oid
                     AND j.job_type = 'VALIDATE_CONSTRAINT' AND {}
              ORDER BY j.start_time DESC NULLS LAST LIMIT 1",
            relation(table),
            literal(constraint),
            id(job)
        ),
    }
}

fn parse(rows: &Rows) -> Result<Job, Error> {
    let Some([valid, index, id, status, details]) = rows.first().map(Vec::as_slice) else {
        return Err(Error::Answer("sys.jobs has other columns than expected".into()));
    };
    let state = match (valid.as_deref(), status.as_deref()) {
        (Some("t"), _) => JobState::Completed,
        (_, Some("completed" | "failed") | None) => JobState::Failed,
        _ => JobState::Running,
    };
    Ok(Job { state, id: id.clone().map(JobId), details: details.clone(), index: index.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(valid: Option<&str>, status: Option<&str>) -> JobState {
        let text = |value: Option<&str>| value.map(str::to_owned);
        parse(&vec![vec![text(valid), None, None, text(status), None]]).unwrap().state
    }

    #[test]
    fn the_catalog_decides_what_is_completed() {
        assert_eq!(state(Some("t"), Some("completed")), JobState::Completed);
        assert_eq!(state(Some("t"), None), JobState::Completed, "the row was purged");
        assert_eq!(state(Some("f"), Some("processing")), JobState::Running);
        assert_eq!(state(Some("f"), Some("completed")), JobState::Failed);
        assert_eq!(state(Some("f"), None), JobState::Failed, "nobody works on it any more");
        assert_eq!(state(None, Some("completed")), JobState::Failed, "the table is gone");
        assert_eq!(state(None, Some("submitted")), JobState::Running);
    }
}
