//! The cluster's clock, which a test may set: what tokens, jobs and ages are measured by.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// PostgreSQL has a copy of the skew in `dsql_internal.control`.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    skew_in_seconds: AtomicI64,
}

impl Clock {
    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        real.saturating_add_signed(self.skew_in_seconds.load(Ordering::SeqCst))
    }

    pub(crate) fn set_skew(&self, seconds: i64) {
        self.skew_in_seconds.store(seconds, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_off_by_its_skew() {
        let clock = Clock::default();
        let real = clock.now();

        clock.set_skew(-3600);

        let behind = real - clock.now();
        assert!((3595..=3600).contains(&behind), "{behind}");
    }
}
