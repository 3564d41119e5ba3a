//! The cluster's clock, which a test can set. It determines the age of tokens, jobs, transactions
//! and connections, and the time in SQL.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// The clock itself. PostgreSQL has a copy of the skew in `dsql_internal.control`.
#[derive(Debug)]
pub(crate) struct Clock {
    /// How far the clock is ahead of the machine's, in seconds.
    skew: watch::Sender<i64>,
}

/// A point in time by the cluster's clock, from which to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    real: Instant,
    skew: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { skew: watch::Sender::new(0) }
    }
}

impl Clock {
    /// Returns the current time in seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        real.saturating_add_signed(self.skew())
    }

    pub(crate) fn set_skew(&self, seconds: i64) {
        self.skew.send_replace(seconds);
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment { real: Instant::now(), skew: self.skew() }
    }

    /// Returns the time since the moment, or zero if the clock has been set back to before it.
    pub(crate) fn since(&self, moment: Moment) -> Duration {
        let moved = self.skew().saturating_sub(moment.skew);
        let by = Duration::from_secs(moved.unsigned_abs());
        let real = moment.real.elapsed();
        if moved < 0 { real.saturating_sub(by) } else { real.saturating_add(by) }
    }

    /// Returns when the moment is `lifetime` ago, because time has passed or because the clock was
    /// set.
    pub(crate) async fn passes(&self, moment: Moment, lifetime: Duration) {
        let mut skew = self.skew.subscribe();
        while let left = lifetime.saturating_sub(self.since(moment))
            && !left.is_zero()
        {
            // Either way, the condition is checked again.
            tokio::time::timeout(left, skew.changed()).await.ok();
        }
    }

    fn skew(&self) -> i64 {
        *self.skew.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_differs_by_its_skew() {
        let clock = Clock::default();
        let real = clock.now();

        clock.set_skew(-3600);

        let behind = real - clock.now();
        assert!((3595..=3600).contains(&behind), "{behind}");
    }

    #[tokio::test]
    async fn the_time_since_a_moment_follows_the_clock() {
        let (hour, clock) = (Duration::from_secs(3600), Clock::default());
        let moment = clock.moment();
        let (passes, sets) = (clock.passes(moment, hour), async { clock.set_skew(3600) });

        tokio::join!(passes, sets);

        assert!(clock.since(moment) >= hour);
        clock.set_skew(-3600);
        assert_eq!(clock.since(moment), Duration::ZERO);
    }
}
