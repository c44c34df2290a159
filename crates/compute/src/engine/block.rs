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
use super::panics::{Caught, catch};

/// A block that can't be kept, not even without some of its samples.
pub(super) struct BlockFailure {
    message: String,
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
    run(kernel, grid, block, &mut Stream::new(seed)).map_err(|failure| KernelFailure::Block {
        block,
        samples: grid.samples_of(block),
        message: failure.message,
    })
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
    match at_once(kernel, grid, block, stream) {
        Ok(tally) => Ok(leaf(grid, block, tally, Failures::default())),
        Err(caught) => with_care(kernel, grid, block, stream, caught),
    }
}

/// Says which sample of `block` was one more than `allowed_here`.
pub(super) fn explain<K: Kernel>(
    work: &Work<'_, K>,
    block: u64,
    allowed_here: u64,
) -> KernelFailure {
    let node = match run_block(work.kernel, work.seed, &work.grid, block) {
        Ok(node) => node,
        Err(failure) => return failure,
    };
    let mut before = 0;
    let too_many = node.failures.listed.iter().find(|failed| {
        before += failed.samples;
        before > allowed_here
    });
    match too_many {
        Some(failed) if failed.samples == 1 => KernelFailure::Sample {
            sample: failed.first_sample,
            block,
            message: failed.message.clone(),
            allowed: work.allowed_failures,
        },
        failed => KernelFailure::Block {
            block,
            samples: work.grid.samples_of(block),
            message: failed.map_or_else(
                || format!("{} of its samples failed", node.failures.samples),
                |failed| failed.message.clone(),
            ),
        },
    }
}

fn at_once<K: Kernel>(
    kernel: &K,
    grid: &Grid,
    block: u64,
    stream: &mut Stream<K::Rng>,
) -> Result<K::Tally, Caught> {
    catch(block, || {
        let mut tally = kernel.tally();
        record(kernel, block, grid.samples_of(block), stream, &mut tally)?;
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
    grid: &Grid,
    block: u64,
    stream: &mut Stream<K::Rng>,
    at_first: Caught,
) -> Result<Node<K::Tally>, BlockFailure> {
    let samples = grid.samples_of(block);
    let mut failures = Failures::default();
    let mut tally = kernel.tally();
    start(kernel, block, stream);
    for sample in samples.clone() {
        let mut ahead = stream.clone();
        match probe(kernel, block, sample, &mut ahead) {
            Ok(_) => {
                let again = catch(block, || {
                    start_sample::<K>(sample, stream);
                    kernel.try_sample(sample, stream, &mut tally)
                });
                if again.is_err() {
                    return Err(not_reproducible(sample));
                }
            }
            Err(Caught::Failed(failure)) => {
                failures.push(FailedSamples {
                    first_sample: sample,
                    samples: 1,
                    message: failure.to_string(),
                });
                *stream = ahead;
            }
            Err(Caught::NotImplemented) => {
                return match at_first {
                    Caught::Failed(failure) => {
                        failures.push(FailedSamples {
                            first_sample: samples.start,
                            samples: samples.end - samples.start,
                            message: failure.to_string(),
                        });
                        Ok(leaf(grid, block, kernel.tally(), failures))
                    }
                    Caught::NotImplemented => Err(BlockFailure {
                        message: "a kernel must implement sample, try_sample or block".to_owned(),
                    }),
                };
            }
        }
    }
    if failures.samples == 0 {
        // Every sample is well alone, and yet the block was not.
        let message = match catch(block, || Ok(tally.end_block()?)) {
            Err(Caught::Failed(failure)) => {
                format!("every sample is well alone, but together: {failure}")
            }
            _ => return Err(not_reproducible(samples.start)),
        };
        return Err(BlockFailure { message });
    }
    match catch(block, || Ok(tally.end_block()?)) {
        Ok(()) => Ok(leaf(grid, block, tally, failures)),
        Err(Caught::Failed(failure)) => Err(BlockFailure {
            message: failure.to_string(),
        }),
        Err(Caught::NotImplemented) => Err(not_reproducible(samples.start)),
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

fn not_reproducible(sample: u64) -> BlockFailure {
    BlockFailure {
        message: format!(
            "the block behaved differently when it was repeated (from sample {sample} on): a kernel must depend on nothing but its parameters, the sample's number and its stream"
        ),
    }
}

fn leaf<T>(grid: &Grid, block: u64, tally: T, failures: Failures) -> Node<T> {
    let samples = grid.samples_of(block);
    Node {
        first_block: block,
        level: 0,
        samples: samples.end - samples.start - failures.samples,
        short: !grid.is_whole(block),
        failures,
        tally,
    }
}
