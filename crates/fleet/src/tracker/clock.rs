//! Whose time it is, and how long a lease lasts by it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Tells the time. Leases are measured by it; deadlines of requests are not.
pub trait Clock: Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that goes on when it is told to, for tests and simulation. Clones share it.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Stands at `start`.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self(Arc::new(AtomicU64::new(Millis::from(start).0)))
    }

    /// Goes on, in whole milliseconds.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(as_millis(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        Millis(self.0.load(Ordering::SeqCst)).into()
    }
}

/// By which clock a lease is measured, and for how long.
///
/// All that open one run should have the same lengths.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How long a claim or a renewal holds: 5 minutes.
    pub lease: Duration,
    /// How much longer than that others wait, so that clocks may differ by so much: 2 minutes.
    pub margin: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            lease: Duration::from_secs(300),
            margin: Duration::from_secs(120),
        }
    }
}

impl Terms {
    /// The default lengths by another clock.
    #[must_use]
    pub fn with_clock(clock: impl Clock + 'static) -> Self {
        Self {
            clock: Arc::new(clock),
            ..Self::default()
        }
    }

    /// How often to renew: five times in a lease, every 60 seconds by default. Four renewals in a row may fail.
    #[must_use]
    pub fn renew_every(&self) -> Duration {
        self.lease / 5
    }

    pub(super) fn now(&self) -> Moment {
        let now = Millis::from(self.clock.now());
        Moment {
            now,
            expires: Millis(now.0.saturating_add(as_millis(self.lease))),
            lost_before: Millis(now.0.saturating_sub(as_millis(self.margin))),
        }
    }
}

/// One reading of the clock, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Millis,
    /// When a lease of now will run out.
    pub(super) expires: Millis,
    /// A lease that ran out before this is up.
    pub(super) lost_before: Millis,
}

/// A time as it is kept: milliseconds since 1970, cut down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(pub(super) u64);

impl Millis {
    /// The most that is kept, in 13 digits: the year 2286.
    const MAX: u64 = 9_999_999_999_999;
}

impl From<SystemTime> for Millis {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        Self(since.map_or(0, as_millis).min(Self::MAX))
    }
}

impl From<Millis> for SystemTime {
    fn from(time: Millis) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(time.0.min(Millis::MAX))
    }
}

fn as_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
