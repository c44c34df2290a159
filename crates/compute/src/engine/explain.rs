//! Which sample ended a run: found by running its block again, since it was only counted.

use crate::{Kernel, KernelFailure, Stream};

use super::Work;
use super::block::run_telling;
use super::care::not_reproducible;
use super::ledger::Verdict;

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
