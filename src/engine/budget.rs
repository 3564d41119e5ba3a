//! How long a run may take, and whether it was cancelled.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a run has to end before it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetEnd {
    /// Terraform asked the provider to stop.
    Cancelled,
    /// It exceeded this time limit.
    TimedOut(Duration),
}

impl fmt::Display for BudgetEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the run was cancelled"),
            Self::TimedOut(limit) => {
                write!(f, "the run exceeded its time limit of {} s", limit.as_secs_f64())
            }
        }
    }
}

/// The limits of one run. They are checked between messages and while the run waits. A message in
/// flight is ended at a statement boundary, see `engine/cluster.rs`.
#[derive(Debug, Clone)]
pub struct Budget {
    cancelled: CancellationToken,
    limit: Duration,
    deadline: Instant,
    grace: Duration,
}

/// How long a request in flight may still take after the budget has ended.
const GRACE: Duration = Duration::from_secs(30);

impl Budget {
    /// Creates a budget that starts now.
    #[must_use]
    pub fn new(limit: Duration, cancelled: CancellationToken) -> Self {
        Self { cancelled, limit, deadline: Instant::now() + limit, grace: GRACE }
    }

    /// Sets how long a request in flight may still take after the budget has ended, by default 30
    /// seconds.
    #[must_use]
    pub fn grace_period(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Waits for work that must not be dropped, up to the grace period after the budget has ended.
    ///
    /// # Errors
    /// The grace period, if it has passed.
    pub async fn with_grace<T>(&self, work: impl Future<Output = T>) -> Result<T, Duration> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            result = &mut work => return Ok(result),
            () = self.ended() => {}
        }
        tokio::time::timeout(self.grace, work).await.map_err(|_| self.grace)
    }

    /// Waits for work that may be dropped at any point, until the budget ends.
    ///
    /// # Errors
    /// Why the budget has ended. The work is dropped.
    pub async fn within_budget<T>(&self, work: impl Future<Output = T>) -> Result<T, BudgetEnd> {
        tokio::select! {
            biased;
            result = work => Ok(result),
            () = self.ended() => Err(self.check().err().unwrap_or(BudgetEnd::TimedOut(self.limit))),
        }
    }

    /// Whether the run may start something new.
    ///
    /// # Errors
    /// Why the budget has ended.
    pub fn check(&self) -> Result<(), BudgetEnd> {
        if self.cancelled.is_cancelled() {
            Err(BudgetEnd::Cancelled)
        } else if Instant::now() >= self.deadline {
            Err(BudgetEnd::TimedOut(self.limit))
        } else {
            Ok(())
        }
    }

    /// Waits until the budget ends.
    pub async fn ended(&self) {
        // The caller does not need to know which of the two happened.
        let _ended =
            self.cancelled.run_until_cancelled(tokio::time::sleep_until(self.deadline)).await;
    }

    /// Waits for a duration, or until the budget ends.
    ///
    /// # Errors
    /// Why the budget has ended.
    pub async fn pause(&self, duration: Duration) -> Result<(), BudgetEnd> {
        let until = (Instant::now() + duration).min(self.deadline);
        // The check below distinguishes the two.
        let _ended = self.cancelled.run_until_cancelled(tokio::time::sleep_until(until)).await;
        self.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_may_be_dropped_ends_with_the_budget_and_reports_why() {
        let limit = Duration::from_secs(60);
        let cancelled = CancellationToken::new();
        let budget = Budget::new(limit, cancelled.clone());
        assert_eq!(budget.within_budget(async { 1 }).await, Ok(1));
        let endless = std::future::pending::<()>;
        assert_eq!(budget.within_budget(endless()).await, Err(BudgetEnd::TimedOut(limit)));

        let budget = Budget::new(limit, cancelled.clone());
        let (ended, ()) = tokio::join!(budget.within_budget(endless()), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancelled.cancel();
        });
        assert_eq!(ended, Err(BudgetEnd::Cancelled));
        assert!(budget.deadline > Instant::now() + limit / 2, "long before its time");
    }
}
