//! A store that fails in every way it can, each kind counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use croupier::ChaCha8Rng;
use croupier::rand::{RngExt, SeedableRng};
use croupier_tests::s3::{Fault, Operation, Request};

/// What goes wrong, and how often in a thousand requests.
const KINDS: [(&str, u32); 12] = [
    ("500", 25),
    ("503", 25),
    ("reset", 15),
    ("done, then reset", 15),
    ("done, then 500", 10),
    ("never answered", 3),
    ("done, never answered", 4),
    // Of answers with a body only.
    ("broken off", 15),
    ("stalled", 5),
    ("in pieces", 15),
    ("late", 150),
    ("nothing", 718),
];

/// A request that came while nothing was answered at all.
const SWALLOWED: &str = "swallowed by a black hole";
const HOLES: &str = "black holes";

/// What decides what goes wrong. Clones are the same weather.
#[derive(Clone)]
pub(super) struct Weather(Arc<Mutex<State>>);

struct State {
    rng: ChaCha8Rng,
    /// Nothing is answered until then.
    dark_until: Instant,
    /// One request of so many may go wrong.
    one_in: u32,
    counts: BTreeMap<&'static str, usize>,
}

impl Weather {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: ChaCha8Rng::seed_from_u64(seed),
            dark_until: Instant::now(),
            one_in: 1,
            counts: BTreeMap::new(),
        })))
    }

    pub(super) fn fault(&self, request: &Request) -> Fault {
        self.state().fault(request)
    }

    /// From now on nothing is answered for a while.
    pub(super) fn black_hole(&self, lasting: Duration) {
        let mut state = self.state();
        state.dark_until = Instant::now() + lasting;
        *state.counts.entry(HOLES).or_default() += 1;
    }

    /// Lets faults come to one request of `one_in` only.
    pub(super) fn set_rarer(&self, one_in: u32) {
        let mut state = self.state();
        state.one_in = one_in;
        state.dark_until = Instant::now();
    }

    /// How often each came.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.state().counts.clone()
    }

    /// The kinds that have not come so often yet.
    pub(super) fn missing(&self, of_each: usize, holes: usize) -> Vec<&'static str> {
        let counts = self.counts();
        let kinds = KINDS.map(|(kind, _)| (kind, of_each)).into_iter();
        kinds
            .chain([(SWALLOWED, of_each), (HOLES, holes)])
            .filter(|(kind, least)| counts.get(kind).copied().unwrap_or(0) < *least)
            .map(|(kind, _)| kind)
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fault(&mut self, request: &Request) -> Fault {
        let (kind, fault) = if Instant::now() < self.dark_until {
            (SWALLOWED, Fault::Hang)
        } else {
            self.draw(matches!(
                request.operation,
                Operation::Get | Operation::List
            ))
        };
        *self.counts.entry(kind).or_default() += 1;
        fault
    }

    fn draw(&mut self, has_body: bool) -> (&'static str, Fault) {
        const NOTHING: (&str, Fault) = ("nothing", Fault::None);
        if self.rng.random_range(0..self.one_in) > 0 {
            return NOTHING;
        }
        let mut drawn = self.rng.random_range(0..1000);
        let kind = KINDS.iter().find(|(_, share)| {
            let is_it = drawn < *share;
            drawn = drawn.saturating_sub(*share);
            is_it
        });
        let fault = match kind.expect("the shares add up").0 {
            "500" => Fault::Status(500, "InternalError"),
            "503" => Fault::Status(503, "SlowDown"),
            "reset" => Fault::Reset,
            "done, then reset" => Fault::DoneThenLost,
            "done, then 500" => Fault::DoneThenStatus(500, "InternalError"),
            "never answered" => Fault::Hang,
            "done, never answered" => Fault::DoneThenHang,
            "broken off" if has_body => Fault::Truncated,
            "stalled" if has_body => Fault::Stalled,
            "in pieces" if has_body => Fault::Slow {
                pieces: 3,
                pause: Duration::from_millis(30),
            },
            "late" => Fault::Delay(Duration::from_millis(self.rng.random_range(5..150))),
            _ => return NOTHING,
        };
        (kind.expect("the shares add up").0, fault)
    }
}
