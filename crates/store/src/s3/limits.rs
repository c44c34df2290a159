//! Every deadline and pause, derived from [`Options`] in one place.
//!
//! | | default | at a timeout of 6 s |
//! |---|---|---|
//! | connect | 3 s | 2 s |
//! | one attempt, and its first byte | 20 s | 2 s |
//! | credentials | 15 s | 1.5 s |
//! | an operation, all attempts | 60 s | 6 s |
//! | first pause at most (full jitter, then doubled) | 1 s | 0.1 s |
//!
//! A body adds its size at 1 MB/s to an attempt, and twice that to an operation, so that one repeat fits.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

use crate::{Options, random};

/// A slower line than any that a run should be kept on.
const BYTES_PER_SECOND: u64 = 1_000_000;
/// Bodies that are sent in less than a second by that measure need no time of their own.
const SMALL: u64 = BYTES_PER_SECOND;

#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) attempts: u32,
    timeout: Duration,
}

impl Limits {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            attempts: options.attempts.max(1),
            timeout: options.timeout,
        }
    }

    /// How long an operation may take in all.
    pub(super) fn operation(&self, body: u64) -> Duration {
        self.timeout + 2 * transfer(body)
    }

    /// How long one attempt may take.
    pub(super) fn attempt(&self, body: u64) -> Duration {
        self.timeout / 3 + transfer(body)
    }

    pub(super) fn credentials(&self) -> Duration {
        self.timeout / 4
    }

    pub(super) fn timeouts(&self, body: u64) -> TimeoutConfig {
        let attempt = self.attempt(body);
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3).min(self.timeout / 3))
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .operation_timeout(self.operation(body))
            .build()
    }

    /// Other timeouts than the client's, for a body that needs them.
    pub(super) fn for_body(&self, body: u64) -> Option<TimeoutConfig> {
        (body > SMALL).then(|| self.timeouts(body))
    }

    pub(super) fn retries(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_initial_backoff(self.first_pause())
    }

    /// Waits before a repeat of ours, as the SDK does before its own: anything up to a bound that doubles, so that a
    /// herd spreads out.
    pub(super) async fn pause_before(&self, attempt: u32) {
        if attempt > 0 {
            let most = self.first_pause() * 2_u32.saturating_pow(attempt - 1).min(1 << 10);
            tokio::time::sleep(most.mul_f64(random::fraction())).await;
        }
    }

    fn first_pause(&self) -> Duration {
        (self.timeout / 60).min(Duration::from_secs(1))
    }
}

fn transfer(body: u64) -> Duration {
    if body > SMALL {
        Duration::from_secs(body.div_ceil(BYTES_PER_SECOND))
    } else {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_above() {
        let seconds = Duration::from_secs_f64;
        for (timeout, connect, attempt, credentials, pause) in
            [(60.0, 3.0, 20.0, 15.0, 1.0), (6.0, 2.0, 2.0, 1.5, 0.1)]
        {
            let limits = Limits::new(&Options {
                timeout: seconds(timeout),
                ..Options::default()
            });
            let timeouts = limits.timeouts(0);
            assert_eq!(timeouts.connect_timeout(), Some(seconds(connect)));
            assert_eq!(timeouts.read_timeout(), Some(seconds(attempt)));
            assert_eq!(timeouts.operation_attempt_timeout(), Some(seconds(attempt)));
            assert_eq!(timeouts.operation_timeout(), Some(seconds(timeout)));
            assert_eq!(limits.credentials(), seconds(credentials));
            assert_eq!(limits.first_pause(), seconds(pause));
        }
    }

    #[test]
    fn half_a_gigabyte_may_take_its_time_twice() {
        let limits = Limits::new(&Options::default());
        let timeouts = limits.for_body(500_000_000).unwrap();
        assert_eq!(
            timeouts.operation_attempt_timeout(),
            Some(Duration::from_secs(520))
        );
        assert_eq!(timeouts.read_timeout(), Some(Duration::from_secs(520)));
        assert_eq!(
            timeouts.operation_timeout(),
            Some(Duration::from_secs(1060))
        );
        assert!(limits.for_body(4096).is_none());
    }
}
