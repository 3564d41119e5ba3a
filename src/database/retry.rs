//! Which requests are repeated, how often, and after which pauses. Every loop that repeats a
//! request takes its limits from the policies here, and no loop repeats what another one repeats.
//!
//! One request is sent outside of the policies: a fence that failed over a second connection is
//! sent again over the connection of the run (`engine/cluster.rs`).

use std::time::Duration;

use tokio::time::Instant;

/// Why a failed request may succeed when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryReason {
    /// It lost against a concurrent change (SQLSTATE 40001), and all of it was rolled back.
    Conflict,
    /// It may have been applied. Only a request that may be applied twice is sent again.
    UnknownOutcome,
    /// No session could be opened, so it was not sent.
    NotConnected,
    /// The server, the cluster or the lease is not available yet.
    NotReady,
}

/// An error that knows whether its request may be repeated.
pub trait Retryable {
    /// The reason to repeat the request; `None` if the same request would fail again.
    fn retry_reason(&self) -> Option<RetryReason>;
}

/// When a request is repeated, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The failures after which the request is sent again.
    reasons: &'static [RetryReason],
    /// How many times it is sent in all, the first time included.
    attempts: u32,
    /// How many of these may end with an unknown outcome or without a session.
    unknown_outcomes: u32,
    /// How much time may pass from the first failure to the last attempt.
    within: Duration,
    pause: Backoff,
}

/// Pauses that double from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Backoff {
    first: Duration,
    longest: Duration,
    /// Whether each pause is shortened by a random part, up to half of it, so that two sessions
    /// that conflicted do not meet again.
    jitter: bool,
}

const JITTERED: Backoff =
    Backoff { first: Duration::from_millis(40), longest: Duration::from_secs(2), jitter: true };

/// For policies that count attempts instead of time.
const ANY_TIME: Duration = Duration::MAX;

/// For policies that count time instead of attempts.
const ANY_NUMBER: u32 = u32::MAX;

/// A transaction that may be sent again only when it was rolled back. Conflicts are normal on
/// DSQL: a schema change in one session, even a `GRANT`, causes one `OC001` conflict in every
/// other session.
pub const CONFLICT: RetryPolicy = RetryPolicy {
    reasons: &[RetryReason::Conflict],
    attempts: 12,
    unknown_outcomes: 0,
    within: ANY_TIME,
    pause: JITTERED,
};

/// A read. It is sent at most 4 times if every reply is lost, and at most 12 times in any mix of
/// conflicts and lost replies. `XX000` counts as a lost reply: a former session may still change
/// the catalog during the read.
pub const READ: RetryPolicy = RetryPolicy {
    reasons: &[RetryReason::Conflict, RetryReason::UnknownOutcome],
    unknown_outcomes: 4,
    ..CONFLICT
};

/// A claim of the lease, or the fence against a former connection. The owner may repeat both. They
/// are sent as often as a read, and a session that could not be opened counts as a lost reply.
pub const CLAIM: RetryPolicy = RetryPolicy {
    reasons: &[RetryReason::Conflict, RetryReason::UnknownOutcome, RetryReason::NotConnected],
    ..READ
};

/// Recovery after an unknown outcome, as long as the run makes no progress in between: a message
/// over the server's limit, for one, ends every connection.
pub const RECOVERY: RetryPolicy = RetryPolicy {
    reasons: &[RetryReason::UnknownOutcome],
    attempts: 4,
    unknown_outcomes: 4,
    within: ANY_TIME,
    pause: JITTERED,
};

/// The statements that create the ledger. All of them have `IF NOT EXISTS`, so they may be applied
/// twice.
pub const CREATE_LEDGER: RetryPolicy = RetryPolicy { unknown_outcomes: 12, ..READ };

/// A login to a cluster that is waking up or limits the rate of logins.
pub const LOGIN: RetryPolicy = RetryPolicy {
    reasons: &[RetryReason::NotReady],
    attempts: ANY_NUMBER,
    unknown_outcomes: 0,
    within: Duration::from_secs(60),
    pause: JITTERED,
};

