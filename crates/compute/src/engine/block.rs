//! One block, in order, on one thread.
//!
//! A block is first run as fast as it goes. If anything fails, it is run again with care: each sample
//! first on a copy of the stream and a tally of its own, and only if that went well for real. So a
//! failed sample leaves nothing behind, costs nothing where there is none, and the samples after it
//! draw from where it stopped.

use std::ops::Range;

use crate::kernel::StreamPer;
use crate::tree::Node;
use crate::{
    Domain, FailedSamples, Failure, Failures, Grid, Kernel, KernelFailure, Stream, StreamNumber,
    Tally,
};

use super::Work;
use super::ledger::Verdict;
use super::panics::{Caught, catch};

/// A block that can't be kept, not even without some of its samples.
#[derive(Debug)]
pub(super) struct BlockFailure {
    pub(super) message: String,
}

impl BlockFailure {
    fn in_block(self, grid: &Grid, block: u64) -> KernelFailure {
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
/// How the sample failed; or that the kernel has no method for one sample.
pub fn replay_sample<K: Kernel>(
    kernel: &K,
    seed: u64,
    grid: &Grid,
    sample: u64,
) -> Result<K::Tally, Failure> {
    let block = grid.block_length.block_of(sample);
    let mut stream = Stream::new(seed);
    start(kernel, block, &mut stream);
    let first = match K::STREAMS {
        StreamPer::Block => grid.samples_of(block).start,
        StreamPer::Sample => sample,
    };
    let mut outcome = Ok(kernel.tally());
    for at in first..=sample {
        outcome = probe(kernel, block, at, &mut stream);
    }
    outcome.map_err(|caught| match caught {
        Caught::Failed(failure) => failure,
        Caught::NotImplemented => Failure::new(format!(
            "this kernel has no method for one sample: replay its block, {block}"
        )),
    })
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

/// Says which sample from the start of the verdict's block on is one too many.
///
/// Of blocks that need not run again it is known by tree node how many samples failed. So where the
/// block begins such a node, the sample may lie in a later one of its blocks.
pub(super) fn explain<K: Kernel>(work: &Work<'_, K>, verdict: Verdict) -> KernelFailure {
    let block = verdict.block;
    if let Some(why) = verdict.refused {
        return why.in_block(&work.grid, block);
    }
    let mut allowed = verdict.allowed_here;
    let mut stream = Stream::new(work.seed);
    for at in block..end_of_known(work, block) {
        let mut too_many = None;
        let outcome = run_telling(work.kernel, &work.grid, at, &mut stream, &mut |failed| {
            if too_many.is_none() && failed.samples > allowed {
                too_many = Some(failed);
            } else {
                allowed = allowed.saturating_sub(failed.samples);
            }
        });
        match (outcome, too_many) {
            (Err(failure), _) => return failure.in_block(&work.grid, at),
            (Ok(_), Some(failed)) if failed.samples == 1 => {
                return KernelFailure::Sample {
                    sample: failed.first_sample,
                    block: at,
                    message: failed.message,
                    allowed: work.allowed_failures,
                };
            }
            (Ok(_), Some(failed)) => {
                return KernelFailure::Block {
                    block: at,
                    samples: work.grid.samples_of(at),
                    message: failed.message,
                };
            }
            (Ok(_), None) => {}
        }
    }
    let first = work.grid.samples_of(block).start;
    not_reproducible(first, "fewer of its samples failed").in_block(&work.grid, block)
}

/// One past the last block that what is known to have failed at `block` may be about.
fn end_of_known<K>(work: &Work<'_, K>, block: u64) -> u64 {
    if work.blocks.iter().any(|blocks| blocks.contains(&block)) {
        return block + 1;
    }
    let others = work.failed_before.iter().map(|(first, _)| *first);
    let to_run = work.blocks.iter().map(|blocks| blocks.start);
    others
        .chain(to_run)
        .filter(|first| *first > block)
        .fold(work.grid.blocks().end, u64::min)
}

/// Runs `block`, and tells of every failed sample in order.
fn run_telling<K: Kernel>(
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
        let mut tally = kernel.tally();
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

fn with_care<K: Kernel>(
    kernel: &K,
    samples: Range<u64>,
    block: u64,
    stream: &mut Stream<K::Rng>,
    at_first: Caught,
    tell: &mut dyn FnMut(FailedSamples),
) -> Result<K::Tally, BlockFailure> {
    let mut tally = catch(block, || Ok(kernel.tally()))?;
    let mut failed = 0u64;
    start(kernel, block, stream);
    let mut ahead = stream.clone();
    for sample in samples.clone() {
        ahead.clone_from(stream);
        match probe(kernel, block, sample, &mut ahead) {
            Ok(_) => catch(block, || {
                start_sample::<K>(sample, stream);
                kernel.try_sample(sample, stream, &mut tally)
            })
            .map_err(|caught| not_reproducible(sample, &caught.message()))?,
            Err(Caught::Failed(failure)) => {
                failed += 1;
                tell(FailedSamples {
                    first_sample: sample,
                    samples: 1,
                    message: failure.to_string(),
                });
                std::mem::swap(stream, &mut ahead);
            }
            Err(Caught::NotImplemented) => {
                return whole_block_failed(samples, tally, at_first, tell);
            }
        }
    }
    match catch(block, || Ok(tally.end_block()?)) {
        Ok(()) if failed > 0 => Ok(tally),
        Ok(()) => Err(not_reproducible(samples.start, &at_first.message())),
        Err(caught) => Err(BlockFailure {
            message: format!(
                "every sample that did not fail is well alone, but together: {}",
                caught.message()
            ),
        }),
    }
}

/// Leaves out a block whose samples can't be told apart, since its kernel has a block loop only.
fn whole_block_failed<T>(
    samples: Range<u64>,
    empty: T,
    at_first: Caught,
    tell: &mut dyn FnMut(FailedSamples),
) -> Result<T, BlockFailure> {
    match at_first {
        Caught::Failed(failure) => {
            tell(FailedSamples {
                first_sample: samples.start,
                samples: samples.end - samples.start,
                message: failure.to_string(),
            });
            Ok(empty)
        }
        Caught::NotImplemented => Err(at_first.into()),
    }
}

/// Runs one sample into a tally of its own.
fn probe<K: Kernel>(
    kernel: &K,
    block: u64,
    sample: u64,
    stream: &mut Stream<K::Rng>,
) -> Result<K::Tally, Caught> {
    catch(block, || {
        let mut alone = kernel.tally();
        start_sample::<K>(sample, stream);
        kernel.try_sample(sample, stream, &mut alone)?;
        alone.end_block()?;
        Ok(alone)
    })
}

fn start<K: Kernel>(_: &K, block: u64, stream: &mut Stream<K::Rng>) {
    stream.start(StreamNumber::new(Domain::Block, block));
}

fn start_sample<K: Kernel>(sample: u64, stream: &mut Stream<K::Rng>) {
    if K::STREAMS == StreamPer::Sample {
        stream.start(StreamNumber::new(Domain::Sample, sample));
    }
}

fn not_reproducible(sample: u64, what: &str) -> BlockFailure {
    BlockFailure {
        message: format!(
            "the block behaved differently when it was repeated (from sample {sample} on: {what}); a kernel must depend on nothing but its parameters, the sample's number and its stream"
        ),
    }
}
