//! Workers that are started again and again, and what strikes them down. When that happens goes by the clock, since
//! processes do: one seed gives one sequence of draws, and not one sequence of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use croupier::ChaCha8Rng;
use croupier::rand::{Rng, RngExt, SeedableRng};
use croupier_tests::program::{Ended, Process, Program};

use super::weather::Weather;
use super::{PACE, SAMPLE_MICROSECONDS, SHARDS, at_once};

const KILL: i32 = 9;
const TERMINATE: i32 = 15;

/// How a call ended, for counting.
const KILLED: &str = "killed with SIGKILL";
const WORKER_KILLED: &str = "killed with SIGKILL below their parent";
const TERMINATED: &str = "stopped by SIGTERM";
const FAILED: &str = "failed, worth a retry";
const DONE: &str = "ended a shard";
const DOUBLES: &str = "begun beside another at the same shard";
const STARTED: &str = "started";
const REDUCED: &str = "reductions that found no less than the one before";

/// A run's workers, a reducer that looks in, and a killer.
pub(super) struct Crew<'a> {
    doomed: &'a Program,
    run: &'a str,
    weather: &'a Weather,
    seed: u64,
    is_over: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    alive: BTreeMap<usize, (u32, Process)>,
    started: usize,
    done: BTreeSet<u32>,
    counts: BTreeMap<&'static str, usize>,
    /// What may not happen, and did.
    trouble: Option<String>,
}

impl State {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }
}

impl<'a> Crew<'a> {
    pub(super) fn new(doomed: &'a Program, run: &'a str, weather: &'a Weather, seed: u64) -> Self {
        Self {
            doomed,
            run,
            weather,
            seed,
            is_over: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Works for at least so long, and until everything that can happen has happened often enough. At the end all that
    /// is alive is killed. What happened to the workers, and how often.
    pub(super) fn work_under_attack(&self, lasting: Duration) -> BTreeMap<&'static str, usize> {
        let began = Instant::now();
        thread::scope(|scope| {
            for number in 0..at_once() {
                scope.spawn(move || self.keep_a_worker(number));
            }
            scope.spawn(|| self.reduce_over_and_over());
            self.attack(began, lasting);
        });
        let state = self.state();
        if let Some(trouble) = &state.trouble {
            panic!("{trouble}");
        }
        let missing = self.missing(&state, lasting);
        assert!(
            missing.is_empty(),
            "it was no campaign, for want of {missing:?}: {:#?} {:#?}",
            state.counts,
            self.weather.counts()
        );
        state.counts.clone()
    }

    /// What has not happened often enough: deaths of each kind every three seconds, faults of each kind every six.
    fn missing(&self, state: &State, lasting: Duration) -> Vec<&'static str> {
        let seconds = usize::try_from(lasting.as_secs()).expect("no age of the world");
        let mut missing = self.weather.missing(seconds / 6, seconds / 15);
        let few = [KILLED, WORKER_KILLED, TERMINATED, DOUBLES].map(|what| (what, seconds / 3));
        let few = few.into_iter().chain([(REDUCED, 1)]);
        let count = |what: &str| state.counts.get(what).copied().unwrap_or(0);
        missing.extend(
            few.filter(|(what, least)| count(what) < *least)
                .map(|(what, _)| what),
        );
        missing
    }

    /// Strikes at random times at random workers, and darkens the store now and then.
    fn attack(&self, began: Instant, lasting: Duration) {
        let mut rng = self.rng(1000);
        let mut next_hole = Instant::now() + Duration::from_secs(3);
        loop {
            let elapsed = began.elapsed();
            let is_enough = elapsed >= lasting && self.missing(&self.state(), lasting).is_empty();
            if is_enough || elapsed > 4 * lasting || self.state().trouble.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(rng.random_range(0..400)));
            if Instant::now() > next_hole {
                let hole = Duration::from_millis(rng.random_range(500..6000));
                self.weather.black_hole(hole);
                next_hole = Instant::now() + hole + Duration::from_secs(rng.random_range(4..9));
            }
            let alive: Vec<Process> = {
                let state = self.state();
                state
                    .alive
                    .values()
                    .map(|(_, process)| process.clone())
                    .collect()
            };
            let Some(victim) = alive.get(rng.random_range(0..alive.len().max(1))) else {
                continue;
            };
            match rng.random_range(0..3) {
                0 => victim.kill(),
                1 => drop(victim.kill_child()),
                _ => victim.terminate(),
            }
        }
        self.is_over.store(true, Ordering::SeqCst);
        for (_, process) in self.state().alive.values() {
            process.kill();
        }
    }

    /// Starts a worker whenever the last one has ended.
    fn keep_a_worker(&self, number: u64) {
        let mut rng = self.rng(number);
        while !self.is_over.load(Ordering::SeqCst) {
            let shard = self.choose(&mut rng);
            let slow = self
                .doomed
                .clone()
                .with("SLOW", SAMPLE_MICROSECONDS.to_string());
            let (running, place) = {
                // Who ends it all must not miss one.
                let mut state = self.state();
                if self.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let running =
                    slow.start(&format!("shard --run {} --shard {shard} {PACE}", self.run));
                if state.alive.values().any(|(other, _)| *other == shard) {
                    state.count(DOUBLES);
                }
                state.count(STARTED);
                state.started += 1;
                let place = state.started;
                state.alive.insert(place, (shard, running.process()));
                (running, place)
            };
            let ended = running.wait();
            let mut state = self.state();
            state.alive.remove(&place);
            match kind(&ended) {
                Some(kind) => {
                    state.count(kind);
                    if kind == DONE {
                        state.done.insert(shard);
                    }
                }
                None => state.trouble = Some(ended.to_string()),
            }
        }
    }

    /// Mostly one that is not known to be done; it may be at work already.
    fn choose(&self, rng: &mut ChaCha8Rng) -> u32 {
        let any = rng.random_range(0..SHARDS);
        if rng.random_range(0..8) == 0 {
            return any;
        }
        let done = &self.state().done;
        let open: Vec<u32> = (0..SHARDS).filter(|shard| !done.contains(shard)).collect();
        open.get(rng.next_u32() as usize % open.len().max(1))
            .copied()
            .unwrap_or(any)
    }

    /// Whatever happens meanwhile, no sample that was counted once is gone.
    fn reduce_over_and_over(&self) {
        let mut last = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            let reduced = self.doomed.call(&format!(
                "reduce --run {} --store-timeout 5s --json",
                self.run
            ));
            match reduced.code() {
                Some(0 | 3) => {
                    let samples = &reduced.json()["samples"];
                    let done = samples["done"].as_u64().unwrap_or(0);
                    let mut state = self.state();
                    match (last..=samples["planned"].as_u64().unwrap_or(0)).contains(&done) {
                        true => state.count(REDUCED),
                        false => state.trouble = Some(format!("{last} before: {reduced}")),
                    }
                    last = done;
                }
                Some(1) => {}
                _ => self.state().trouble = Some(reduced.to_string()),
            }
            thread::sleep(Duration::from_secs(1));
        }
    }

    fn rng(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(1 + stream);
        rng
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// None of what may happen to a worker here.
fn kind(ended: &Ended) -> Option<&'static str> {
    Some(match (ended.signal(), ended.code()) {
        (Some(KILL), _) => KILLED,
        // Of a worker that was killed, and of one that was told to end before it listened.
        (_, Some(137)) => WORKER_KILLED,
        (Some(TERMINATE), _) | (_, Some(75 | 143)) => TERMINATED,
        (_, Some(1)) => FAILED,
        (_, Some(0)) => DONE,
        _ => return None,
    })
}
