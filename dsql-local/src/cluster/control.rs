//! What a test does to the asynchronous jobs and to the clock that they run by.

use tokio_postgres::types::ToSql;

use super::{Cluster, Error};

/// A row of `sys.jobs`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// Its id, 26 characters.
    pub id: String,
    /// `INDEX_BUILD`, `VALIDATE_CONSTRAINT`, `DROP` or `ANALYZE`.
    pub job_type: String,
    /// `submitted`, `processing`, `completed` or `failed`.
    pub status: String,
    /// What has gone wrong, if anything has.
    pub details: Option<String>,
    /// The index or table as `schema.name`; none once it is gone.
    pub object_name: Option<String>,
}

/// A job that has failed because it was told to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredJobFault {
    /// The id of the job.
    pub job_id: String,
    /// The object it was for, as `schema.name`.
    pub object_name: String,
}

impl Cluster {
    /// Lets every job stand where it is, also those to come, until [`Cluster::release_jobs`].
    pub async fn hold_jobs(&self) -> Result<(), Error> {
        self.execute("UPDATE dsql_internal.control SET jobs_held = true", &[]).await
    }

    /// Lets held jobs go on.
    pub async fn release_jobs(&self) -> Result<(), Error> {
        self.execute("UPDATE dsql_internal.control SET jobs_held = false", &[]).await?;
        self.shared.database.jobs_submitted().notify_one();
        Ok(())
    }

    /// Makes the next job for an index, or the next validation on a table, end as `failed`.
    ///
    /// `object` is its name as `schema.name`; the object need not exist yet.
    pub async fn fail_job(&self, object: &str, details: &str) -> Result<(), Error> {
        let sql = "INSERT INTO dsql_internal.job_faults (object_name, details) VALUES ($1, $2)";
        self.execute(sql, &[&object, &details]).await
    }

    /// The jobs that have failed because of [`Cluster::fail_job`], in the order of those calls.
    pub async fn fired_job_faults(&self) -> Result<Vec<FiredJobFault>, Error> {
        let sql = "SELECT job_id, object_name FROM dsql_internal.job_faults
                   WHERE job_id IS NOT NULL ORDER BY rule";
        let rows = self.shared.database.client().query(sql, &[]).await?;
        let fault = |row: &tokio_postgres::Row| {
            Ok(FiredJobFault { job_id: row.try_get(0)?, object_name: row.try_get(1)? })
        };
        rows.iter().map(fault).collect()
    }

    /// Forgets the jobs that have ended, as DSQL does when they are thirty minutes old and another is submitted.
    pub async fn purge_jobs(&self) -> Result<(), Error> {
        let sql = "DELETE FROM dsql_internal.jobs WHERE status IN ('completed', 'failed')";
        self.execute(sql, &[]).await
    }

    /// Submits an `ANALYZE` of a table, given as `schema.name`, as DSQL does now and then on its own.
    pub async fn submit_analyze(&self, table: &str) -> Result<(), Error> {
        let sql = "SELECT dsql_internal.submit('ANALYZE', $1::text::regclass, $1::text::regclass, NULL, NULL)";
        self.execute(sql, &[&table]).await
    }

    /// All jobs in the order of their submission, those without a name included.
    pub async fn jobs(&self) -> Result<Vec<Job>, Error> {
        let sql = "SELECT job_id, job_type, status, details, object_name FROM sys.jobs ORDER BY start_time";
        let rows = self.shared.database.client().query(sql, &[]).await?;
        let job = |row: &tokio_postgres::Row| {
            Ok(Job {
                id: row.try_get(0)?,
                job_type: row.try_get(1)?,
                status: row.try_get(2)?,
                details: row.try_get(3)?,
                object_name: row.try_get(4)?,
            })
        };
        rows.iter().map(job).collect()
    }

    /// Sets how far the cluster's clock is ahead of this machine's, in seconds; negative is behind.
    ///
    /// Tokens are checked, and jobs run and are forgotten by it. The functions of SQL, like `now()`, keep to the
    /// machine's clock.
    pub async fn skew_clock(&self, seconds: i64) -> Result<(), Error> {
        self.shared.clock.set_skew(seconds);
        let sql = "UPDATE dsql_internal.control SET skew = $1 * interval '1 second'";
        #[expect(clippy::cast_precision_loss, reason = "exact up to millions of years")]
        self.execute(sql, &[&(seconds as f64)]).await?;
        self.shared.database.jobs_submitted().notify_one();
        Ok(())
    }

    async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<(), Error> {
        self.shared.database.client().execute(sql, values).await?;
        Ok(())
    }
}
