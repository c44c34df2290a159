//! A kernel that costs nothing, a tally whose merging has no law at all, and a watch on what is drawn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use croupier_compute::engine::Control;
use croupier_compute::{Estimates, Kernel, Stream, Tally};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub(crate) const BLOCK: u64 = 2;

/// Says in what order it was recorded into and merged: neither associative nor commutative, and never the same twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Knot {
    pub(crate) mix: u64,
}

impl Tally for Knot {
    fn merge(&mut self, right: Self) {
        let left = self.mix.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.mix = left
            ^ right
                .mix
                .wrapping_add(1)
                .wrapping_mul(0xd6e8_feb8_6659_fd93);
    }

    fn estimates(&self, _: &mut Estimates) {}
}

/// Ties one word of the stream a sample.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tying {
    #[serde(skip)]
    pub(crate) watch: Option<Watch>,
}

/// What one worker's kernel tells of, and when it has its worker stopped.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) first_sample: u64,
    /// How often that sample was begun, by all workers of the shard.
    pub(crate) starts: Arc<AtomicU32>,
    /// How many blocks this worker began.
    pub(crate) begun: Arc<AtomicU64>,
    /// In which of these it is told to stop.
    pub(crate) stop_in: Option<u64>,
    pub(crate) control: Arc<Control>,
}

impl Kernel for Tying {
    type Rng = ChaCha8Rng;
    type Tally = Knot;
    const BLOCK: u64 = BLOCK;

    fn tally(&self) -> Knot {
        Knot::default()
    }

    fn sample(&self, sample: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Knot) {
        if let Some(watch) = &self.watch {
            if sample == watch.first_sample {
                watch.starts.fetch_add(1, Ordering::Relaxed);
            }
            if sample.is_multiple_of(BLOCK)
                && Some(watch.begun.fetch_add(1, Ordering::Relaxed) + 1) == watch.stop_in
            {
                watch.control.stop();
            }
        }
        let word = Knot {
            mix: rng.next_u64(),
        };
        tally.merge(word);
    }
}
