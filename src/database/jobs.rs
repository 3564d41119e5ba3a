//! DSQL's asynchronous jobs: index builds and constraint validations.

use super::catalog::relation;
use super::error::Error;
use super::session::{Row, Rows, Session, literal, literal_or_null};
use crate::migration::fact::QualifiedName;

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
        table: QualifiedName,
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
    /// Looks jobs up, all in one wait, and those of one kind in one statement: a first run may wait
    /// for a thousand. The catalog decides: what is valid is completed, whatever `sys.jobs` says or
    /// has forgotten, and what is not valid is completed by no word of it; DSQL also says
    /// `completed` when the table was dropped during the build.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn jobs(&mut self, questions: &[JobQuestion]) -> Result<Vec<Job>, Error> {
        let answers = self.read(&questions_sql(questions).join(";\n")).await?;
        let mut jobs = vec![None; questions.len()];
        for row in answers.into_iter().flatten() {
            let (index, job) = parse(row)?;
            if let Some(found) = jobs.get_mut(index) {
                *found = Some(job);
            }
        }
        let jobs: Option<Vec<Job>> = jobs.into_iter().collect();
        jobs.ok_or_else(|| Error::Answer("sys.jobs gave another number of answers".into()))
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

/// A statement for each kind of question. Columns: place of the question, valid, index, `job_id`,
/// status, details; a row for each question.
fn questions_sql(questions: &[JobQuestion]) -> Vec<String> {
    let (mut indexes, mut constraints, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (position, question) in questions.iter().enumerate() {
        match question {
            JobQuestion::Index { job, index } => {
                let index = literal_or_null(index.as_deref());
                indexes.push(format!("({position}, {}, {index})", id(job.as_ref())));
            }
            JobQuestion::Constraint { job, table, constraint } => constraints.push(format!(
                "({position}, {}, {}::oid, {})",
                id(job.as_ref()),
                relation(table),
                literal(constraint),
            )),
            JobQuestion::Other(job) => others.push(format!("({position}, {})", id(Some(job)))),
        }
    }
    let mut sql = Vec::new();
    if !indexes.is_empty() {
        sql.push(format!(
            "SELECT DISTINCT ON (asked.index) asked.index, i.indisvalid,
                    i.indexrelid::regclass::text, j.job_id, j.status, j.details
               FROM (SELECT question.index, question.job_id,
                            coalesce(known.object_id, to_regclass(question.index_name)::oid) AS oid
                       FROM (VALUES {}) AS question (index, job_id, index_name)
                       LEFT JOIN sys.jobs known ON known.job_id = question.job_id) asked
               LEFT JOIN pg_index i ON i.indexrelid = asked.oid
               LEFT JOIN sys.jobs j ON j.object_id = asked.oid AND j.job_type = 'INDEX_BUILD'
                     AND j.job_id = coalesce(asked.job_id, j.job_id)
              ORDER BY asked.index, j.start_time DESC NULLS LAST",
            indexes.join(", ")
        ));
    }
    if !constraints.is_empty() {
        // A job for a validation names only the table, so without an id the youngest has to do.
        sql.push(format!(
            "SELECT DISTINCT ON (asked.index) asked.index, k.convalidated, NULL, j.job_id, j.status,
                    j.details
               FROM (VALUES {}) AS asked (index, job_id, oid, constraint_name)
               LEFT JOIN pg_constraint k
                      ON k.conrelid = asked.oid AND k.conname = asked.constraint_name
               LEFT JOIN sys.jobs j ON j.object_id = asked.oid
                     AND j.job_type = 'VALIDATE_CONSTRAINT'
                     AND j.job_id = coalesce(asked.job_id, j.job_id)
              ORDER BY asked.index, j.start_time DESC NULLS LAST",
            constraints.join(", ")
        ));
    }
    if !others.is_empty() {
        sql.push(format!(
            "SELECT asked.index, j.status = 'completed', NULL, j.job_id, j.status, j.details
               FROM (VALUES {}) AS asked (index, job_id)
               LEFT JOIN sys.jobs j ON j.job_id = asked.job_id",
            others.join(", ")
        ));
    }
    sql
}

fn id(job: Option<&JobId>) -> String {
    literal_or_null(job.map(|job| job.0.as_str()))
}

fn parse(row: Row) -> Result<(usize, Job), Error> {
    let Ok([Some(position), valid, index, id, status, details]) = <[_; 6]>::try_from(row) else {
        return Err(Error::Answer("sys.jobs has other columns than expected".into()));
    };
    let position =
        position.parse().map_err(|_| Error::Answer(format!("a job at position {position:?}")))?;
    let state = match (valid.as_deref(), status.as_deref()) {
        (Some("t"), _) => JobState::Completed,
        (_, Some("completed" | "failed") | None) => JobState::Failed,
        _ => JobState::Running,
    };
    Ok((position, Job { state, id: id.map(JobId), details, index }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(valid: Option<&str>, status: Option<&str>) -> JobState {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let row = vec![text(Some("0")), text(valid), None, None, text(status), None];
        parse(row).unwrap().1.state
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
