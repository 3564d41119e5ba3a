//! DSQL's asynchronous jobs: index builds and constraint validations.

use super::error::Error;
use super::session::{Session, literal};

/// The name of a job, 26 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobId(pub String);

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Submitted or being worked on.
    Running,
    /// Ended well, and what it built is valid.
    Completed,
    /// Ended without success.
    Failed,
    /// `sys.jobs` has no such row: it was purged, which happens 30 minutes after its end.
    Gone,
}

/// A job as `sys.jobs` and the catalog show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// How far it has come.
    pub state: JobState,
    /// DSQL's words about a failure.
    pub details: Option<String>,
    /// The object it works on, quoted for SQL; absent once the object is gone.
    pub object: Option<String>,
}

impl Session {
    /// Looks a job up. A `completed` job whose index is not valid counts as failed: DSQL also
    /// says `completed` when the table was dropped during the build.
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn job(&mut self, id: &JobId) -> Result<Job, Error> {
        let sql = format!(
            "SELECT j.status, j.details, c.oid::regclass::text, i.indisvalid, j.job_type
               FROM sys.jobs j
               LEFT JOIN pg_class c ON c.oid = j.object_id
               LEFT JOIN pg_index i ON i.indexrelid = j.object_id
              WHERE j.job_id = {}",
            literal(&id.0)
        );
        let mut results = self.transact(&sql).await?;
        let Some(row) = results.pop().and_then(|mut rows| rows.pop()) else {
            return Ok(Job { state: JobState::Gone, details: None, object: None });
        };
        let [status, details, object, valid, job_type] = &row[..] else {
            return Err(Error::Answer("sys.jobs has other columns than expected".into()));
        };
        let built = job_type.as_deref() != Some("INDEX_BUILD") || valid.as_deref() == Some("t");
        let state = match status.as_deref() {
            Some("completed") if built => JobState::Completed,
            Some("completed" | "failed") => JobState::Failed,
            _ => JobState::Running,
        };
        Ok(Job { state, details: details.clone(), object: object.clone() })
    }

    /// All index builds and validations that `sys.jobs` lists, the oldest first. DSQL deletes
    /// finished ones after 30 minutes (user guide, "Asynchronous indexes").
    ///
    /// # Errors
    /// As [`Session::transact`].
    pub async fn jobs(&mut self) -> Result<Vec<ListedJob>, Error> {
        let sql = "SELECT job_id, job_type, status, object_name, details FROM sys.jobs
                    WHERE job_type IN ('INDEX_BUILD', 'VALIDATE_CONSTRAINT')
                    ORDER BY start_time, job_id";
        let rows = self.transact(sql).await?.pop().unwrap_or_default();
        rows.into_iter()
            .map(|row| match <[Option<String>; 5]>::try_from(row) {
                Ok([Some(id), Some(kind), Some(status), object, details]) => {
                    Ok(ListedJob { id: JobId(id), kind, status, object, details })
                }
                _ => Err(Error::Answer("sys.jobs has other columns than expected".into())),
            })
            .collect()
    }
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
