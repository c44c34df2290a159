//! The reference model: whatever happens to a run, its store and its result are what a model of a few sets says.
//!
//! A sequence is a function of one number: what is planned, and about a dozen things that then happen to it. Workers
//! end, stop half-way, die between any two calls of the store, are held up and write much later; lists are late and
//! out of order; clocks are wrong; bytes rot; drivers come and go; runs are extended, stopped and cleaned. After each
//! the partials that are left, what the reducer makes of them, and what was run must be what [`reference`] says.
//!
//! A sequence that fails prints its number and what happened; `run(number, ..)` is then the test that stays.
//! `CROUPIER_MODEL_SEQUENCES` says how many are tried, `CROUPIER_MODEL_FIRST` from which number on.

mod kernel;
mod operation;
mod quiet;
mod reference;
mod store;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use operation::Operation;
use quiet::Quiet;
use world::World;

/// Where nothing is optimised a sequence takes many times as long.
const SEQUENCES: u64 = if cfg!(debug_assertions) { 1000 } else { 10_000 };

/// Says what happened, where a check fails.
struct Told {
    number: u64,
    operations: Vec<Operation>,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sequence {} failed in the last of:", self.number);
            for operation in &self.operations {
                eprintln!("    {operation:?}");
            }
        }
    }
}

/// Runs the sequence `number`; how often what happened in it.
async fn sequence(number: u64, quiet: &mut Quiet) -> BTreeMap<&'static str, u64> {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let mut told = Told {
        number,
        operations: Vec::new(),
    };
    let mut world = World::new(quiet, &mut rng);
    for at in 0..rng.random_range(6..19) {
        let operation = match at {
            0 => Operation::first(&mut rng),
            _ => Operation::draw(&mut rng),
        };
        told.operations.push(operation.clone());
        world.happen(&operation).await;
    }
    // Half of the time goes into ending well, so not every sequence does.
    if number.is_multiple_of(3) {
        world.finish().await;
    }
    *world.told.entry("operations").or_default() += told.operations.len() as u64;
    world.told
}

/// One failure is enough.
struct EndsAll<'a>(&'a AtomicU64);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(u64::MAX / 2, Ordering::Relaxed);
        }
    }
}

fn run(number: u64, quiet: &mut Quiet) -> BTreeMap<&'static str, u64> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(sequence(number, quiet))
}

fn from_environment(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn whatever_happens_to_a_run_it_is_what_the_model_says() {
    let first = from_environment("CROUPIER_MODEL_FIRST", 0);
    let count = from_environment("CROUPIER_MODEL_SEQUENCES", SEQUENCES);
    let told = Mutex::new(BTreeMap::new());
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(8) {
            scope.spawn(|| {
                let mut quiet = Quiet::new();
                let _ends_all = EndsAll(&next);
                let numbers = || Some(next.fetch_add(1, Ordering::Relaxed));
                for number in std::iter::from_fn(numbers).take_while(|at| *at < first + count) {
                    for (what, times) in run(number, &mut quiet) {
                        *told.lock().unwrap().entry(what).or_insert(0) += times;
                    }
                }
            });
        }
    });
    let told = told.into_inner().unwrap();
    println!("{count} sequences: {told:#?}");
    if count >= 1000 {
        for what in HAPPENS {
            assert!(told.contains_key(what), "nothing was ever {what:?}");
        }
    }
}

/// What a thousand sequences can't do without.
const HAPPENS: [&str; 24] = [
    "accepted whole",
    "accepted with holes",
    "began a round",
    "claimed",
    "cleaned",
    "damaged",
    "did all",
    "did the rest",
    "died after it published",
    "died before it published",
    "driven to the end",
    "driver died",
    "driver left holes",
    "driver met a stopped run",
    "driver waited",
    "extended",
    "failed fast",
    "found it done",
    "held up",
    "mended",
    "met a claim",
    "met a stopped run",
    "refused",
    "stopped with a part",
];

#[test]
fn a_sequence_is_a_function_of_its_number() {
    let (mut one, mut other) = (Quiet::new(), Quiet::new());
    for number in 0..200 {
        assert_eq!(run(number, &mut one), run(number, &mut other), "{number}");
    }
}

/// Single blocks of several partials, two of which are merged with each other only when they are read: those that
/// `verify` may repeat were lost.
#[test]
fn a_witness_that_was_a_row_of_its_own_is_kept() {
    run(214, &mut Quiet::new());
}
