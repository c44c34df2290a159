//! The contract of [`Tracker`] as a suite, for every tracker.
//!
//! Deterministic but for the order in which racing tasks win: its clocks go on when it says so. What it records stays,
//! since a tracker forgets nothing.

mod endings;
mod leases;
mod listing;
mod model;
mod races;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{
    Claim, Claimant, FailureClass, Lease, ManualClock, Marked, Renewed, Terms, Tracked, Tracker,
};

/// Opens the tracker of a run by a clock. All that it opens must share what they record.
type Open<'o> = &'o (dyn Fn(&str, Terms) -> Arc<dyn Tracker> + Sync);

/// Runs the whole suite against the trackers that `open` gives for a run's name and the terms of its leases. The names
/// begin with `prefix`, and no run of such a name may be known.
///
/// # Panics
/// If the contract is broken anywhere, saying where.
pub async fn run<F>(prefix: &str, open: F)
where
    F: Fn(&str, Terms) -> Arc<dyn Tracker> + Sync,
{
    leases::one_life(&Bench::new(prefix, "one-life", &open).await).await;
    leases::expiry(&Bench::new(prefix, "expiry", &open).await).await;
    leases::clocks_that_differ(&Bench::new(prefix, "clocks", &open).await).await;
    leases::fencing(&Bench::new(prefix, "fencing", &open).await).await;
    leases::forgeries(&Bench::new(prefix, "forgeries", &open).await).await;
    leases::repeats(&Bench::new(prefix, "repeats", &open).await).await;
    endings::giving_up(&Bench::new(prefix, "giving-up", &open).await).await;
    endings::kernels(&Bench::new(prefix, "kernels", &open).await).await;
    endings::stops(&Bench::new(prefix, "stops", &open).await).await;
    endings::losses(&Bench::new(prefix, "losses", &open).await).await;
    endings::done_stays_done(&Bench::new(prefix, "done", &open).await).await;
    listing::states(&Bench::new(prefix, "states", &open).await, prefix).await;
    listing::texts(&Bench::new(prefix, "texts", &open).await).await;
    listing::rebuilding(&Bench::new(prefix, "rebuilding", &open).await).await;
    races::claims(&Bench::new(prefix, "races", &open).await).await;
    model::agrees(&Bench::new(prefix, "model", &open).await).await;
}

/// One run, a tracker of it, and the clock that both go by.
struct Bench<'o> {
    open: Open<'o>,
    name: String,
    clock: ManualClock,
    tracker: Arc<dyn Tracker>,
}

/// The default lengths, said once more.
const LEASE: Duration = Duration::from_secs(300);
const MARGIN: Duration = Duration::from_secs(120);
const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);
/// More attempts than any test needs.
const MANY: u32 = 100;

impl<'o> Bench<'o> {
    async fn new(prefix: &str, name: &str, open: Open<'o>) -> Self {
        let name = format!("{prefix}/{name}");
        // 2030, and not a whole second.
        let clock = ManualClock::new(at(Duration::from_millis(1_893_456_000_123)));
        let tracker = open(&name, Terms::with_clock(clock.clone()));
        assert_eq!(tracker.run(), name);
        let bench = Self {
            open,
            name,
            clock,
            tracker,
        };
        assert_eq!(bench.states().await, [], "{} is known already", bench.name);
        bench
    }

    /// Another machine's tracker of the same run.
    fn by(&self, clock: &ManualClock) -> Arc<dyn Tracker> {
        (self.open)(&self.name, Terms::with_clock(clock.clone()))
    }

    fn now(&self) -> SystemTime {
        super::Clock::now(&self.clock)
    }

    async fn claim(&self, shard: u32, attempt: &str, max_attempts: u32) -> Claim {
        claim(&*self.tracker, shard, attempt, max_attempts).await
    }

    async fn granted(&self, shard: u32, attempt: &str) -> Lease {
        granted(self.claim(shard, attempt, MANY).await)
    }

    async fn renew(&self, lease: &Lease) -> Renewed {
        let answer = self.tracker.renew(lease).await;
        answer.unwrap_or_else(|error| panic!("renewal of {lease:?}: {error}"))
    }

    async fn complete(&self, lease: &Lease) -> Marked {
        let answer = self.tracker.complete(lease).await;
        answer.unwrap_or_else(|error| panic!("completion of {lease:?}: {error}"))
    }

    async fn fail(&self, lease: &Lease, class: FailureClass, message: &str) -> Marked {
        let answer = self.tracker.fail(lease, class, message).await;
        answer.unwrap_or_else(|error| panic!("failure of {lease:?}: {error}"))
    }

    async fn states(&self) -> Vec<Tracked> {
        self.tracker.states().await.expect("states")
    }

    async fn state(&self, shard: u32) -> Tracked {
        let found = self.states().await;
        let of_the_shard = found.into_iter().find(|tracked| tracked.shard == shard);
        of_the_shard.unwrap_or_else(|| panic!("shard {shard} of {} isn't listed", self.name))
    }

    async fn rebuild(&self, done: &[u32]) -> usize {
        self.tracker.rebuild(done).await.expect("rebuild")
    }
}

async fn claim(tracker: &dyn Tracker, shard: u32, attempt: &str, max_attempts: u32) -> Claim {
    let answer = tracker.claim(shard, &claimant(attempt), max_attempts).await;
    answer.unwrap_or_else(|error| panic!("claim of shard {shard} by {attempt}: {error}"))
}

fn claimant(attempt: &str) -> Claimant {
    Claimant {
        attempt: attempt.to_owned(),
        host: format!("host-of-{attempt}"),
    }
}

#[track_caller]
fn granted(claim: Claim) -> Lease {
    match claim {
        Claim::Granted(lease) => lease,
        other => panic!("not granted: {other:?}"),
    }
}

/// The answer to a claim of what somebody has.
fn held(lease: &Lease) -> Claim {
    Claim::Held {
        by: lease.attempt.clone(),
        host: format!("host-of-{}", lease.attempt),
        expires: lease.expires,
    }
}

fn given_up(attempts: u32, class: FailureClass, message: &str) -> Claim {
    Claim::GivenUp {
        attempts,
        class,
        message: message.to_owned(),
    }
}

fn at(since_1970: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + since_1970
}
