//! Stopping in the middle, and going on.

use std::sync::Arc;

use croupier_compute::engine::{self, Control, Ended, Pool, Work};
use croupier_compute::{Frontier, Node};

use crate::kernels::{Fault, Faulty, SEED, bits, grid, merged, nodes, run};

#[test]
fn what_is_finished_when_stopped_goes_on_to_the_same_bits() {
    let grid = grid(8, 8 * 50);
    let whole = bits(&run(&Faulty::new(|_| Fault::None), grid, 2, 0).unwrap());
    for threads in [1, 2, 8] {
        let control = Arc::new(Control::new());
        let mut kernel = Faulty::new(|_| Fault::None);
        let told = Arc::clone(&control);
        kernel.before = Arc::new(move |sample| {
            if sample == 20 * 8 {
                told.stop();
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
        let pool = Pool::new(threads).unwrap();
        let ended = engine::run(&work, &pool, &frontier, &control);
        assert_eq!(ended, Ok(Ended::Stopped));
        let before = frontier.into_nodes();
        let done: u64 = before.iter().map(|node| 1 << node.level).sum();
        assert_eq!(done, control.blocks());
        assert_eq!(
            before.iter().map(|node| node.samples).sum::<u64>(),
            control.samples()
        );
        assert!((20..=20 + threads as u64).contains(&done), "{done} blocks");

        let missing = holes(&before, grid.blocks().end);
        let mut all = nodes(&kernel, grid, &missing, threads, 0).unwrap();
        all.extend(before);
        assert_eq!(bits(&merged(all)), whole);
    }
}

#[test]
fn stopped_before_it_began_it_runs_nothing() {
    let control = Control::new();
    control.stop();
    assert!(control.is_stopped());
    let grid = grid(8, 80);
    let frontier = Frontier::new();
    let work = Work {
        kernel: &Faulty::new(|_| Fault::Panic),
        seed: SEED,
        grid,
        blocks: &[grid.blocks()],
        allowed_failures: 0,
        failed_before: &[],
    };
    let ended = engine::run(&work, &Pool::new(2).unwrap(), &frontier, &control);
    assert_eq!(ended, Ok(Ended::Stopped));
    assert!(frontier.is_empty());
}

#[test]
fn no_threads_are_refused() {
    assert_eq!(
        Pool::new(0).unwrap_err().to_string(),
        "0 threads: at least one is needed"
    );
    assert_eq!(Pool::new(3).unwrap().threads(), 3);
}

fn holes<T>(nodes: &[Node<T>], end: u64) -> Vec<std::ops::Range<u64>> {
    let mut next = 0;
    let mut holes = Vec::new();
    for node in nodes {
        if node.first_block > next {
            holes.push(next..node.first_block);
        }
        next = next.max(node.first_block + (1 << node.level));
    }
    if next < end {
        holes.push(next..end);
    }
    holes
}
