//! A tally is told its block's number before anything is recorded, however the block comes to run.

use croupier_compute::engine::{replay_sample, run_block};
use croupier_compute::{Estimates, Failure, Kernel, Stream, StreamPer, Tally};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::kernels::{SEED, grid, run};

/// What happened, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Log(Vec<Event>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Begun(u64),
    Sample(u64),
}

use Event::{Begun, Sample};

impl Tally for Log {
    fn begin_block(&mut self, block: u64) {
        self.0.push(Begun(block));
    }

    fn merge(&mut self, right: Self) {
        self.0.extend(right.0);
    }

    fn estimates(&self, _: &mut Estimates) {}
}

struct Logging<const PER_SAMPLE: bool> {
    fails: Option<u64>,
}

impl<const PER_SAMPLE: bool> Kernel for Logging<PER_SAMPLE> {
    type Rng = ChaCha8Rng;
    type Tally = Log;
    const STREAMS: StreamPer = if PER_SAMPLE {
        StreamPer::Sample
    } else {
        StreamPer::Block
    };

    fn tally(&self) -> Log {
        Log::default()
    }

    fn try_sample(
        &self,
        sample: u64,
        _: &mut Stream<ChaCha8Rng>,
        log: &mut Log,
    ) -> Result<(), Failure> {
        log.0.push(Sample(sample));
        if self.fails == Some(sample) {
            return Err(Failure::new("has to"));
        }
        Ok(())
    }
}

/// Blocks of four samples, without the one that failed.
fn expected(samples: u64, failed: Option<u64>) -> Vec<Event> {
    let of = |sample: u64| {
        let begun = sample.is_multiple_of(4).then_some(Begun(sample / 4));
        let kept = (failed != Some(sample)).then_some(Sample(sample));
        begun.into_iter().chain(kept)
    };
    (0..samples).flat_map(of).collect()
}

#[test]
fn a_block_begins_once_and_first() {
    for threads in [1, 2] {
        for fails in [None, Some(0), Some(5), Some(7)] {
            let allowed = u64::from(fails.is_some());
            let node = run(&Logging::<false> { fails }, grid(4, 22), threads, allowed).unwrap();
            assert_eq!(node.tally.0, expected(22, fails), "{fails:?}");
            let node = run(&Logging::<true> { fails }, grid(4, 22), threads, allowed).unwrap();
            assert_eq!(node.tally.0, expected(22, fails), "{fails:?}");
        }
    }
}

#[test]
fn a_block_or_a_sample_alone_has_its_block() {
    let kernel = Logging::<false> { fails: None };
    let grid = grid(4, 22);
    let last = run_block(&kernel, SEED, &grid, 5).unwrap();
    assert_eq!(last.tally.0, [Begun(5), Sample(20), Sample(21)]);
    let alone = replay_sample(&kernel, SEED, &grid, 14).unwrap();
    assert_eq!(alone.0, [Begun(3), Sample(14)]);
}
