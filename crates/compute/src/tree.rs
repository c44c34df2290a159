//! The canonical merge tree: one order of merging for every way of dealing.
//!
//! Node (k, j) stands for the blocks `[j*2^k, (j+1)*2^k)`. Its value is left merged with right, or
//! the one that is there. So the value over a set of blocks is a function of the set alone, though
//! merging may be neither associative nor commutative, and rounding errors grow with log2 of the
//! number of blocks. [`Frontier`] merges whole nodes as they finish, in any order; [`Trunk`] finishes
//! the tree over what is there, in block order, holding no more than one node a level.

mod frontier;
mod trunk;

use std::ops::Range;

use crate::{Failures, Tally};

pub use frontier::Frontier;
pub use trunk::Trunk;

/// The merged state of the blocks below one node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<T> {
    /// The first of its 2^level blocks, a multiple of 2^level.
    pub first_block: u64,
    /// Its height: 0 is a block.
    pub level: u8,
    /// The samples its tally rests on, without those that failed.
    pub samples: u64,
    /// Whether a sample of its last block is missing because the segment ends inside it. Such a
    /// node is always a single block, and never a part of a larger [`Frontier`] node.
    pub short: bool,
    /// The samples that failed.
    pub failures: Failures,
    /// The state.
    pub tally: T,
}

impl<T> Node<T> {
    /// The blocks it stands for.
    pub fn blocks(&self) -> Range<u64> {
        self.first_block..self.first_block + (1 << self.level)
    }
}

impl<T: Tally> Node<T> {
    /// Adds what is to the right. What becomes of position and height is the caller's.
    fn absorb(&mut self, right: Self) {
        self.samples += right.samples;
        self.short |= right.short;
        self.failures.merge(right.failures);
        self.tally.merge(right.tally);
    }
}

/// The height of the lowest node above the blocks `a` and `b`.
fn level_above(a: u64, b: u64) -> u8 {
    (u64::BITS - (a ^ b).leading_zeros()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Estimates, NotFinite};
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    /// Remembers how it was merged: neither associative nor commutative.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Shape(String);

    impl Tally for Shape {
        fn merge(&mut self, right: Self) {
            self.0 = format!("({} {})", self.0, right.0);
        }

        fn end_block(&mut self) -> Result<(), NotFinite> {
            Ok(())
        }

        fn estimates(&self, _: &mut Estimates) {}
    }

    fn leaf(block: u64) -> Node<Shape> {
        Node {
            first_block: block,
            level: 0,
            samples: 1,
            short: false,
            failures: Failures::default(),
            tally: Shape(block.to_string()),
        }
    }

    /// The definition, word for word.
    fn by_definition(blocks: &[u64], first: u64, level: u8) -> Option<String> {
        if level == 0 {
            return blocks.contains(&first).then(|| first.to_string());
        }
        let half = 1 << (level - 1);
        let left = by_definition(blocks, first, level - 1);
        let right = by_definition(blocks, first + half, level - 1);
        match (left, right) {
            (Some(left), Some(right)) => Some(format!("({left} {right})")),
            (left, right) => left.or(right),
        }
    }

    fn through_frontiers(deals: &[Vec<u64>]) -> Option<String> {
        let mut nodes: Vec<Node<Shape>> = deals
            .iter()
            .flat_map(|blocks| {
                let frontier = Frontier::new();
                for block in blocks {
                    frontier.insert(leaf(*block));
                }
                frontier.into_nodes()
            })
            .collect();
        nodes.sort_by_key(|node| node.first_block);
        let mut trunk = Trunk::new();
        for node in nodes {
            trunk.push(node);
        }
        trunk.finish().map(|node| node.tally.0)
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn any_deal_of_any_set_in_any_order_merges_alike(
            blocks in prop::collection::btree_set(0u64..200, 0..60),
            seed: u64,
            hands in 1u64..9,
        ) {
            let blocks: Vec<u64> = blocks.into_iter().collect();
            let mut deals = vec![Vec::new(); hands as usize];
            let mut shuffled = blocks.clone();
            shuffled.sort_by_key(|block| (block ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for block in shuffled {
                deals[((block ^ seed).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as usize % hands as usize].push(block);
            }
            prop_assert_eq!(through_frontiers(&deals), by_definition(&blocks, 0, 8));
        }
    }

    #[test]
    fn pins() {
        let blocks: Vec<u64> = (0..7).collect();
        let expected = "(((0 1) (2 3)) ((4 5) 6))";
        assert_eq!(through_frontiers(&[blocks]).unwrap(), expected);
        assert_eq!(
            through_frontiers(&[vec![3, 5], vec![6, 1]]).unwrap(),
            "((1 3) (5 6))"
        );
    }

    #[test]
    fn a_short_block_is_never_inside_a_larger_node() {
        let frontier = Frontier::new();
        let mut last = leaf(3);
        last.short = true;
        for node in [last, leaf(0), leaf(2), leaf(1)] {
            frontier.insert(node);
        }
        let nodes = frontier.into_nodes();
        let spans: Vec<_> = nodes.iter().map(Node::blocks).collect();
        assert_eq!(spans, [0..2, 2..3, 3..4]);
    }

    #[test]
    fn few_nodes_are_held() {
        let frontier = Frontier::new();
        for block in 1..1000 {
            frontier.insert(leaf(block));
            assert!(frontier.len() <= 2 * 10);
        }
        let mut trunk = Trunk::new();
        for node in frontier.into_nodes() {
            trunk.push(node);
            assert!(trunk.len() <= 11);
        }
    }
}
