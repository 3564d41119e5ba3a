//! The clock of the asynchronous jobs: it moves them on, by a connection of its own, while there are any.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_postgres::{Client, Config, NoTls};

use crate::pg::SUPERUSER;

/// How often the server is asked whether it is up.
const STARTUP_POLL: Duration = Duration::from_millis(5);

pub(crate) struct JobClock {
    client: Client,
}

impl JobClock {
    /// Connects as soon as PostgreSQL takes connections; `None` if it does not in time.
    pub(crate) async fn connect(socket_dir: &Path, patience: Duration) -> Option<Self> {
        let mut config = Config::new();
        config.host_path(socket_dir).user(SUPERUSER).dbname("postgres");
        let deadline = Instant::now() + patience;
        loop {
            if let Ok((client, connection)) = config.connect(NoTls).await {
                // Ends with the client, which this keeps.
                tokio::spawn(connection);
                return Some(Self { client });
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(STARTUP_POLL).await;
        }
    }

    /// Runs until its connection ends.
    pub(crate) async fn run(self, delay: Duration, submitted: &Notify) {
        let sql =
            format!("SELECT dsql_internal.run_jobs(interval '{} milliseconds')", delay.as_millis());
        let tick = (delay / 10).clamp(Duration::from_millis(5), Duration::from_millis(100));
        while !self.client.is_closed() {
            submitted.notified().await;
            // An error is a conflict with a client, which the next tick does not meet.
            while self.pending(&sql).await != Some(0) && !self.client.is_closed() {
                tokio::time::sleep(tick).await;
            }
        }
    }

    async fn pending(&self, sql: &str) -> Option<i64> {
        self.client.query_one(sql, &[]).await.ok()?.try_get(0).ok()
    }
}
