//! Conflicts on DSQL are normal: one `GRANT` anywhere makes every other session lose once.

use std::time::Duration;

/// Attempts after which a conflict is given to the caller.
pub const ATTEMPTS: u32 = 12;

/// Waiting time before attempt `n` (counted from 1): doubles from 20 ms up to 2 s, and a random
/// half of it is left out, so that two losers do not meet again.
#[must_use]
pub fn pause_before(attempt: u32) -> Duration {
    let ceiling = Duration::from_millis(20 << attempt.min(7)).min(Duration::from_secs(2));
    ceiling.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_under_two_seconds() {
        for attempt in 1..ATTEMPTS {
            let pause = pause_before(attempt);
            assert!(pause >= Duration::from_millis(20), "attempt {attempt}: {pause:?}");
            assert!(pause <= Duration::from_secs(2), "attempt {attempt}: {pause:?}");
        }
        assert!(pause_before(1) < pause_before(7));
    }
}
