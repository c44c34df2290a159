//! Tallies through the canonical tree, dealt in any way.

use croupier_compute::{Estimate, Estimates, Failures, Frontier, Node, Tally, Trunk};

fn node<T>(block: u64, tally: T) -> Node<T> {
    Node {
        first_block: block,
        level: 0,
        samples: 1,
        short: false,
        failures: Failures::default(),
        tally,
    }
}

/// The blocks 0, 1, ... merged as one shard.
pub(crate) fn merged<T: Tally>(blocks: Vec<T>) -> T {
    dealt(blocks, &[], 0)
}

/// The same cut into shards before each of `cuts`, the blocks of each shard finished from the one at `turn` on.
pub(crate) fn dealt<T: Tally>(blocks: Vec<T>, cuts: &[usize], turn: usize) -> T {
    let mut cuts = cuts.to_vec();
    cuts.sort_unstable();
    let mut rest: Vec<Node<T>> = (0..)
        .zip(blocks)
        .map(|(block, tally)| node(block, tally))
        .collect();
    let mut shards = Vec::new();
    for cut in cuts.into_iter().rev() {
        shards.push(rest.split_off(cut.min(rest.len())));
    }
    shards.push(rest);
    let mut trunk = Trunk::new();
    for mut shard in shards.into_iter().rev() {
        if !shard.is_empty() {
            let middle = turn % shard.len();
            shard.rotate_left(middle);
        }
        let frontier = Frontier::new();
        for node in shard {
            frontier.insert(node);
        }
        for node in frontier.into_nodes() {
            trunk.push(node);
        }
    }
    trunk.finish().expect("some blocks").tally
}

/// All estimates of a tally called `x`, and its notes.
pub(crate) fn estimates<T: Tally>(tally: &T) -> Estimates {
    let mut estimates = Estimates::new("x", 0.95);
    tally.estimates(&mut estimates);
    estimates
}

pub(crate) fn estimate<T: Tally>(tally: &T, name: &str) -> Estimate {
    let all = estimates(tally);
    let found = all.get(name);
    found
        .unwrap_or_else(|| panic!("no {name} in {all:?}"))
        .clone()
}
