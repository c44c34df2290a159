//! One block, in order, on one thread.
//!
//! A block is run as fast as it goes. Only if anything fails, it is run again, [`with_care`].

use std::ops::Range;

use crate::kernel::StreamPer;
use crate::tree::Node;
use crate::{
    Domain, FailedSamples, Failure, Failures, Grid, Kernel, KernelFailure, Stream, StreamNumber,
    Tally,
};

use super::care::with_care;
use super::panics::{Caught, catch};

/// A block that can't be kept, not even without some of its samples.
#[derive(Debug)]
pub(super) struct BlockFailure {
    pub(super) message: String,
}

impl BlockFailure {
    pub(super) fn in_block(self, grid: &Grid, block: u64) -> KernelFailure {
        KernelFailure::Block {
            block,
            samples: grid.samples_of(block),
            message: self.message,
        }
    }
}

impl From<Caught> for BlockFailure {
    fn from(caught: Caught) -> Self {
        Self {
            message: caught.message(),
        }
    }
}

/// Runs `block` alone, on this thread.
///
/// # Errors
///
/// Where the block fails as a whole. Single samples that fail are in the node's failures.
pub fn run_block<K: Kernel>(
    kernel: &K,
    seed: u64,
    grid: &Grid,
    block: u64,
) -> Result<Node<K::Tally>, KernelFailure> {
    run(kernel, grid, block, &mut Stream::new(seed))
        .map_err(|failure| failure.in_block(grid, block))
}

/// Runs sample number `sample` as it ran in its block, and gives the tally of it alone.
///
/// With a stream per block, the block's earlier samples are run to come to the sample's place in it.
///
/// # Errors
///
/// Where the sample failed; where the kernel has no method for one sample.
pub fn replay_sample<K: Kernel>(
    kernel: &K,
    seed: u64,
    grid: &Grid,
    sample: u64,
) -> Result<K::Tally, ReplayError> {
    let block = grid.block_length.block_of(sample);
    let mut stream = Stream::new(seed);
    start(kernel, block, &mut stream);
    let first = match K::STREAMS {
        StreamPer::Block => grid.samples_of(block).start,
        StreamPer::Sample => sample,
    };
    for before in first..sample {
        // However it went: it leaves the stream where the next one begins.
        let _ = probe(kernel, block, before, &mut stream);
    }
    probe(kernel, block, sample, &mut stream).map_err(|caught| match caught {
        Caught::Failed(failure) => ReplayError::Failed(failure),
        Caught::NotImplemented => ReplayError::NoSampleMethod { block },
    })
}

/// Why there is no tally of one sample.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The sample failed, as it does in its block.
    #[error("{0}")]
    Failed(Failure),
    /// The kernel has a block loop only.
    #[error("this kernel has no method for one sample: replay its block, {block}")]
    NoSampleMethod {
        /// The sample's block.
        block: u64,
    },
}

/// Runs `block` with `stream`, wherever that was.
pub(super) fn run<K: Kernel>(
    kernel: &K,
    grid: &Grid,
    block: u64,
    stream: &mut Stream<K::Rng>,
) -> Result<Node<K::Tally>, BlockFailure> {
    let mut failures = Failures::default();
    let tally = run_telling(kernel, grid, block, stream, &mut |failed| {
        failures.push(failed);
    })?;
    let samples = grid.samples_of(block);
    Ok(Node {
        first_block: block,
        level: 0,
        samples: samples.end - samples.start - failures.samples,
        short: !grid.is_whole(block),
        failures,
        tally,
    })
}

/// Runs `block`, and tells of every failed sample in order.
pub(super) fn run_telling<K: Kernel>(
    kernel: &K,
    grid: &Grid,
    block: u64,
    stream: &mut Stream<K::Rng>,
    tell: &mut dyn FnMut(FailedSamples),
) -> Result<K::Tally, BlockFailure> {
    let samples = grid.samples_of(block);
    match at_once(kernel, samples.clone(), block, stream) {
        Ok(tally) => Ok(tally),
        Err(caught) => with_care(kernel, samples, block, stream, caught, tell),
    }
}

fn at_once<K: Kernel>(
    kernel: &K,
    samples: Range<u64>,
    block: u64,
    stream: &mut Stream<K::Rng>,
) -> Result<K::Tally, Caught> {
    catch(block, || {
        let mut tally = begin(kernel, block);
        record(kernel, block, samples, stream, &mut tally)?;
        tally.end_block()?;
        Ok(tally)
    })
}

/// The hot loop. A function of its own, that owns nothing: where a panic has something to clean up or
/// somewhere to land, LLVM no longer takes the calls that refill the stream for unlikely, and keeps
/// the tally in memory instead of in registers.
#[inline(never)]
fn record<K: Kernel>(
    kernel: &K,
    block: u64,
    samples: Range<u64>,
    stream: &mut Stream<K::Rng>,
    tally: &mut K::Tally,
) -> Result<(), Failure> {
    match K::STREAMS {
        StreamPer::Block => {
            start(kernel, block, stream);
            kernel.block(samples, stream, tally)
        }
        StreamPer::Sample => {
            for sample in samples {
                start_sample::<K>(sample, stream);
                kernel.try_sample(sample, stream, tally)?;
            }
            Ok(())
        }
    }
}

/// Runs one sample into a tally of its own.
pub(super) fn probe<K: Kernel>(
    kernel: &K,
    block: u64,
    sample: u64,
    stream: &mut Stream<K::Rng>,
) -> Result<K::Tally, Caught> {
    catch(block, || {
        let mut alone = begin(kernel, block);
        start_sample::<K>(sample, stream);
        kernel.try_sample(sample, stream, &mut alone)?;
        alone.end_block()?;
        Ok(alone)
    })
}

/// The tally of `block` before its first sample.
pub(super) fn begin<K: Kernel>(kernel: &K, block: u64) -> K::Tally {
    let mut tally = kernel.tally();
    tally.begin_block(block);
    tally
}

pub(super) fn start<K: Kernel>(_: &K, block: u64, stream: &mut Stream<K::Rng>) {
    stream.start(StreamNumber::new(Domain::Block, block));
}

pub(super) fn start_sample<K: Kernel>(sample: u64, stream: &mut Stream<K::Rng>) {
    if K::STREAMS == StreamPer::Sample {
        stream.start(StreamNumber::new(Domain::Sample, sample));
    }
}
