//! The rest of the tree, over nodes that come in block order.

use super::{Node, level_above};
use crate::Tally;

/// Merges disjoint nodes, given from left to right, as the canonical tree over their blocks says.
///
/// It holds one node a level at most: two neighbours are merged as soon as what comes next lies
/// outside the lowest node above both.
#[derive(Debug)]
pub struct Trunk<T> {
    /// Each holds merged nodes from `first_block` up to the next one's.
    open: Vec<Node<T>>,
    end_block: u64,
}

impl<T: Tally> Trunk<T> {
    /// No nodes yet.
    pub fn new() -> Self {
        Self {
            open: Vec::new(),
            end_block: 0,
        }
    }

    /// Adds a node to the right of all that are here.
    ///
    /// # Panics
    ///
    /// Where it overlaps one that is here, or lies to the left of it.
    pub fn push(&mut self, node: Node<T>) {
        assert!(
            node.first_block >= self.end_block,
            "block {} was already merged, up to {}",
            node.first_block,
            self.end_block
        );
        self.end_block = node.blocks().end;
        while let [.., left, right] = self.open.as_slice() {
            let above = level_above(left.first_block, right.first_block);
            if above >= level_above(right.first_block, node.first_block) {
                break;
            }
            self.merge_last_two();
        }
        self.open.push(node);
    }

    /// The leftmost of the nodes that are held.
    pub fn first(&self) -> Option<&Node<T>> {
        self.open.first()
    }

    /// How many nodes are held.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no node was pushed.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The value over all blocks, as the lowest node above them; none of no blocks.
    pub fn finish(mut self) -> Option<Node<T>> {
        while self.open.len() > 1 {
            self.merge_last_two();
        }
        let mut node = self.open.pop()?;
        node.first_block &= !((1 << node.level) - 1);
        Some(node)
    }

    fn merge_last_two(&mut self) {
        if let (Some(right), Some(left)) = (self.open.pop(), self.open.last_mut()) {
            left.level = level_above(left.first_block, right.blocks().end - 1);
            left.absorb(right);
        }
    }
}

impl<T: Tally> Default for Trunk<T> {
    fn default() -> Self {
        Self::new()
    }
}
