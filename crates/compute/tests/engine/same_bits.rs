//! The same bits for any threads and any split.

use croupier_compute::Node;

use crate::by_hand;
use crate::kernels::{Both, Fault, Faulty, PerSample, bits, grid, merged, nodes, run};

fn faultless() -> Faulty {
    Faulty::new(|_| Fault::None)
}

fn some_faults() -> Faulty {
    Faulty::new(|sample| match sample % 97 {
        13 => Fault::ErrorAtOnce,
        40 => Fault::Panic,
        77 => Fault::NanInMean,
        _ => Fault::None,
    })
}

#[test]
fn threads_and_splits_do_not_show() {
    // 45 blocks, the last of them short.
    let grid = grid(32, 44 * 32 + 5);
    for kernel in [faultless(), some_faults()] {
        let expected = by_hand::run(&kernel, &grid);
        for threads in [1, 2, 8] {
            let whole = run(&kernel, grid, threads, 1000).unwrap();
            assert_eq!(bits(&whole.tally), bits(&expected), "{threads} threads");
            assert_eq!(whole.samples, expected.mean.count());
            for shards in [1, 7, 45] {
                let parts: Vec<Node<Both>> = (0..shards)
                    .rev()
                    .flat_map(|shard| {
                        let blocks = grid.shard(shard, shards);
                        nodes(&kernel, grid, &[blocks], threads, 1000).unwrap()
                    })
                    .collect();
                assert_eq!(
                    bits(&merged(parts)),
                    bits(&whole),
                    "{threads} threads, {shards} shards"
                );
            }
        }
    }
}

#[test]
fn nodes_are_the_same_for_any_threads() {
    let grid = grid(16, 16 * 100);
    let holes = [3..4, 9..30, 31..97];
    let expected = nodes(&some_faults(), grid, &holes, 1, 1000).unwrap();
    let spans: Vec<_> = expected.iter().map(Node::blocks).collect();
    assert_eq!(
        spans,
        [
            3..4,
            9..10,
            10..12,
            12..16,
            16..24,
            24..28,
            28..30,
            31..32,
            32..64,
            64..96,
            96..97
        ],
        "whole nodes, as large as they get"
    );
    for threads in [2, 8] {
        for _ in 0..5 {
            let again = nodes(&some_faults(), grid, &holes, threads, 1000).unwrap();
            assert_eq!(bits(&again), bits(&expected), "{threads} threads");
        }
    }
}

#[test]
fn a_stream_per_sample_does_not_know_blocks() {
    let kernel = PerSample(faultless());
    let grid32 = grid(32, 32 * 9 + 1);
    assert_eq!(
        bits(&run(&kernel, grid32, 2, 0).unwrap().tally),
        bits(&by_hand::run(&kernel, &grid32))
    );
    // Recorded alone, a sample is the same in blocks of any length.
    let alone = |length| {
        let grid = grid(length, 64);
        croupier_compute::engine::replay_sample(&kernel, 3, &grid, 61).unwrap()
    };
    assert_eq!(bits(&alone(1)), bits(&alone(16)));
    let shared = |length| {
        let grid = grid(length, 64);
        croupier_compute::engine::replay_sample(&faultless(), 3, &grid, 61).unwrap()
    };
    assert_ne!(
        bits(&shared(1)),
        bits(&shared(16)),
        "with a stream per block it is not"
    );
}

#[test]
fn a_short_last_block_is_a_row_of_its_own() {
    let grid = grid(8, 8 * 3 + 5);
    let rows = nodes(&faultless(), grid, &[grid.blocks()], 2, 0).unwrap();
    let seen: Vec<_> = rows
        .iter()
        .map(|node| (node.blocks(), node.samples, node.short))
        .collect();
    assert_eq!(
        seen,
        [(0..2, 16, false), (2..3, 8, false), (3..4, 5, true)],
        "blocks 2 and 3 are buddies, and not merged"
    );
    let whole = crate::kernels::grid(8, 8 * 4);
    let rows_of_whole = nodes(&faultless(), whole, &[whole.blocks()], 2, 0).unwrap();
    assert_eq!(rows_of_whole.len(), 1);
}

#[test]
fn finishing_late_does_not_show() {
    use croupier_compute::engine::{self, Control, Ended, Pool, Work};
    use std::sync::Arc;

    let grid = grid(4, 4 * 40);
    let expected = bits(&run(&faultless(), grid, 1, 0).unwrap());
    for late in [0, 7, 20, 37] {
        let control = Arc::new(Control::new());
        let mut kernel = faultless();
        let seen = Arc::clone(&control);
        // The late block waits until all others have finished.
        kernel.before = Arc::new(move |sample| {
            while sample == late * 4 && seen.blocks() < 39 {
                std::thread::yield_now();
            }
        });
        let work = Work {
            kernel: &kernel,
            seed: crate::kernels::SEED,
            grid,
            blocks: &[grid.blocks()],
            allowed_failures: 0,
            failed_before: &[],
        };
        let frontier = croupier_compute::Frontier::new();
        let ended = engine::run(&work, &Pool::new(2).unwrap(), &frontier, &control);
        assert_eq!(ended, Ok(Ended::Done));
        assert_eq!((control.blocks(), control.samples()), (40, 160));
        assert_eq!(bits(&merged(frontier.into_nodes())), expected);
    }
}
