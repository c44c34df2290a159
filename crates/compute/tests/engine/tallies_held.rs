//! How many tallies are alive at once: threads x (1 + log2 of the blocks), stragglers or not.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{Estimates, Frontier, Kernel, Stream, Tally};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::kernels::{SEED, grid};

/// Instances alive now, and the most there were.
#[derive(Debug, Default)]
struct Gauge {
    live: AtomicI64,
    most: AtomicI64,
}

impl Gauge {
    fn add(&self) {
        let live = self.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(live, Ordering::SeqCst);
    }
}

/// A tally that counts its instances, in whatever gauge it was made with.
#[derive(Debug, Serialize, Deserialize)]
struct Counted {
    count: u64,
    #[serde(skip)]
    gauge: Arc<Gauge>,
}

impl Counted {
    fn new(count: u64, gauge: &Arc<Gauge>) -> Self {
        gauge.add();
        Self {
            count,
            gauge: Arc::clone(gauge),
        }
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(self.count, &self.gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gauge.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Tally for Counted {
    fn merge(&mut self, right: Self) {
        self.count += right.count;
    }

    fn estimates(&self, _: &mut Estimates) {}
}

/// One sample a block; those of `late` wait until nothing but late ones is left.
struct Counting {
    gauge: Arc<Gauge>,
    control: Arc<Control>,
    late: Vec<u64>,
    blocks: u64,
}

impl Kernel for Counting {
    type Rng = ChaCha8Rng;
    type Tally = Counted;
    const BLOCK: u64 = 1;

    fn tally(&self) -> Counted {
        Counted::new(0, &self.gauge)
    }

    fn sample(&self, sample: u64, _: &mut Stream<ChaCha8Rng>, tally: &mut Counted) {
        let on_time = self.blocks - self.late.len() as u64;
        while self.late.contains(&sample) && self.control.blocks() < on_time {
            std::thread::yield_now();
        }
        tally.count += 1;
    }
}

/// The most tallies alive at once over `range`.
fn most_alive(range: Range<u64>, threads: usize, late: &[u64]) -> i64 {
    assert!(late.len() < threads, "someone must run the others");
    let gauge = Arc::new(Gauge::default());
    let control = Arc::new(Control::new());
    let blocks = range.end - range.start;
    let kernel = Counting {
        gauge: Arc::clone(&gauge),
        control: Arc::clone(&control),
        late: late.to_vec(),
        blocks,
    };
    let frontier = Frontier::new();
    let work = Work {
        kernel: &kernel,
        seed: SEED,
        grid: grid(1, range.end),
        blocks: std::slice::from_ref(&range),
        allowed_failures: 0,
        failed_before: &[],
    };
    let pool = Pool::new(threads).unwrap();
    let ended = engine::run(&work, &pool, &frontier, &control);
    assert_eq!(ended, Ok(Ended::Done));
    let held = frontier.len() as i64;
    assert_eq!(gauge.live.load(Ordering::SeqCst), held, "nothing leaks");
    let total: u64 = frontier
        .into_nodes()
        .iter()
        .map(|node| node.tally.count)
        .sum();
    assert_eq!(total, blocks);
    gauge.most.load(Ordering::SeqCst)
}

#[test]
fn a_tally_a_thread_and_one_a_level_more() {
    for threads in [1, 2, 4, 8] {
        for blocks in [16u64, 256, 1000] {
            let levels = blocks.next_power_of_two().trailing_zeros() as i64;
            let bound = threads as i64 * (1 + levels);
            let most = most_alive(0..blocks, threads, &[]);
            assert!(
                most <= bound,
                "{most} > {bound}: {threads} threads, {blocks} blocks"
            );
        }
    }
    // The bound is no accident: one thread needs every level just before the last merge.
    assert_eq!(most_alive(0..256, 1, &[]), 9);
}

#[test]
fn stragglers_do_not_change_that() {
    for (threads, late) in [
        (2, vec![0]),
        (2, vec![85]),
        (4, vec![1, 85, 170]),
        (8, vec![0, 3, 42, 85, 127, 128, 201]),
    ] {
        let bound = threads as i64 * (1 + 8);
        let most = most_alive(0..256, threads, &late);
        assert!(
            most <= bound,
            "{most} > {bound}: {threads} threads, late {late:?}"
        );
        assert!(most > late.len() as i64, "stragglers hold a tally each");
    }
}

/// A range that begins inside larger nodes leaves up to one more a level, that merge with nothing here.
#[test]
fn a_ragged_left_edge_costs_one_more_a_level() {
    for threads in [1, 2, 8] {
        let levels = 8;
        let bound = threads as i64 * (1 + levels) + levels;
        let most = most_alive(1..256, threads, &[]);
        assert!(most <= bound, "{most} > {bound}: {threads} threads");
    }
}
