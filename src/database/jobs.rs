//! DSQL's asynchronous jobs: index builds and constraint validations.

use super::catalog::relation;
use super::error::Error;
use super::session::{Row, Rows, Session, literal, literal_or_null};
use crate::migration::fact::QualifiedName;

/// The ID of a job, 26 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub String);

/// A job to look up. Its row in `sys.jobs` may no longer exist, because DSQL deletes the rows of
/// ended jobs after 30 minutes, so the object that it builds is looked up as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobQuestion {
    /// An index build.
    Index {
        /// Its ID, unless the reply with the ID was lost.
        job: Option<JobId>,
        /// The index, quoted for SQL, unless the server has chosen its name.
        index: Option<String>,
    },
    /// A validation.
    Constraint {
        /// Its ID, unless the reply with the ID was lost.
        job: Option<JobId>,
        /// The table.
        table: QualifiedName,
        /// The constraint.
        constraint: String,
    },
    /// What a job of an earlier run builds.
    Object {
        /// Its ID, unless the reply with the ID was lost.
        job: Option<JobId>,
        /// The OID of the index or the constraint.
        object: u32,
        /// Whether it is an index.
        is_index: bool,
    },
    /// A job whose statement does not name what it builds. It can be found only by its ID.
    Other(JobId),
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It is submitted or being processed.
    Running,
    /// What it builds exists and is valid.
    Completed,
    /// What it builds is not valid, and no job is building it.
    Failed,
}

/// A job, as found in `sys.jobs` and the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Decided from the catalog and from `sys.jobs`.
    pub state: JobState,
    /// Its ID, if `sys.jobs` lists it.
    pub id: Option<JobId>,
    /// DSQL's description of a failure.
    pub details: Option<String>,
    /// The index that it builds, quoted for SQL, if the index exists.
    pub index: Option<String>,
    /// The OID of the index or the constraint, if it exists.
    pub object: Option<u32>,
}

/// A row of `sys.jobs`, with DSQL's own values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedJob {
    /// Column `job_id`.
    pub id: JobId,
    /// Column `job_type`, for example `INDEX_BUILD`.
    pub kind: String,
    /// Column `status`, for example `processing`.
    pub status: String,
    /// Column `object_name`; `None` if the object was dropped.
    pub object: Option<String>,
    /// Column `details`, which describes a failure.
    pub details: Option<String>,
}

impl Session {
    /// Looks up jobs in one round trip, with one statement for each kind, because a first run may
    /// wait for a thousand jobs. The catalog decides whether a job is completed: an index that is
    /// valid is completed even if `sys.jobs` does not list the job any more, and an index that is
    /// not valid is not completed whatever the status. DSQL also sets the status `completed` if the
    /// table was dropped during the build.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
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
        jobs.ok_or_else(|| {
            Error::Answer("the lookup of jobs returned another number of rows".into())
        })
    }

    /// Lists all index builds and validations in `sys.jobs`, the oldest first. DSQL deletes the
    /// rows of ended jobs after 30 minutes (user guide, "Asynchronous indexes").
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
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
                _ => Err(Error::Answer("sys.jobs returned other columns than expected".into())),
            })
            .collect()
    }

    /// Returns up to five keys that are in more than one row, each as a line, for a unique index
    /// that could not be built. Returns none if there are no duplicates.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
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
        let Some(query) = only_value(self.read(&search).await?) else { return Ok(Vec::new()) };
        let found = self.read(&query).await?;
        Ok(found.into_iter().flatten().filter_map(|row| row.into_iter().next().flatten()).collect())
    }
}

fn only_value(results: Vec<Rows>) -> Option<String> {
    results.into_iter().next()?.into_iter().next()?.into_iter().next()?
}

