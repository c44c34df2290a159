//! What a worker leaves: its finished nodes, and blocks that `verify` may repeat.

use std::ops::Range;

use croupier_compute::{Node, Tally};
use croupier_store::Store;

use crate::layout::{Content, PartialName};
use crate::partial::PartialFormat;
use crate::{Error, Executable, Identity, StoredRun, content_digest};

/// Writes a partial of what is finished.
pub(super) async fn publish<T: Tally>(
    run: &StoredRun,
    shard: u32,
    format: &PartialFormat<T>,
    nodes: Vec<Node<T>>,
    mut witnesses: Vec<Node<T>>,
    executable: &Executable,
) -> Result<PartialName, Error> {
    // A block that is a row of its own needs no witness beside it.
    witnesses.retain(|witness| {
        !nodes
            .iter()
            .any(|node| node.level == 0 && node.first_block == witness.first_block)
    });
    witnesses.sort_by_key(|node| node.first_block);
    witnesses.dedup_by_key(|node| node.first_block);
    let encoded = format.encode(&executable.name(), nodes, witnesses)?;
    let name = PartialName {
        shard,
        blocks: encoded.blocks,
        sha256: encoded.sha256,
        content: Content::Nodes,
    };
    run.store.put(&name.key(), encoded.bytes).await?;
    Ok(name)
}

/// The blocks of a shard that are kept as they are: the first, and one that nobody chose.
pub(super) fn witness_blocks(identity: &Identity, shard: u32, blocks: &Range<u64>) -> Vec<u64> {
    let digest = identity.digest().to_string();
    let drawn = content_digest("croupier witness v1", &(digest, shard))
        .map(|digest| u64::from_str_radix(&digest.to_string()[..16], 16).unwrap_or_default())
        .unwrap_or_default();
    let count = blocks.end - blocks.start;
    let mut witnesses = vec![blocks.start, blocks.start + drawn % count];
    witnesses.dedup();
    witnesses
}
