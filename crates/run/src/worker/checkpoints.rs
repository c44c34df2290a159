//! When a worker publishes what it has, before it has all.

use std::time::{Duration, Instant};

use crate::random::jitter;

/// How often a worker publishes what is finished, and when it has to be gone.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints {
    /// The time between two of them, a tenth more or less, so that many workers don't publish at once.
    /// Where publishing takes over a hundredth of it, not every one publishes.
    pub every: Duration,
    /// When to publish a last time and stop.
    pub stop_at: Option<Instant>,
}

impl Checkpoints {
    /// A minute, which bounds what a death costs, and how long others work on after a run is stopped.
    pub const EVERY: Duration = Duration::from_secs(60);
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            every: Self::EVERY,
            stop_at: None,
        }
    }
}

/// When the next checkpoint is, and whether it publishes.
pub(super) struct Timer {
    every: Duration,
    next: Instant,
    publish_from: Instant,
}

/// Publishing takes at most one part in so many of a worker's time.
const WORK_FOR_PUBLISHING: u32 = 100;

impl Timer {
    pub(super) fn new(checkpoints: &Checkpoints) -> Self {
        let now = Instant::now();
        let mut timer = Self {
            every: checkpoints.every,
            next: now,
            publish_from: now,
        };
        timer.set();
        timer
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Sets the next one.
    pub(super) fn set(&mut self) {
        self.next = Instant::now() + self.every.mul_f64(0.9 + 0.2 * jitter());
    }

    /// Whether enough work was done since the last publishing.
    pub(super) fn may_publish(&self) -> bool {
        Instant::now() >= self.publish_from
    }

    /// Notes that publishing took `took`.
    pub(super) fn published(&mut self, took: Duration) {
        self.publish_from = Instant::now() + took.saturating_mul(WORK_FOR_PUBLISHING);
    }
}