/// A claim while another run holds the lease: longer than the lease of a dead run lives.
pub const LEASE: RetryPolicy = RetryPolicy {
    pause: Backoff {
        first: Duration::from_millis(50),
        longest: Duration::from_secs(1),
        jitter: false,
    },
    ..LOGIN
};

/// A cluster that is being created, which takes a minute or two.
pub const CLUSTER_ACTIVE: RetryPolicy = RetryPolicy {
    within: Duration::from_secs(4 * 60),
    pause: Backoff {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(5),
        jitter: false,
    },
    ..LOGIN
};

impl RetryPolicy {
    /// How much time may pass from the first failure to the last attempt.
    #[must_use]
    pub const fn within(&self) -> Duration {
        self.within
    }
}

/// Counts the failed attempts of one request, and decides whether there is another.
#[derive(Debug, Clone)]
pub struct Attempts {
    policy: &'static RetryPolicy,
    failed: u32,
    unknown_outcomes: u32,
    began: Option<Instant>,
}

impl Attempts {
    /// No attempt has failed yet.
    #[must_use]
    pub fn new(policy: &'static RetryPolicy) -> Self {
        Self { policy, failed: 0, unknown_outcomes: 0, began: None }
    }

    /// Counts a failure and waits for the pause that the policy demands. Returns whether to send
    /// the request again: false if the error does not allow it, or if the policy's limit is
    /// reached.
    pub async fn should_retry(&mut self, error: &impl Retryable) -> bool {
        let pause = error.retry_reason().and_then(|reason| self.pause_after(reason));
        if let Some(pause) = pause {
            tracing::debug!(attempt = self.failed, ?pause, "trying again");
            tokio::time::sleep(pause).await;
        }
        pause.is_some()
    }

    /// Counts a failure, and returns the pause before the next attempt; `None` if there is to be
    /// none. For a caller that can stop waiting earlier.
    pub fn pause_after(&mut self, reason: RetryReason) -> Option<Duration> {
        let pause = self.policy.pause.before_retry(self.failed.saturating_add(1));
        self.count(reason, pause)
    }

    /// As [`Attempts::pause_after`], for a failure that lasts for a known `remaining` time. The
    /// pause is as long, between the first and the longest pause of the policy.
    pub fn pause_until(&mut self, reason: RetryReason, remaining: Duration) -> Option<Duration> {
        let Backoff { first, longest, .. } = self.policy.pause;
        self.count(reason, remaining.clamp(first, longest))
    }

    fn count(&mut self, reason: RetryReason, pause: Duration) -> Option<Duration> {
        let began = *self.began.get_or_insert_with(Instant::now);
        self.failed = self.failed.saturating_add(1);
        let RetryPolicy { reasons, attempts, unknown_outcomes, within, .. } = *self.policy;
        if matches!(reason, RetryReason::UnknownOutcome | RetryReason::NotConnected) {
            self.unknown_outcomes += 1;
            if self.unknown_outcomes >= unknown_outcomes {
                return None;
            }
        }
        let is_in_time = began.elapsed().saturating_add(pause) <= within;
        (reasons.contains(&reason) && self.failed < attempts && is_in_time).then_some(pause)
    }

    /// Forgets the failures, because the run has made progress since.
    pub fn reset(&mut self) {
        *self = Self::new(self.policy);
    }
}

