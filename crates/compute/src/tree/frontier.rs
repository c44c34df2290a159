//! Whole nodes, merged as they finish.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Node;
use crate::Tally;

/// The largest whole nodes over the blocks finished so far, from any thread and in any order.
///
/// Whoever brings the second of two buddies merges them, so a merge runs on the thread that made its
/// last block and no thread waits for another. Blocks finished in order leave at most two nodes a
/// level.
#[derive(Debug)]
pub struct Frontier<T>(Mutex<BTreeMap<u64, Node<T>>>);

impl<T: Tally> Frontier<T> {
    /// No block finished yet.
    pub fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Adds a finished node, and merges upwards as far as its buddies are there.
    pub fn insert(&self, mut node: Node<T>) {
        loop {
            let buddy = {
                let mut nodes = self.lock();
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
        self.lock().len()
    }

    /// Whether no block has finished yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks at the nodes in block order while none can be added.
    pub fn with_nodes<R>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &Node<T>>) -> R) -> R {
        look(&mut self.lock().values())
    }

    /// The nodes in block order.
    pub fn into_nodes(self) -> Vec<Node<T>> {
        self.0
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .into_values()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Node<T>>> {
        // No code of an author runs under the lock, so a poisoned one has nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
