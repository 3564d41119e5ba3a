//! What a test does to a running cluster and reads from it, through the methods of `Cluster` and
//! through the control port.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::journal::LoggedStatement;
use super::shared::Shared;
use crate::faults::Faults;

/// A row of `sys.jobs`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// ID of the job, 26 characters.
    pub id: String,
    /// `INDEX_BUILD`, `VALIDATE_CONSTRAINT`, `DROP` or `ANALYZE`.
    pub job_type: String,
    /// `submitted`, `processing`, `completed` or `failed`.
    pub status: String,
    /// Reason for a failure, or why a completed job had nothing to do.
    pub details: Option<String>,
    /// Index or table as `schema.name`, `None` after it was dropped.
    pub object_name: Option<String>,
}

/// A job that failed because of [`Cluster::fail_job`](crate::Cluster::fail_job).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FiredJobFault {
    /// ID of the job, 26 characters.
    pub job_id: String,
    /// Index or table of the job, as `schema.name`.
    pub object_name: String,
}

/// Default lifetime of a token, as in the AWS SDKs.
const LIFE: Duration = Duration::from_secs(900);

#[derive(Clone)]
pub(crate) struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn hostname(&self) -> &str {
        &self.shared.hostname
    }

    pub(crate) fn token(&self, host: &str, user: &str) -> String {
        let Shared { region, credentials, .. } = &*self.shared;
        // Without any keys, no token can be valid.
        let signer = credentials.first();
        signer.map_or(String::new(), |signer| signer.token(host, region, user, LIFE))
    }

    pub(crate) async fn ended(&self) {
        self.shared.database.ended().await;
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    pub(crate) fn received(&self) -> usize {
        self.shared.journal.len()
    }

    pub(crate) fn statements_since(&self, first: usize) -> Vec<LoggedStatement> {
        self.shared.journal.since(first)
    }

    pub(crate) fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::SeqCst)
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.shared.conflicts.open_sessions()
    }

    pub(crate) async fn hold_jobs(&self) -> Result<(), Error> {
        self.execute("UPDATE dsql_internal.control SET jobs_held = true", &[]).await
    }

    pub(crate) async fn release_jobs(&self) -> Result<(), Error> {
        self.execute("UPDATE dsql_internal.control SET jobs_held = false", &[]).await?;
        self.shared.database.jobs_submitted().notify_one();
        Ok(())
    }

    pub(crate) async fn fail_job(&self, object: &str, details: &str) -> Result<(), Error> {
        let sql = "INSERT INTO dsql_internal.job_faults (object_name, details) VALUES ($1, $2)";
        self.execute(sql, &[&object, &details]).await
    }

    pub(crate) async fn fired_job_faults(&self) -> Result<Vec<FiredJobFault>, Error> {
        let sql = "SELECT job_id, object_name FROM dsql_internal.job_faults
                   WHERE job_id IS NOT NULL ORDER BY rule";
        let fault =
            |row: &Row| Ok(FiredJobFault { job_id: row.try_get(0)?, object_name: row.try_get(1)? });
        self.shared.database.client().query(sql, &[]).await?.iter().map(fault).collect()
    }

    pub(crate) async fn purge_jobs(&self) -> Result<(), Error> {
        let sql = "DELETE FROM dsql_internal.jobs WHERE status IN ('completed', 'failed')";
        self.execute(sql, &[]).await
    }

    pub(crate) async fn submit_analyze(&self, table: &str) -> Result<(), Error> {
        let sql = "SELECT dsql_internal.submit('ANALYZE', relation, relation, NULL, NULL)
                   FROM (SELECT $1::text::regclass AS relation) r";
        self.execute(sql, &[&table]).await
    }

    pub(crate) async fn jobs(&self) -> Result<Vec<Job>, Error> {
        let sql = "SELECT job_id, job_type, status, details, object_name FROM sys.jobs
                   ORDER BY start_time";
        let job = |row: &Row| {
            Ok(Job {
                id: row.try_get(0)?,
                job_type: row.try_get(1)?,
                status: row.try_get(2)?,
                details: row.try_get(3)?,
                object_name: row.try_get(4)?,
            })
        };
        self.shared.database.client().query(sql, &[]).await?.iter().map(job).collect()
    }

    pub(crate) async fn skew_clock(&self, seconds: i64) -> Result<(), Error> {
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