impl Backoff {
    /// The pause before retry `n`, counted from 1.
    fn before_retry(self, n: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << (n - 1).min(16)).min(self.longest);
        if self.jitter { doubled.mul_f64(0.5 + fastrand::f64() / 2.0) } else { doubled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failed(Option<RetryReason>);

    impl Retryable for Failed {
        fn retry_reason(&self) -> Option<RetryReason> {
            self.0
        }
    }

    /// How often a request is sent whose attempts fail for these reasons, again and again.
    async fn sends(policy: &'static RetryPolicy, reasons: &[Option<RetryReason>]) -> usize {
        let mut attempts = Attempts::new(policy);
        let mut failures = reasons.iter().cycle().map(|reason| Failed(*reason));
        let mut sends = 1;
        while attempts.should_retry(&failures.next().expect("endless")).await {
            sends += 1;
        }
        sends
    }

    const CONFLICTED: Option<RetryReason> = Some(RetryReason::Conflict);
    const LOST: Option<RetryReason> = Some(RetryReason::UnknownOutcome);
    const NOT_CONNECTED: Option<RetryReason> = Some(RetryReason::NotConnected);
    const NOT_READY: Option<RetryReason> = Some(RetryReason::NotReady);

    #[tokio::test(start_paused = true)]
    async fn a_read_is_sent_4_times_if_every_reply_is_lost_and_12_times_in_the_worst_mix() {
        assert_eq!(sends(&READ, &[LOST]).await, 4);
        assert_eq!(sends(&READ, &[CONFLICTED]).await, 12);
        for lost_every in 2..12 {
            let mut mix = vec![CONFLICTED; lost_every];
            mix[lost_every - 1] = LOST;
            let sends = sends(&READ, &mix).await;
            assert!(sends <= 12, "a lost reply at every attempt {lost_every}: {sends}");
        }
        assert_eq!(sends(&READ, &[None]).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_claim_is_repeated_if_no_session_could_be_opened() {
        assert_eq!(sends(&CLAIM, &[NOT_CONNECTED]).await, 4);
        assert_eq!(sends(&CLAIM, &[LOST, NOT_CONNECTED]).await, 4, "together");
        for policy in [&READ, &CONFLICT, &CREATE_LEDGER, &RECOVERY] {
            assert_eq!(sends(policy, &[NOT_CONNECTED]).await, 1, "{policy:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_repeated_only_when_it_was_rolled_back() {
        assert_eq!(sends(&CONFLICT, &[CONFLICTED]).await, 12);
        for reason in [LOST, NOT_READY, None] {
            assert_eq!(sends(&CONFLICT, &[reason]).await, 1, "{reason:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_is_repeated_for_a_minute() {
        let began = Instant::now();
        sends(&LOGIN, &[NOT_READY]).await;
        let elapsed = began.elapsed();
        assert!(elapsed <= LOGIN.within && elapsed >= LOGIN.within / 2, "{elapsed:?}");
        assert_eq!(sends(&LOGIN, &[CONFLICTED]).await, 1);
    }

    #[test]
    fn pauses_grow_up_to_the_longest_of_the_policy() {
        for retry in 1..40 {
            let pause = JITTERED.before_retry(retry);
            assert!(pause >= Duration::from_millis(20), "retry {retry}: {pause:?}");
            assert!(pause <= Duration::from_secs(2), "retry {retry}: {pause:?}");
        }
        assert!(JITTERED.before_retry(1) < JITTERED.before_retry(7));
    }

    #[tokio::test(start_paused = true)]
    async fn progress_starts_the_count_again() {
        let mut attempts = Attempts::new(&RECOVERY);
        for _ in 0..3 {
            assert!(attempts.pause_after(RetryReason::UnknownOutcome).is_some());
        }
        assert_eq!(attempts.clone().pause_after(RetryReason::UnknownOutcome), None);
        attempts.reset();
        assert!(attempts.pause_after(RetryReason::UnknownOutcome).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_for_a_known_time_is_as_long_within_the_bounds_of_the_policy() {
        let mut attempts = Attempts::new(&LEASE);
        let short = Duration::from_millis(700);
        let pause = attempts.pause_until(RetryReason::NotReady, short);
        assert_eq!(pause, Some(short));
        let pause = attempts.pause_until(RetryReason::NotReady, Duration::from_secs(20));
        assert_eq!(pause, Some(LEASE.pause.longest));
        let pause = attempts.pause_until(RetryReason::NotReady, Duration::ZERO);
        assert_eq!(pause, Some(LEASE.pause.first), "however many attempts have failed");
    }
}
