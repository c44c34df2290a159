//! Whether several partials of one shard say the same of the blocks that more than one covers.
//!
//! Nodes nest or are disjoint, and what is known of a node's two halves is known of the node. So
//! everything is merged as far as it goes, and where a place in the tree is come to a second time, by
//! another partial or from below, both ways must have led to the same content.

use std::collections::BTreeMap;

use croupier_compute::{Node, Tally, Trunk};
use serde::Serialize;

use crate::error::check_fit;
use crate::layout::PartialName;
use crate::{Digest, Error, content_digest};

/// What is known of a shard's nodes, and from which partial.
#[derive(Debug)]
pub(super) struct Agreement<T> {
    uri: String,
    /// By level and first block.
    nodes: BTreeMap<(u8, u64), (PartialName, Node<T>)>,
}

impl<T: Tally> Agreement<T> {
    pub(super) fn new(uri: String) -> Self {
        Self {
            uri,
            nodes: BTreeMap::new(),
        }
    }

    /// Adds a node of the partial `source`.
    ///
    /// # Errors
    ///
    /// [`Error::Differ`] where something else is known of its blocks; [`Error::Foreign`] where its
    /// tally has another shape than its buddy's.
    pub(super) fn add(&mut self, source: PartialName, mut node: Node<T>) -> Result<(), Error> {
        loop {
            let (level, first_block) = (node.level, node.first_block);
            if let Some((other, there)) = self.nodes.get(&(level, first_block)) {
                return if node_digest(there) == node_digest(&node) {
                    Ok(())
                } else {
                    Err(Error::Differ {
                        left: format!("{}/{}", self.uri, other.key()),
                        right: format!("{}/{}", self.uri, source.key()),
                        blocks: node.blocks(),
                    })
                };
            }
            let buddy = self.nodes.get(&(level, first_block ^ 1 << level));
            let buddy = buddy.filter(|(_, buddy)| !buddy.short && !node.short);
            if let Some((_, buddy)) = buddy {
                check_fit(&buddy.tally, &node, || {
                    format!("{}/{}", self.uri, source.key())
                })?;
            }
            let above = buddy.and_then(|(_, buddy)| merged(buddy, &node));
            self.nodes.insert((level, first_block), (source, node));
            match above {
                Some(above) => node = above,
                None => return Ok(()),
            }
        }
    }

    /// The nodes that lie in no other, in block order; and of those that do, the single blocks.
    pub(super) fn into_largest(self) -> (Vec<Node<T>>, Vec<Node<T>>) {
        let mut nodes: Vec<Node<T>> = self.nodes.into_values().map(|(_, node)| node).collect();
        nodes.sort_by_key(|node| (node.first_block, u8::MAX - node.level));
        let mut end = 0;
        let (largest, mut inside): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| {
            let is_largest = node.first_block >= end;
            end = end.max(node.blocks().end);
            is_largest
        });
        inside.retain(|node| node.level == 0);
        (largest, inside)
    }
}

fn merged<T: Tally>(one: &Node<T>, other: &Node<T>) -> Option<Node<T>> {
    let (left, right) = if one.first_block < other.first_block {
        (one, other)
    } else {
        (other, one)
    };
    let mut trunk = Trunk::new();
    trunk.push(left.clone());
    trunk.push(right.clone());
    trunk.finish()
}

/// What a node says, whatever file it came in.
pub(crate) fn node_digest<T: Serialize>(node: &Node<T>) -> Digest {
    let parts = (
        node.first_block,
        node.level,
        node.samples,
        &node.failures,
        &node.tally,
    );
    // What was read from columns, or is about to be written to them, encodes.
    content_digest("croupier node v1", &parts)
        .unwrap_or_else(|error| unreachable!("a tally that can't be encoded: {error}"))
}
