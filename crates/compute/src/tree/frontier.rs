//! Whole nodes, merged as they finish.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::Node;
use crate::Tally;

/// The largest whole nodes over the blocks finished so far, from any thread and in any order.
///
/// Whoever brings the second of two buddies merges them, so a merge runs on the thread that made its
/// last block and no thread waits for another. Blocks finished in order leave at most two nodes a
/// level.
#[derive(Debug)]
pub struct Frontier<T> {
    nodes: Mutex<BTreeMap<u64, Node<T>>>,
    /// Shared while a node is on its way in, and out of `nodes` with its buddies; whole for a snapshot.
    on_the_way: RwLock<()>,
    /// Blocks of which a copy is kept as they are, for a later check; sorted.
    witness_blocks: Vec<u64>,
    witnesses: Mutex<BTreeMap<u64, Node<T>>>,
}

impl<T: Tally> Frontier<T> {
    /// No block finished yet.
    pub fn new() -> Self {
        Self::with_witnesses(Vec::new())
    }

    /// As [`new`](Self::new), keeping a copy of each of the blocks `blocks` before it is merged.
    pub fn with_witnesses(mut blocks: Vec<u64>) -> Self {
        blocks.sort_unstable();
        Self {
            nodes: Mutex::new(BTreeMap::new()),
            on_the_way: RwLock::new(()),
            witness_blocks: blocks,
            witnesses: Mutex::new(BTreeMap::new()),
        }
    }

    /// Adds a finished node, and merges upwards as far as its buddies are there.
    pub fn insert(&self, mut node: Node<T>) {
        let _on_the_way = self
            .on_the_way
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if node.level == 0 && self.witness_blocks.binary_search(&node.first_block).is_ok() {
            lock(&self.witnesses).insert(node.first_block, node.clone());
        }
        loop {
            let buddy = {
                let mut nodes = lock(&self.nodes);
                match take_buddy(&mut nodes, &node) {
                    Some(buddy) => buddy,
                    None => {
                        nodes.insert(node.first_block, node);
                        return;
                    }
                }
            };
            // Outside the lock: tallies may be large.
            let (mut left, right) = if buddy.first_block < node.first_block {
                (buddy, node)
            } else {
                (node, buddy)
            };
            left.absorb(right);
            left.level += 1;
            node = left;
        }
    }

    /// How many nodes are held.
    pub fn len(&self) -> usize {
        lock(&self.nodes).len()
    }

    /// Whether no block has finished yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies of the nodes and of the witnesses so far, each in block order. Waits for merges in hand,
    /// whose nodes would be missing, and holds up new ones while it copies.
    pub fn snapshot(&self) -> (Vec<Node<T>>, Vec<Node<T>>) {
        let _none_on_the_way = self
            .on_the_way
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let nodes = lock(&self.nodes).values().cloned().collect();
        (nodes, lock(&self.witnesses).values().cloned().collect())
    }

    /// The nodes in block order.
    pub fn into_nodes(self) -> Vec<Node<T>> {
        self.into_parts().0
    }

    /// The nodes and the witnesses, each in block order.
    pub fn into_parts(self) -> (Vec<Node<T>>, Vec<Node<T>>) {
        let [nodes, witnesses] = [self.nodes, self.witnesses].map(|held| {
            held.into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .into_values()
                .collect()
        });
        (nodes, witnesses)
    }
}

fn lock<T>(held: &Mutex<BTreeMap<u64, Node<T>>>) -> MutexGuard<'_, BTreeMap<u64, Node<T>>> {
    // Of an author's code only `clone` runs under the lock, so a poisoned one has nothing half done.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Tally> Default for Frontier<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn take_buddy<T>(nodes: &mut BTreeMap<u64, Node<T>>, node: &Node<T>) -> Option<Node<T>> {
    if node.short {
        return None;
    }
    let first_block = node.first_block ^ (1 << node.level);
    let found = nodes.get(&first_block)?;
    if found.level == node.level && !found.short {
        nodes.remove(&first_block)
    } else {
        None
    }
}
