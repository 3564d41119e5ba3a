//! The progress of the asynchronous jobs, as long as there are any.

use std::time::Duration;

use super::shared::Shared;

/// Runs until the connection ends.
///
/// A job that makes an index or a constraint valid changes the catalog under the transactions that
/// are in progress.
pub(crate) async fn run(shared: &Shared, delay: Duration) {
    let Shared { database, conflicts, .. } = shared;
    let sql = format!(
        "SELECT pending, changes FROM dsql_internal.run_jobs(interval '{} milliseconds')",
        delay.as_millis()
    );
    let tick = (delay / 10).clamp(Duration::from_millis(5), Duration::from_millis(100));
    let client = database.client();
    let pending = async || {
        let mut counted = conflicts.jobs().await;
        let row = client.query_one(&sql, &[]).await.ok()?;
        *counted += u64::try_from(row.try_get::<_, i64>("changes").ok()?).unwrap_or_default();
        row.try_get::<_, i64>("pending").ok()
    };
    while !client.is_closed() {
        database.jobs_submitted().notified().await;
        // An error is a conflict with a client, which does not occur again at the next tick.
        while pending().await != Some(0) && !client.is_closed() {
            tokio::time::sleep(tick).await;
        }
    }
}
