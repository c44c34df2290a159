//! The run by definition: every block in order on this thread, and the tree by recursion.

use std::ops::Range;

use croupier_compute::{Domain, Grid, Kernel, Stream, StreamNumber, StreamPer, Tally};
use rand_chacha::ChaCha8Rng;

use crate::kernels::{Both, Fault, Faulty, PerSample, SEED};

/// A kernel whose failed samples a reference can draw and yet not record.
pub(crate) trait ByHand: Kernel<Rng = ChaCha8Rng, Tally = Both> {
    fn faulty(&self) -> &Faulty;
}

impl ByHand for Faulty {
    fn faulty(&self) -> &Faulty {
        self
    }
}

impl ByHand for PerSample {
    fn faulty(&self) -> &Faulty {
        &self.0
    }
}

/// The tally of `samples` of one block without those that fail.
pub(crate) fn block<K: ByHand>(kernel: &K, block: u64, samples: Range<u64>) -> Both {
    let mut stream = Stream::new(SEED);
    stream.start(StreamNumber::new(Domain::Block, block));
    let mut tally = Both::default();
    for sample in samples {
        if K::STREAMS == StreamPer::Sample {
            stream.start(StreamNumber::new(Domain::Sample, sample));
        }
        let fault = (kernel.faulty().fault)(sample);
        if fault == Fault::None {
            kernel.try_sample(sample, &mut stream, &mut tally).unwrap();
        } else {
            let quiet = if fault == Fault::ErrorAtOnce {
                Faulty::new(|_| Fault::ErrorAtOnce)
            } else {
                Faulty::new(|_| Fault::None)
            };
            let _ = quiet.try_sample(sample, &mut stream, &mut Both::default());
        }
    }
    tally.end_block().unwrap();
    tally
}

/// Node (`level`, first block `first`) of the tree over all blocks of `grid`.
pub(crate) fn tree<K: ByHand>(kernel: &K, grid: &Grid, first: u64, level: u32) -> Option<Both> {
    if level == 0 {
        return grid
            .blocks()
            .contains(&first)
            .then(|| block(kernel, first, grid.samples_of(first)));
    }
    let left = tree(kernel, grid, first, level - 1);
    let right = tree(kernel, grid, first + (1 << (level - 1)), level - 1);
    match (left, right) {
        (Some(mut left), Some(right)) => {
            left.merge(right);
            Some(left)
        }
        (left, right) => left.or(right),
    }
}

/// All of `grid`.
pub(crate) fn run<K: ByHand>(kernel: &K, grid: &Grid) -> Both {
    let level = grid.blocks().end.next_power_of_two().trailing_zeros();
    tree(kernel, grid, 0, level).expect("a grid has blocks")
}
