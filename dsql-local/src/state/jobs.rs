//! The clock of the asynchronous jobs: it moves them on while there are any.

use std::time::Duration;

use super::database::Database;

/// Runs until the connection ends.
pub(crate) async fn run(database: &Database, delay: Duration) {
    let sql =
        format!("SELECT dsql_internal.run_jobs(interval '{} milliseconds')", delay.as_millis());
    let tick = (delay / 10).clamp(Duration::from_millis(5), Duration::from_millis(100));
    let client = database.client();
    let pending = async || client.query_one(&sql, &[]).await.ok()?.try_get::<_, i64>(0).ok();
    while !client.is_closed() {
        database.jobs_submitted().notified().await;
        // An error is a conflict with a client, which the next tick does not meet.
        while pending().await != Some(0) && !client.is_closed() {
            tokio::time::sleep(tick).await;
        }
    }
}
