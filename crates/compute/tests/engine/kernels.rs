//! A kernel that fails where it is told to, and ways to run it.

use std::ops::Range;
use std::sync::Arc;

use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{
    BlockLength, Estimates, Extremes, Failure, Frontier, Grid, Kernel, KernelFailure, Mean, Node,
    NotFinite, Stream, StreamPer, Tally, Trunk,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub(crate) const SEED: u64 = 0xfeed_5eed;

/// What happens in a sample, beside recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// An error, before and after recording.
    ErrorAtOnce,
    ErrorAfterwards,
    Panic,
    /// A value that is no number, into the mean or into the extremes.
    NanInMean,
    NanInExtremes,
    InfinityInMean,
}

/// Draws one to four words a sample, and goes wrong where `fault` says.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) fault: fn(u64) -> Fault,
    /// Called with each sample's number before it is drawn.
    pub(crate) before: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Faulty {
    pub(crate) fn new(fault: fn(u64) -> Fault) -> Self {
        Self {
            fault,
            before: Arc::new(|_| ()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Both {
    pub(crate) mean: Mean,
    pub(crate) extremes: Extremes,
}

impl Tally for Both {
    fn merge(&mut self, right: Self) {
        self.mean.merge(right.mean);
        self.extremes.merge(right.extremes);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.mean.end_block().map_err(|e| e.within("mean"))?;
        self.extremes.end_block().map_err(|e| e.within("extremes"))
    }

    fn estimates(&self, estimates: &mut Estimates) {
        estimates.within("mean", |estimates| self.mean.estimates(estimates));
    }
}

impl Kernel for Faulty {
    type Rng = ChaCha8Rng;
    type Tally = Both;

    fn tally(&self) -> Both {
        Both::default()
    }

    fn try_sample(
        &self,
        sample: u64,
        rng: &mut Stream<ChaCha8Rng>,
        tally: &mut Both,
    ) -> Result<(), Failure> {
        (self.before)(sample);
        let fault = (self.fault)(sample);
        let mut value: f64 = rng.random();
        if fault == Fault::ErrorAtOnce {
            return Err(Failure::new("refused at once"));
        }
        if value < 0.5 {
            value += rng.random::<f32>() as f64;
        }
        match fault {
            Fault::NanInMean => tally.mean.record(f64::NAN),
            Fault::InfinityInMean => tally.mean.record(f64::NEG_INFINITY),
            Fault::NanInExtremes => tally.extremes.record(f64::NAN, sample),
            Fault::None | Fault::ErrorAtOnce | Fault::ErrorAfterwards | Fault::Panic => {}
        }
        tally.mean.record(value);
        tally.extremes.record(value, sample);
        assert!(fault != Fault::Panic, "sample {sample} had to panic");
        if fault == Fault::ErrorAfterwards {
            return Err(Failure::new("refused afterwards"));
        }
        Ok(())
    }
}

/// The same with a stream per sample.
#[derive(Clone)]
pub(crate) struct PerSample(pub(crate) Faulty);

impl Kernel for PerSample {
    type Rng = ChaCha8Rng;
    type Tally = Both;
    const STREAMS: StreamPer = StreamPer::Sample;

    fn tally(&self) -> Both {
        Both::default()
    }

    fn try_sample(
        &self,
        sample: u64,
        rng: &mut Stream<ChaCha8Rng>,
        tally: &mut Both,
    ) -> Result<(), Failure> {
        self.0.try_sample(sample, rng, tally)
    }
}

pub(crate) fn grid(block_length: u64, samples: u64) -> Grid {
    Grid::new(BlockLength::new(block_length).unwrap(), 0, samples).unwrap()
}

/// Runs `blocks` of `grid` and gives the nodes.
pub(crate) fn nodes<K: Kernel>(
    kernel: &K,
    grid: Grid,
    blocks: &[Range<u64>],
    threads: usize,
    allowed_failures: u64,
) -> Result<Vec<Node<K::Tally>>, KernelFailure> {
    let frontier = Frontier::new();
    let work = Work {
        kernel,
        seed: SEED,
        grid,
        blocks,
        allowed_failures,
        failed_before: &[],
    };
    let pool = Pool::new(threads).unwrap();
    let ended = engine::run(&work, &pool, &frontier, &Control::new())?;
    assert_eq!(ended, Ended::Done);
    Ok(frontier.into_nodes())
}

/// Runs all of `grid` on `threads` threads and finishes the tree.
pub(crate) fn run<K: Kernel>(
    kernel: &K,
    grid: Grid,
    threads: usize,
    allowed_failures: u64,
) -> Result<Node<K::Tally>, KernelFailure> {
    nodes(kernel, grid, &[grid.blocks()], threads, allowed_failures).map(merged)
}

pub(crate) fn merged<T: Tally>(mut nodes: Vec<Node<T>>) -> Node<T> {
    nodes.sort_by_key(|node| node.first_block);
    let mut trunk = Trunk::new();
    for node in nodes {
        trunk.push(node);
    }
    trunk.finish().expect("at least one node")
}

/// Every bit of a value: the shortest text that reads back as the same float, signs of zeros too.
pub(crate) fn bits(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}
