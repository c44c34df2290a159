//! One sample again, as it ran in its block.

use croupier_compute::engine::{ReplayError, replay_sample};
use croupier_compute::{Domain, Failure, Kernel, Mean, Stream, StreamNumber, Tally};
use rand_chacha::ChaCha8Rng;

use crate::kernels::{Both, Fault, Faulty, PerSample, SEED, bits, grid};

fn some_faults(sample: u64) -> Fault {
    match sample {
        33 => Fault::ErrorAtOnce,
        35 => Fault::Panic,
        _ => Fault::None,
    }
}

/// Each sample of block 2 with the block's one stream, recorded alone.
fn parts_of_block_2() -> Vec<Option<Both>> {
    let kernel = Faulty::new(some_faults);
    let quiet = Faulty::new(|_| Fault::None);
    let mut stream = Stream::new(SEED);
    stream.start(StreamNumber::new(Domain::Block, 2));
    (32..48)
        .map(|sample| {
            let mut alone = Both::default();
            let failed = match some_faults(sample) {
                Fault::None | Fault::ErrorAtOnce => {
                    kernel.try_sample(sample, &mut stream, &mut alone).is_err()
                }
                _ => {
                    quiet
                        .try_sample(sample, &mut stream, &mut Both::default())
                        .unwrap();
                    true
                }
            };
            alone.end_block().unwrap();
            (!failed).then_some(alone)
        })
        .collect()
}

#[test]
fn equals_the_samples_part() {
    let kernel = Faulty::new(some_faults);
    for (sample, part) in (32..48).zip(parts_of_block_2()) {
        let replayed = replay_sample(&kernel, SEED, &grid(16, 64), sample);
        assert_eq!(bits(&replayed.ok()), bits(&part), "sample {sample}");
    }
}

#[test]
fn needs_no_neighbours_with_a_stream_per_sample() {
    let mut kernel = Faulty::new(some_faults);
    kernel.before = std::sync::Arc::new(|sample| assert!([33, 40].contains(&sample)));
    let replayed = replay_sample(&PerSample(kernel.clone()), SEED, &grid(16, 64), 40).unwrap();
    let mut stream = Stream::new(SEED);
    stream.start(StreamNumber::new(Domain::Sample, 40));
    let mut alone = Both::default();
    kernel.try_sample(40, &mut stream, &mut alone).unwrap();
    alone.end_block().unwrap();
    assert_eq!(bits(&replayed), bits(&alone));
    let failure = replay_sample(&PerSample(kernel), SEED, &grid(16, 64), 33).unwrap_err();
    assert_eq!(failure.to_string(), "refused at once");
}

struct NoTally;

impl Kernel for NoTally {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        panic!("no edges for a histogram")
    }

    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, _: &mut Mean) {}
}

#[test]
fn a_tally_that_can_not_be_made_is_a_failed_sample() {
    let failure = replay_sample(&NoTally, SEED, &grid(16, 64), 3).unwrap_err();
    assert!(matches!(failure, ReplayError::Failed(_)), "{failure}");
    assert!(failure.to_string().contains("no edges"), "{failure}");
}

struct BlockOnly;

impl Kernel for BlockOnly {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn block(
        &self,
        _: std::ops::Range<u64>,
        _: &mut Stream<ChaCha8Rng>,
        _: &mut Mean,
    ) -> Result<(), Failure> {
        Ok(())
    }
}

#[test]
fn a_kernel_with_a_block_loop_only_has_no_sample_to_replay() {
    let error = replay_sample(&BlockOnly, SEED, &grid(16, 64), 17).unwrap_err();
    assert_eq!(error, ReplayError::NoSampleMethod { block: 1 });
}
