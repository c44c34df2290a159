//! Runs a kernel's blocks on every core, and merges what they give.
//!
//! Threads take blocks from the lowest up, so what is finished is always one stretch and a few
//! stragglers: the tallies held are few, a checkpoint taken at any moment is small, and of failing
//! blocks the lowest is known. Merging goes along the canonical tree wherever a block ran, so none of
//! this can be seen in the bits. (Rayon's own `reduce` and `sum` are not used: on floats their result
//! depends on who stole what.)
//!
//! Tallies alive at once, with t threads and n blocks: t x (1 + log2 n) at most, stragglers or not. A
//! range that begins inside larger nodes of the tree leaves up to log2 n more, which merge with nothing
//! that is here; a thread that repeats a block with care has one more, and each witness is one.

mod block;
mod care;
mod dealer;
mod explain;
mod ledger;
mod panics;
mod pool;

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Frontier, Grid, Kernel, Node, Stream, Tally};

use dealer::Dealer;
use ledger::Ledger;

pub use block::{ReplayError, replay_sample, run_block};
pub use panics::{PANICS_ABORT, catch_panic, note_kernel_panics};
pub use pool::{Pool, PoolError};

/// Blocks to run, and what they are a function of.
#[derive(Debug)]
pub struct Work<'a, K> {
    /// The kernel, validated and prepared.
    pub kernel: &'a K,
    /// The run's seed.
    pub seed: u64,
    /// Where the samples of a block lie.
    pub grid: Grid,
    /// The blocks to run: disjoint, from left to right, inside the grid.
    pub blocks: &'a [Range<u64>],
    /// How many samples may fail and be left out, those in `failed_before` included.
    pub allowed_failures: u64,
    /// Failed samples of blocks that need not run again: the first block of a finished node, and how many.
    pub failed_before: &'a [(u64, u64)],
}

/// What others may see of an engine at work, and the way to stop it.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    blocks: AtomicU64,
    samples: AtomicU64,
}

impl Control {
    /// At rest.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets blocks in hand finish, and starts no more.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Blocks finished so far.
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    /// Samples of these blocks.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }
}

/// How an engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every block is in the frontier.
    Done,
    /// It was told to stop; finished blocks are in the frontier.
    Stopped,
}

/// A kernel failed where it may not; it will fail there again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelFailure {
    /// One sample failed, and no more may.
    #[error(
        "sample {sample} (block {block}) failed: {message}{}",
        if *allowed > 0 { format!("; {allowed} failed samples are allowed, this is one more") } else { String::new() }
    )]
    Sample {
        /// The sample, numbered over the whole run.
        sample: u64,
        /// Its block.
        block: u64,
        /// What it said.
        message: String,
        /// How many may fail.
        allowed: u64,
    },
    /// A block failed as a whole, and can't be kept without some of its samples.
    #[error("block {block} (samples {} to {}) failed: {message}", samples.start, samples.end - 1)]
    Block {
        /// The block.
        block: u64,
        /// Its samples.
        samples: Range<u64>,
        /// What it said.
        message: String,
    },
    /// Tallies could not be merged. Which block brings two of them together depends on who
    /// finished first.
    #[error("merging the tally of block {block} with its neighbours' failed: {message}")]
    Merge {
        /// The block whose end brought them together.
        block: u64,
        /// What the tally's `merge` said.
        message: String,
    },
}

impl KernelFailure {
    /// The block it happened in.
    pub fn block(&self) -> u64 {
        match self {
            Self::Sample { block, .. } | Self::Block { block, .. } | Self::Merge { block, .. } => {
                *block
            }
        }
    }
}

/// Runs `work` on the threads of `pool` and leaves the finished nodes in `frontier`.
///
/// Blocks are taken in order. Returns when all are done, or soon after [`Control::stop`].
///
/// # Errors
///
/// Where more samples failed than are allowed: the first one too many by sample number, which is
/// the same one each time, whatever finished first and however often the run was resumed. Blocks to
/// the left of it, and some to the right, are in the frontier. Also where a block fails as a whole,
/// and where tallies can't be merged.
pub fn run<K: Kernel>(
    work: &Work<'_, K>,
    pool: &Pool,
    frontier: &Frontier<K::Tally>,
    control: &Control,
) -> Result<Ended, KernelFailure> {
    let dealer = Dealer::new(work.blocks);
    let ledger = Ledger::new(work.allowed_failures, work.failed_before);
    let merge_failure = OnceLock::new();
    pool.on_every_thread(|| {
        let mut stream = Stream::<K::Rng>::new(work.seed);
        while !control.is_stopped()
            && merge_failure.get().is_none()
            && let Some(block) = dealer.next()
        {
            // Blocks to the right of a failure that ends the run need not be run; those to the left
            // must, since an earlier one may fail too.
            if ledger.is_behind(block) {
                break;
            }
            match block::run(work.kernel, &work.grid, block, &mut stream) {
                Ok(leaf) => {
                    let kept =
                        leaf.failures.samples == 0 || ledger.allows(block, leaf.failures.samples);
                    if kept && let Err(failure) = insert(frontier, leaf) {
                        // Tallies are lost with it, so nothing more is worth running.
                        merge_failure.get_or_init(|| failure);
                        break;
                    }
                }
                Err(why) => ledger.refuse(block, why),
            }
            let samples = work.grid.samples_of(block);
            control.blocks.fetch_add(1, Ordering::Relaxed);
            control
                .samples
                .fetch_add(samples.end - samples.start, Ordering::Relaxed);
        }
    });
    if let Some(failure) = merge_failure.into_inner() {
        return Err(failure);
    }
    match ledger.into_verdict() {
        // Told to stop before all blocks to the left had their turn, one of which may fail too.
        Some(verdict) if control.is_stopped() && dealer.has_before(verdict.block) => {
            Ok(Ended::Stopped)
        }
        Some(verdict) => Err(pool.install(|| explain::explain(work, verdict))),
        None if control.is_stopped() => Ok(Ended::Stopped),
        None => Ok(Ended::Done),
    }
}

/// Adds a finished block. Merging is an author's code, and may panic.
fn insert<T: Tally>(frontier: &Frontier<T>, leaf: Node<T>) -> Result<(), KernelFailure> {
    let block = leaf.first_block;
    panics::catch(block, || {
        frontier.insert(leaf);
        Ok(())
    })
    .map_err(|caught| KernelFailure::Merge {
        block,
        message: caught.message(),
    })
}
