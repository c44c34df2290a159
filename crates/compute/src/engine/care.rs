//! A block in which something failed, again and sample by sample.
//!
//! Each sample runs first on a copy of the stream and into a tally of its own, and only if that went
//! well for real. So a failed sample leaves nothing behind, costs nothing where there is none, and
//! the samples after it draw from where it stopped.

use std::ops::Range;

use crate::{FailedSamples, Kernel, Stream, Tally};

use super::block::{BlockFailure, begin, probe, start, start_sample};
use super::panics::{Caught, catch};

/// Runs `block` without the samples that fail, and tells of each. `at_first` is how it went at once.
pub(super) fn with_care<K: Kernel>(
    kernel: &K,
    samples: Range<u64>,
    block: u64,
    stream: &mut Stream<K::Rng>,
    at_first: Caught,
    tell: &mut dyn FnMut(FailedSamples),
) -> Result<K::Tally, BlockFailure> {
    let mut tally = catch(block, || Ok(begin(kernel, block)))?;
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

pub(super) fn not_reproducible(sample: u64, what: &str) -> BlockFailure {
    BlockFailure {
        message: format!(
            "the block behaved differently when it was repeated (from sample {sample} on: {what}); a kernel must depend on nothing but its parameters, the sample's number and its stream"
        ),
    }
}
