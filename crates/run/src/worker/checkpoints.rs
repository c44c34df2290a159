//! When a worker publishes what it has, before it has all.

use std::time::{Duration, Instant};

use crate::random::jitter;

/// How often a worker publishes what is finished, and when it has to be gone.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints {
    /// The time between two of them, a tenth more or less, so that many workers don't publish at once.
    /// Longer where publishing takes over a hundredth of it.
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

/// The next checkpoint.
pub(super) struct Timer {
    every: Duration,
    next: Instant,
}

/// Publishing takes at most one part in so many of a worker's time.
const WORK_FOR_PUBLISHING: u32 = 100;

impl Timer {
    pub(super) fn new(checkpoints: &Checkpoints) -> Self {
        let mut timer = Self {
            every: checkpoints.every,
            next: Instant::now(),
        };
        timer.set(Duration::ZERO);
        timer
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Sets the next one, after one that took `took`.
    pub(super) fn set(&mut self, took: Duration) {
        let jittered = self.every.mul_f64(0.9 + 0.2 * jitter());
        self.next = Instant::now() + jittered.max(took.saturating_mul(WORK_FOR_PUBLISHING));
    }
}
