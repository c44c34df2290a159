//! Samples that fail are dropped whatever they recorded, counted, and listed by number and message.

use std::sync::atomic::{AtomicU64, Ordering};

use croupier_compute::engine::run_block;
use croupier_compute::{Estimates, Failure, Kernel, KernelFailure, Mean, Stream, StreamPer, Tally};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::by_hand;
use crate::kernels::{Fault, Faulty, PerSample, SEED, bits, grid, run};

#[test]
fn every_kind_of_failure_leaves_nothing_behind() {
    type Kind = (fn(u64) -> Fault, &'static str);
    let kinds: [Kind; 6] = [
        (
            |sample| at_37(sample, Fault::ErrorAtOnce),
            "refused at once",
        ),
        (
            |sample| at_37(sample, Fault::ErrorAfterwards),
            "refused afterwards",
        ),
        (|sample| at_37(sample, Fault::Panic), "panicked"),
        (
            |sample| at_37(sample, Fault::NanInMean),
            "recorded what is not finite in mean: NaN",
        ),
        (
            |sample| at_37(sample, Fault::NanInExtremes),
            "recorded what is not finite in extremes: NaN",
        ),
        (
            |sample| at_37(sample, Fault::InfinityInMean),
            "recorded what is not finite in mean: an infinity",
        ),
    ];
    let grid = grid(16, 100);
    for (fault, message) in kinds {
        let kernel = Faulty::new(fault);
        for threads in [1, 2] {
            let node = run(&kernel, grid, threads, 1).unwrap();
            assert_eq!(node.samples, 99);
            assert_eq!(node.failures.samples, 1);
            let [failed] = node.failures.listed.as_slice() else {
                panic!("{:?}", node.failures.listed);
            };
            assert_eq!((failed.first_sample, failed.samples), (37, 1));
            assert!(failed.message.starts_with(message), "{}", failed.message);
            assert_eq!(bits(&node.tally), bits(&by_hand::run(&kernel, &grid)));
        }
        let per_sample = PerSample(kernel);
        let node = run(&per_sample, grid, 2, 1).unwrap();
        assert_eq!(node.failures.listed[0].first_sample, 37);
        assert_eq!(bits(&node.tally), bits(&by_hand::run(&per_sample, &grid)));
    }
}

fn at_37(sample: u64, fault: Fault) -> Fault {
    if sample == 37 { fault } else { Fault::None }
}

#[test]
fn panics_say_what_they_said() {
    let kernel = Faulty::new(|sample| at_37(sample, Fault::Panic));
    let node = run_block(&kernel, SEED, &grid(16, 100), 2).unwrap();
    assert!(
        node.failures.listed[0]
            .message
            .ends_with("sample 37 had to panic"),
        "{}",
        node.failures.listed[0].message
    );
}

#[test]
fn a_block_of_nothing_but_failures_is_an_empty_tally() {
    let kernel = Faulty::new(|sample| {
        if sample / 16 == 1 {
            Fault::Panic
        } else {
            Fault::None
        }
    });
    let node = run_block(&kernel, SEED, &grid(16, 100), 1).unwrap();
    assert_eq!((node.samples, node.failures.samples), (0, 16));
    assert_eq!(node.tally.mean.count(), 0);
    assert_eq!(run(&kernel, grid(16, 100), 2, 16).unwrap().samples, 84);
}

#[test]
fn many_are_counted_and_the_first_thousand_listed() {
    let kernel = Faulty::new(|sample| {
        if sample % 2 == 1 {
            Fault::ErrorAtOnce
        } else {
            Fault::None
        }
    });
    let failures = run(&kernel, grid(64, 4096), 4, 4096).unwrap().failures;
    assert_eq!(failures.samples, 2048);
    let listed: Vec<u64> = failures.listed.iter().map(|f| f.first_sample).collect();
    let expected: Vec<u64> = (0..1000).map(|i| 2 * i + 1).collect();
    assert_eq!(listed, expected);
}

/// Implements `block` alone.
struct BlockLoop {
    fail: u64,
}

impl Kernel for BlockLoop {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn block(
        &self,
        samples: std::ops::Range<u64>,
        rng: &mut Stream<ChaCha8Rng>,
        tally: &mut Mean,
    ) -> Result<(), Failure> {
        for sample in samples {
            tally.record(rng.random());
            if sample == self.fail {
                return Err(Failure::new("the loop broke"));
            }
        }
        Ok(())
    }
}

#[test]
fn a_kernel_with_a_block_loop_only_fails_by_whole_blocks() {
    let node = run(&BlockLoop { fail: u64::MAX }, grid(16, 64), 2, 0).unwrap();
    assert_eq!(node.tally.count(), 64);

    let kernel = BlockLoop { fail: 37 };
    let node = run(&kernel, grid(16, 64), 2, 16).unwrap();
    assert_eq!((node.samples, node.tally.count()), (48, 48));
    let [failed] = node.failures.listed.as_slice() else {
        panic!("{:?}", node.failures);
    };
    assert_eq!((failed.first_sample, failed.samples), (32, 16));
    assert_eq!(failed.message, "the loop broke");

    assert_eq!(
        run(&kernel, grid(16, 64), 2, 15),
        Err(KernelFailure::Block {
            block: 2,
            samples: 32..48,
            message: "the loop broke".to_owned()
        })
    );
}

struct Nothing;

impl Kernel for Nothing {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }
}

