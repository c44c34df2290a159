//! Pi through the engine, against a loop over rayon and `rand_chacha` written by hand.
//!
//! Both deal blocks of 65,536 darts, draw block b from stream b of ChaCha8 under the same key, and
//! sum the same values. By hand: rayon's `map` over the blocks, each with a clone of one generator,
//! moved by `set_stream` and `set_word_pos`; two plain sums (of values and of squares) or a count of
//! hits; rayon's `reduce`. So the loop by hand does less: its bits depend on how it was dealt, its
//! sums about zero cancel, it stops at nothing, survives no panic, and keeps no tree.

use std::hint::black_box;

use croupier_benches::{Budget, Way, compare};
use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{BlockLength, Frontier, Grid, Kernel, Mean, Proportion, Stream, Trunk};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const BLOCK: u64 = 1 << 16;
const BLOCKS: u64 = 16;
const SAMPLES: u64 = BLOCK * BLOCKS;
const SEED: u64 = 7;
/// SHA-256 of "croupier stream key v1" and the seed's eight bytes; see docs/STREAMS.md.
const KEY: [u8; 32] = [
    0xe7, 0x54, 0x84, 0xb9, 0xa8, 0x38, 0x18, 0x91, 0x16, 0xd8, 0x0b, 0x52, 0xbd, 0xc9, 0x9a, 0xf0,
    0x9f, 0x59, 0xdb, 0x08, 0x7d, 0x8b, 0xc7, 0x55, 0x07, 0xd3, 0x3c, 0x36, 0x3d, 0xe0, 0x6a, 0x81,
];

struct Pi;

impl Kernel for Pi {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, hits: &mut Mean) {
        let [x, y]: [f64; 2] = rng.random();
        hits.record(if x * x + y * y < 1.0 { 4.0 } else { 0.0 });
    }
}

struct Hits;

impl Kernel for Hits {
    type Rng = ChaCha8Rng;
    type Tally = Proportion;

    fn tally(&self) -> Proportion {
        Proportion::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, hits: &mut Proportion) {
        let [x, y]: [f64; 2] = rng.random();
        hits.record(x * x + y * y < 1.0);
    }
}

fn through_the_engine<K: Kernel>(kernel: &K, pool: &Pool) -> K::Tally {
    let grid = Grid::new(BlockLength::new(BLOCK).expect("a power of two"), 0, SAMPLES)
        .expect("a grid of some samples");
    let blocks = [grid.blocks()];
    let work = Work {
        kernel,
        seed: SEED,
        grid,
        blocks: &blocks,
        allowed_failures: 0,
        failed_before: &[],
    };
    let frontier = Frontier::new();
    let ended = engine::run(&work, pool, &frontier, &Control::new());
    assert_eq!(ended, Ok(Ended::Done));
    let mut trunk = Trunk::new();
    for node in frontier.into_nodes() {
        trunk.push(node);
    }
    trunk.finish().expect("some blocks").tally
}

fn block_by_hand(base: &ChaCha8Rng, block: u64, mut dart: impl FnMut(bool)) {
    let mut rng = base.clone();
    rng.set_stream(block);
    rng.set_word_pos(0);
    for _ in 0..BLOCK {
        let [x, y]: [f64; 2] = rng.random();
        dart(x * x + y * y < 1.0);
    }
}

fn sums_by_hand(base: &ChaCha8Rng) -> [f64; 2] {
    (0..BLOCKS)
        .into_par_iter()
        .map(|block| {
            let [mut sum, mut squares] = [0.0; 2];
            block_by_hand(base, block, |hit| {
                let value = if hit { 4.0 } else { 0.0 };
                sum += value;
                squares += value * value;
            });
            [sum, squares]
        })
        .reduce(|| [0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]])
}

fn hits_by_hand(base: &ChaCha8Rng) -> u64 {
    (0..BLOCKS)
        .into_par_iter()
        .map(|block| {
            let mut hits = 0;
            block_by_hand(base, block, |hit| hits += u64::from(hit));
            hits
        })
        .sum()
}

fn main() {
    let budget = Budget::from_arguments();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let base = ChaCha8Rng::from_seed(KEY);
    assert_eq!(
        through_the_engine(&Hits, &Pool::new(1).expect("a thread")).hits(),
        hits_by_hand(&base),
        "both throw the same darts"
    );
    let mut pools = vec![1];
    if cores > 1 {
        pools.push(cores);
    }
    for threads in &pools {
        let pool = Pool::new(*threads).expect("threads");
        let rayon = rayon::ThreadPoolBuilder::new()
            .num_threads(*threads)
            .build()
            .expect("threads");
        compare(
            budget,
            &format!("pi by Mean, {threads} threads"),
            SAMPLES,
            "at most 1.00",
            Way::new("engine", || {
                black_box(through_the_engine(&Pi, &pool));
            }),
            Way::new("by hand", || {
                black_box(rayon.install(|| sums_by_hand(&base)));
            }),
        );
        compare(
            budget,
            &format!("pi by Proportion, {threads} threads"),
            SAMPLES,
            "at most 1.00",
            Way::new("engine", || {
                black_box(through_the_engine(&Hits, &pool));
            }),
            Way::new("by hand", || {
                black_box(rayon.install(|| hits_by_hand(&base)));
            }),
        );
    }
    if cores > 1 {
        let [one, two] = [1, 2].map(|threads| Pool::new(threads).expect("threads"));
        compare(
            budget,
            "pi by Mean, two threads against one",
            SAMPLES,
            "at most 0.526",
            Way::new("two", || {
                black_box(through_the_engine(&Pi, &two));
            }),
            Way::new("one", || {
                black_box(through_the_engine(&Pi, &one));
            }),
        );
    }
}
