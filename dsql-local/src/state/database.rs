//! The emulator's own connection to its PostgreSQL, for jobs, IAM mappings, and the settings of
//! tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::pg::{SUPERUSER, Server};

/// Time between two attempts to connect to a server that starts.
const STARTUP_POLL: Duration = Duration::from_millis(5);

/// How long a server must appear to have ended before that is certain, because the loader of the
/// program may log something before the server starts.
const ENDED: Duration = Duration::from_secs(1);

pub(crate) struct Database {
    client: Client,
    /// Notified when a transaction that submitted a job has committed.
    jobs_submitted: Arc<Notify>,
    /// Closed together with the connection.
    connected: watch::Receiver<()>,
}

impl Database {
    /// Connects as soon as PostgreSQL accepts connections. Returns `None` if that takes longer than
    /// `patience`, or if the server has ended.
    pub(crate) async fn connect(server: &Server, patience: Duration) -> Option<Self> {
        let mut config = Config::new();
        config.host_path(server.socket_dir()).user(SUPERUSER).dbname("postgres");
        let started = Instant::now();
        let mut last_alive = started;
        let (client, mut connection) = loop {
            if let Ok(connected) = config.connect(NoTls).await {
                break connected;
            }
            if !server.seems_ended() {
                last_alive = Instant::now();
            }
            if started.elapsed() >= patience || last_alive.elapsed() >= ENDED {
                return None;
            }
            tokio::time::sleep(STARTUP_POLL).await;
        };
        let jobs_submitted = Arc::new(Notify::new());
        let submitted = Arc::clone(&jobs_submitted);
        let (connection_ends, connected) = watch::channel(());
        // Ends with the client, which `Self` keeps.
        tokio::spawn(async move {
            let _until_the_end = connection_ends;
            while let Some(Ok(message)) =
                std::future::poll_fn(|cx| connection.poll_message(cx)).await
            {
                if matches!(message, AsyncMessage::Notification(_)) {
                    submitted.notify_one();
                }
            }
        });
        client.batch_execute("LISTEN dsql_internal_jobs").await.ok()?;
        // A cluster that is started again resumes its jobs, with the clock reset.
        client
            .batch_execute("UPDATE dsql_internal.control SET skew = '0', jobs_held = false")
            .await
            .ok()?;
        jobs_submitted.notify_one();
        Some(Self { client, jobs_submitted, connected })
    }

    /// Returns when PostgreSQL has ended.
    pub(crate) async fn ended(&self) {
        let mut connected = self.connected.clone();
        // Nothing is ever sent, and the sender is dropped with the connection.
        while connected.changed().await.is_ok() {}
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns whether `AWS IAM GRANT` has mapped the role to this ARN.
    pub(crate) async fn is_mapped(&self, arn: &str, role: &str) -> bool {
        let sql = "SELECT FROM sys.iam_pg_role_mappings WHERE arn = $1 AND pg_role_name = $2";
        self.client.query_opt(sql, &[&arn, &role]).await.is_ok_and(|row| row.is_some())
    }

    pub(crate) fn jobs_submitted(&self) -> &Notify {
        &self.jobs_submitted
    }
}
