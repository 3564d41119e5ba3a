//! How long a run may take, and whether somebody wants it to end.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a run must end before its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetEnd {
    /// The practitioner interrupted it.
    Cancelled,
    /// Its time is used up.
    TimedOut(Duration),
}

impl fmt::Display for BudgetEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the run was interrupted"),
            Self::TimedOut(limit) => {
                write!(f, "the run used up its time of {} s", limit.as_secs_f64())
            }
        }
    }
}

/// The limits of one run: asked between strings of transactions and while waiting. What is on its
/// way when they end is brought to the end of a statement, see [`super::cluster`].
#[derive(Debug, Clone)]
pub struct Budget {
    cancelled: CancellationToken,
    limit: Duration,
    deadline: Instant,
    grace: Duration,
}

/// How long a statement that is on its way may still take when the time of its run is over.
const GRACE: Duration = Duration::from_secs(30);

impl Budget {
    /// A budget that starts now.
    #[must_use]
    pub fn new(limit: Duration, cancelled: CancellationToken) -> Self {
        Self { cancelled, limit, deadline: Instant::now() + limit, grace: GRACE }
    }

    /// With another grace for what is on its way when it ends; 30 seconds if this is not called.
    #[must_use]
    pub fn grace_period(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Waits for something, but not longer than the grace after the budget has ended.
    ///
    /// # Errors
    /// The grace, if it was not enough.
    pub async fn with_grace<T>(&self, work: impl Future<Output = T>) -> Result<T, Duration> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            result = &mut work => return Ok(result),
            () = self.ended() => {}
        }
        tokio::time::timeout(self.grace, work).await.map_err(|_| self.grace)
    }

    /// Waits for something that may be left at any time, but not beyond the budget.
    ///
    /// # Errors
    /// The reason why the run must end; the work is dropped.
    pub async fn within_budget<T>(&self, work: impl Future<Output = T>) -> Result<T, BudgetEnd> {
        tokio::select! {
            biased;
            result = work => Ok(result),
            () = self.ended() => Err(self.check().err().unwrap_or(BudgetEnd::TimedOut(self.limit))),
        }
    }

    /// Whether the run may begin something new.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self) -> Result<(), BudgetEnd> {
        if self.cancelled.is_cancelled() {
            Err(BudgetEnd::Cancelled)
        } else if Instant::now() >= self.deadline {
            Err(BudgetEnd::TimedOut(self.limit))
        } else {
            Ok(())
        }
    }

    /// Waits until the run must end.
    pub async fn ended(&self) {
        // Both ends are the same to who waits.
        let _ended =
            self.cancelled.run_until_cancelled(tokio::time::sleep_until(self.deadline)).await;
    }

    /// Waits, but not beyond the budget.
    ///
    /// # Errors
    /// The reason why the run must end.
    pub async fn pause(&self, duration: Duration) -> Result<(), BudgetEnd> {
        let until = (Instant::now() + duration).min(self.deadline);
        // Both ends lead to the same question.
        let _ended = self.cancelled.run_until_cancelled(tokio::time::sleep_until(until)).await;
        self.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_may_be_left_ends_with_the_budget_and_says_why() {
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