/// A block loop, which a stream per sample has no use for.
struct Misplaced;

impl Kernel for Misplaced {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const STREAMS: StreamPer = StreamPer::Sample;

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
fn a_kernel_without_methods_is_told_which_it_needs() {
    for failure in [
        run(&Nothing, grid(16, 64), 2, u64::MAX).unwrap_err(),
        run(&Misplaced, grid(16, 64), 2, u64::MAX).unwrap_err(),
    ] {
        assert_eq!(
            failure.to_string(),
            "block 0 (samples 0 to 15) failed: a kernel must implement sample, try_sample or block \
             (of these, with a stream per sample, one of the first two)"
        );
    }
}

/// Fails every other time it is called.
struct Unsteady(AtomicU64);

impl Kernel for Unsteady {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn try_sample(
        &self,
        _: u64,
        rng: &mut Stream<ChaCha8Rng>,
        tally: &mut Mean,
    ) -> Result<(), Failure> {
        tally.record(rng.random());
        if self.0.fetch_add(1, Ordering::Relaxed) == 20 {
            return Err(Failure::new("this once"));
        }
        Ok(())
    }
}

#[test]
fn a_kernel_that_is_not_reproducible_is_found_out() {
    let failure = run(&Unsteady(AtomicU64::new(0)), grid(64, 64), 1, 64).unwrap_err();
    let text = failure.to_string();
    assert!(
        text.contains("behaved differently when it was repeated") && text.contains("this once"),
        "{text}"
    );
    // Fails where the samples are repeated for the tally: the first time alone, the second not.
    let failure = run(&Unsteady(AtomicU64::new(20 - 1)), grid(1, 1), 1, 0);
    assert!(failure.is_ok(), "{failure:?}");
}

/// Records values that are finite, and whose squared distances are not.
struct Wide;

impl Kernel for Wide {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, sample: u64, _: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(if sample.is_multiple_of(2) {
            1e200
        } else {
            -1e200
        });
    }
}

#[test]
fn sums_that_overflow_are_the_blocks_failure() {
    let failure = run(&Wide, grid(16, 64), 2, 64).unwrap_err();
    assert_eq!(failure.block(), 0);
    assert_eq!(
        failure.to_string(),
        "block 0 (samples 0 to 15) failed: every sample that did not fail is well alone, but together: \
         recorded what is not finite: an infinity, or values whose distance is too large to be squared"
    );
    // Where it is blocks that lie too far apart, the result says so.
    let node = run(&Wide, grid(1, 4), 2, 0).unwrap();
    let mut estimates = Estimates::new("wide", 0.95);
    node.tally.estimates(&mut estimates);
    let wide = estimates.get("wide").unwrap();
    assert_eq!((wide.value, wide.std_error), (Some(0.0), None));
    assert!(estimates.notes()[0].contains("too far apart"));
}

/// Panics where it makes its empty tally, or where it merges.
struct BadTally {
    at_birth: bool,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Unmergeable(u64);

impl Tally for Unmergeable {
    fn merge(&mut self, _: Self) {
        panic!("other edges");
    }

    fn estimates(&self, _: &mut Estimates) {}
}

impl Kernel for BadTally {
    type Rng = ChaCha8Rng;
    type Tally = Unmergeable;

    fn tally(&self) -> Unmergeable {
        assert!(!self.at_birth, "no edges");
        Unmergeable(0)
    }

    fn sample(&self, _: u64, _: &mut Stream<ChaCha8Rng>, _: &mut Unmergeable) {}
}

#[test]
fn a_tally_that_panics_is_a_failure_too() {
    let born = run(&BadTally { at_birth: true }, grid(4, 16), 2, 16).unwrap_err();
    assert!(
        matches!(born, KernelFailure::Block { block: 0, .. }),
        "{born}"
    );
    assert!(born.to_string().contains("no edges"), "{born}");
    let merged = run(&BadTally { at_birth: false }, grid(4, 16), 2, 0).unwrap_err();
    assert!(matches!(merged, KernelFailure::Merge { .. }), "{merged}");
    assert!(merged.to_string().contains("other edges"), "{merged}");
}