/// Returns a statement for each kind of question, with one result row for each question. The
/// columns are the number of the question, valid, index, `job_id`, status, details, and object.
fn questions_sql(questions: &[JobQuestion]) -> Vec<String> {
    let (mut indexes, mut constraints, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (position, question) in questions.iter().enumerate() {
        match question {
            JobQuestion::Index { job, index } => {
                let index = literal_or_null(index.as_deref());
                indexes.push(format!("({position}, {}, {index}, NULL::oid)", id(job.as_ref())));
            }
            JobQuestion::Object { job, object, is_index: true } => {
                indexes.push(format!("({position}, {}, NULL, {object}::oid)", id(job.as_ref())));
            }
            JobQuestion::Object { job, object, is_index: false } => constraints.push(format!(
                "({position}, {}, NULL::oid, NULL, {object}::oid)",
                id(job.as_ref())
            )),
            JobQuestion::Constraint { job, table, constraint } => constraints.push(format!(
                "({position}, {}, {}::oid, {}, NULL::oid)",
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
                    i.indexrelid::regclass::text, j.job_id, j.status, j.details,
                    i.indexrelid::oid
               FROM (SELECT question.index, question.job_id,
                            coalesce(question.oid, known.object_id,
                                     to_regclass(question.index_name)::oid) AS oid
                       FROM (VALUES {}) AS question (index, job_id, index_name, oid)
                       LEFT JOIN sys.jobs known ON known.job_id = question.job_id) asked
               LEFT JOIN pg_index i ON i.indexrelid = asked.oid
               LEFT JOIN sys.jobs j ON j.object_id = asked.oid AND j.job_type = 'INDEX_BUILD'
                     AND j.job_id = coalesce(asked.job_id, j.job_id)
              ORDER BY asked.index, j.start_time DESC NULLS LAST",
            indexes.join(", ")
        ));
    }
    if !constraints.is_empty() {
        // A validation job names only the table, so without an ID the latest job is used.
        sql.push(format!(
            "SELECT DISTINCT ON (asked.index) asked.index, k.convalidated, NULL, j.job_id, j.status,
                    j.details, k.oid
               FROM (VALUES {}) AS asked (index, job_id, relation, constraint_name, oid)
               LEFT JOIN pg_constraint k ON k.oid = asked.oid
                      OR k.conrelid = asked.relation AND k.conname = asked.constraint_name
               LEFT JOIN sys.jobs j ON j.object_id = coalesce(asked.relation, k.conrelid)
                     AND j.job_type = 'VALIDATE_CONSTRAINT'
                     AND j.job_id = coalesce(asked.job_id, j.job_id)
              ORDER BY asked.index, j.start_time DESC NULLS LAST",
            constraints.join(", ")
        ));
    }
    if !others.is_empty() {
        sql.push(format!(
            "SELECT asked.index, j.status = 'completed', NULL, j.job_id, j.status, j.details, NULL
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
    let Ok([Some(position), valid, index, id, status, details, object]) = <[_; 7]>::try_from(row)
    else {
        return Err(Error::Answer("sys.jobs returned other columns than expected".into()));
    };
    let position = position
        .parse()
        .map_err(|_| Error::Answer(format!("a job with the number {position:?}")))?;
    let state = match (valid.as_deref(), status.as_deref()) {
        (Some("t"), _) => JobState::Completed,
        (_, Some("completed" | "failed") | None) => JobState::Failed,
        _ => JobState::Running,
    };
    let object = object.and_then(|oid| oid.parse().ok());
    Ok((position, Job { state, id: id.map(JobId), details, index, object }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(valid: Option<&str>, status: Option<&str>) -> JobState {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let row = vec![text(Some("0")), text(valid), None, None, text(status), None, None];
        parse(row).unwrap().1.state
    }

    #[test]
    fn the_catalog_decides_whether_a_job_is_completed() {
        assert_eq!(state(Some("t"), Some("completed")), JobState::Completed);
        assert_eq!(
            state(Some("t"), None),
            JobState::Completed,
            "sys.jobs does not list it any more"
        );
        assert_eq!(state(Some("f"), Some("processing")), JobState::Running);
        assert_eq!(state(Some("f"), Some("completed")), JobState::Failed);
        assert_eq!(state(Some("f"), None), JobState::Failed, "no job is building it");
        assert_eq!(state(None, Some("completed")), JobState::Failed, "the table was dropped");
        assert_eq!(state(None, Some("submitted")), JobState::Running);
    }
}
