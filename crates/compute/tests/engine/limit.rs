//! Where more samples fail than may, the same one is named every time.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{Frontier, KernelFailure};

use crate::kernels::{Fault, Faulty, PerSample, SEED, grid, run};

/// Samples 30, 130, 230, ... fail.
fn every_hundred(sample: u64) -> Fault {
    match sample % 200 {
        30 => Fault::Panic,
        130 => Fault::NanInMean,
        _ => Fault::None,
    }
}

fn named(failure: &KernelFailure) -> u64 {
    match failure {
        KernelFailure::Sample { sample, .. } => *sample,
        other => panic!("{other}"),
    }
}

#[test]
fn names_the_same_sample_for_any_threads() {
    let grid = grid(16, 2000);
    for allowed in [0, 1, 7, 19] {
        for threads in 1..=8 {
            for _ in 0..4 {
                let failure = run(&Faulty::new(every_hundred), grid, threads, allowed).unwrap_err();
                assert_eq!(named(&failure), 30 + 100 * allowed, "{threads} threads");
                assert_eq!(failure.block(), (30 + 100 * allowed) / 16);
            }
        }
        let kernel = PerSample(Faulty::new(every_hundred));
        assert_eq!(
            named(&run(&kernel, grid, 3, allowed).unwrap_err()),
            30 + 100 * allowed
        );
    }
    assert!(run(&Faulty::new(every_hundred), grid, 4, 20).is_ok());
}

#[test]
fn names_the_earliest_though_it_comes_last() {
    let grid = grid(16, 2000);
    for (late, others) in [(0, 1), (1, 8)] {
        let control = Arc::new(Control::new());
        let mut kernel = Faulty::new(every_hundred);
        let seen = Arc::clone(&control);
        // Block 0 waits until the other thread found the failure in block 1; then block 1, until the
        // other found the one in block 8.
        kernel.before = Arc::new(move |sample| {
            while sample == late * 16 && seen.blocks() < others {
                std::thread::yield_now();
            }
        });
        let frontier = Frontier::new();
        let work = Work {
            kernel: &kernel,
            seed: SEED,
            grid,
            blocks: &[grid.blocks()],
            allowed_failures: 0,
            failed_before: &[],
        };
        let outcome = engine::run(&work, &Pool::new(2).unwrap(), &frontier, &control);
        assert_eq!(named(&outcome.unwrap_err()), 30);
        let nodes = frontier.into_nodes();
        let left = nodes.iter().any(|node| node.blocks().contains(&0));
        assert!(left, "what lies to the left of the failure is kept");
    }
}

/// The list of failed samples is bounded, and the one to name lies behind its end.
#[test]
fn names_a_sample_that_is_not_listed() {
    let all = Faulty::new(|_| Fault::ErrorAtOnce);
    let failure = run(&all, grid(4096, 4096), 2, 1500).unwrap_err();
    assert_eq!(named(&failure), 1500);
    assert_eq!(
        failure.to_string(),
        "sample 1500 (block 0) failed: refused at once; 1500 failed samples are allowed, this is one more"
    );
}

fn resume(
    kernel: &Faulty,
    blocks: &[Range<u64>],
    failed_before: &[(u64, u64)],
    control: &Control,
) -> Result<Ended, KernelFailure> {
    let work = Work {
        kernel,
        seed: SEED,
        grid: grid(16, 2000),
        blocks,
        allowed_failures: 2,
        failed_before,
    };
    engine::run(&work, &Pool::new(2).unwrap(), &Frontier::new(), control)
}

#[test]
fn names_the_same_sample_after_resuming() {
    let kernel = Faulty::new(every_hundred);
    // Blocks 8..24 finished before: samples 130, 230 and 330 failed in them, and 30 fails now.
    let before = [(8, 3)];
    let failure = resume(&kernel, &[0..8, 24..125], &before, &Control::new());
    assert_eq!(named(&failure.unwrap_err()), 230);
    // Finished before, and too much alone.
    let failure = resume(&kernel, &[24..124, 124..125], &[(0, 4)], &Control::new());
    assert_eq!(named(&failure.unwrap_err()), 230);
}

#[test]
fn names_nothing_before_all_earlier_blocks_had_their_turn() {
    let kernel = Faulty::new(every_hundred);
    let control = Control::new();
    control.stop();
    let ended = resume(&kernel, &[0..8, 24..125], &[(8, 3)], &control);
    assert_eq!(ended, Ok(Ended::Stopped), "block 1 may fail yet, and does");
}

/// A failure that does not come again when it is asked for.
#[test]
fn says_so_where_the_failure_does_not_repeat() {
    // Sample 15 fails at once and again with care, and never after.
    let calls = AtomicU64::new(0);
    let mut kernel = Faulty::new(|_| Fault::None);
    kernel.before = Arc::new(move |sample| {
        assert!(sample != 15 || calls.fetch_add(1, Ordering::Relaxed) >= 2);
    });
    let failure = run(&kernel, grid(16, 16), 1, 0).unwrap_err();
    assert!(
        failure.to_string().contains("fewer of its samples failed"),
        "{failure}"
    );
}
