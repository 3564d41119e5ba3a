//! The time limit of one operation: of a plan, a refresh, an apply or the read of a data source.
//! An interrupt ends it early.

use std::time::Duration;

use super::clusters::Clusters;
use super::diagnostics;
use crate::database::Target;
use crate::diagnostic::Diagnostic;
use crate::engine::{Budget, BudgetEnd};
use crate::value::AttributePath;

/// The limit of a read that no argument limits.
const DEFAULT_READ: Duration = super::timeouts::DEFAULT_READ;

/// A time limit that started when it was created.
#[derive(Clone)]
pub(crate) struct TimeLimit {
    pub(super) budget: Budget,
    /// The argument that sets it; `None` if there is none.
    argument: Option<&'static str>,
}

impl TimeLimit {
    /// The limit that an argument sets.
    pub(super) fn new(clusters: &Clusters, limit: Duration, argument: &'static str) -> Self {
        Self { budget: Budget::new(limit, clusters.cancelled()), argument: Some(argument) }
    }

    /// The limit of a data source or an import, which have no argument for it.
    pub(super) fn fixed(clusters: &Clusters) -> Self {
        Self { budget: Budget::new(DEFAULT_READ, clusters.cancelled()), argument: None }
    }

    /// Waits for a read of a cluster.
    ///
    /// # Errors
    /// The limit has ended. The read is dropped.
    pub(super) async fn of_cluster<T>(
        &self,
        target: &Target,
        read: impl Future<Output = T>,
    ) -> Result<T, Diagnostic> {
        self.budget.within_budget(Box::pin(read)).await.map_err(|end| match end {
            BudgetEnd::TimedOut(limit) => diagnostics::no_answer(target, limit, self.argument),
            BudgetEnd::Cancelled => diagnostics::interrupted(target),
        })
    }

    /// Waits for a read of files, which may block: a network file system does when its server is
    /// gone. The thread of such a read does not end.
    ///
    /// # Errors
    /// The limit has ended, with the `path` of the argument that names the files.
    pub(super) async fn of_files<T: Send + 'static>(
        &self,
        path: AttributePath,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Diagnostic> {
        let read = tokio::task::spawn_blocking(read);
        match self.budget.within_budget(read).await {
            Ok(Ok(read)) => Ok(read),
            // As if it had run here: one handler reports all panics.
            Ok(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
            Err(BudgetEnd::TimedOut(limit)) => {
                Err(diagnostics::files_not_read(limit, self.argument).at(path))
            }
            Err(BudgetEnd::Cancelled) => Err(diagnostics::files_interrupted().at(path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::diagnostic::Title;
    use crate::provider::settings::Environment;

    fn clusters() -> Clusters {
        Clusters::new(Environment::default())
    }

    /// Reads a file of a server that is gone.
    async fn hang(limit: &TimeLimit) -> Diagnostic {
        let (release, released) = mpsc::channel::<()>();
        let read = limit.of_files("dir".into(), move || released.recv().is_ok()).await;
        drop(release);
        read.expect_err("nothing was read")
    }

    #[tokio::test]
    async fn a_read_of_files_that_does_not_return_ends_at_the_limit() {
        let limit = TimeLimit::new(&clusters(), Duration::from_millis(20), "timeouts.read");
        let error = hang(&limit).await;
        assert_eq!(error.summary, Title::FilesReadTimedOut.text());
        assert!(error.detail.contains("0.02 s, which is the limit in timeouts.read."));
        assert_eq!(error.path, Some("dir".into()));
        let read = TimeLimit::fixed(&clusters()).of_files("dir".into(), || 1).await;
        assert_eq!(read.expect("the file was read"), 1);
    }

    #[tokio::test]
    async fn an_interrupt_ends_a_read() {
        let clusters = clusters();
        let limit = TimeLimit::fixed(&clusters);
        let interrupt = async {
            tokio::task::yield_now().await;
            clusters.stop();
        };
        let (error, ()) = tokio::join!(hang(&limit), interrupt);
        assert_eq!(error.summary, Title::ReadCancelled.text());
        let target = Target::new("localhost");
        let error = limit.of_cluster(&target, std::future::pending::<()>()).await;
        assert_eq!(error.expect_err("interrupted").summary, Title::ReadCancelled.text());
    }

    #[tokio::test]
    async fn the_limit_of_a_data_source_names_no_argument() {
        let target = Target::new("localhost");
        let mut limit = TimeLimit::fixed(&clusters());
        limit.budget = Budget::new(Duration::from_millis(1), clusters().cancelled());
        let error = limit.of_cluster(&target, std::future::pending::<()>()).await;
        let detail = error.expect_err("too late").detail;
        assert!(detail.ends_with("took longer than 0.001 s."), "{detail}");
    }

    #[tokio::test]
    #[should_panic(expected = "of a file")]
    async fn a_panic_while_files_are_read_is_passed_on() {
        let limit = TimeLimit::fixed(&clusters());
        drop(limit.of_files("dir".into(), || panic!("of a file")).await);
    }
}
