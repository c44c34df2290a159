//! Reads shards in block order, some at a time, and finishes the tree over what they have.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use croupier_compute::{Node, Tally, Trunk};
use futures_util::StreamExt;

use crate::inventory::Inventory;
use crate::layout::PartialName;
use crate::report::Warning;
use crate::shard::{Place, ShardContent, ShardReader, holes};
use crate::tasks::{batch_size, batches, in_tasks};
use crate::{Digest, Error, StoredRun, content_digest};

/// What came of reading and merging.
pub(super) struct Merged<T> {
    /// None where there is nothing.
    pub(super) node: Option<Node<T>>,
    /// Of identity, blocks and tally.
    pub(super) digest: Digest,
    /// How many blocks were merged, and how many there should be.
    pub(super) blocks: u64,
    pub(super) planned_blocks: u64,
    pub(super) missing_shards: Vec<u32>,
    /// Shards among these of which something was merged.
    pub(super) salvaged_shards: u64,
    pub(super) sources: Vec<PartialName>,
    pub(super) warnings: Vec<Warning>,
}

pub(super) async fn merge<T: Tally>(
    run: &StoredRun,
    at_once: usize,
    skip_foreign: bool,
) -> Result<Merged<T>, Error> {
    let inventory = Inventory::of(run).await?;
    let reader = Arc::new(ShardReader::<T>::new(run, skip_foreign)?);
    let mut segments = Vec::with_capacity(run.segments.len());
    for segment in &run.segments {
        segments.push((segment.clone(), segment.grid(&run.manifest.identity)?));
    }
    let shards = segments.into_iter().flat_map(|(segment, grid)| {
        (0..segment.shards).map(move |shard| {
            let place = Place {
                grid,
                blocks: grid.shard(shard, segment.shards),
            };
            (segment.first_shard + shard, place)
        })
    });
    let at_once = inventory.at_once(at_once);
    let most = inventory.fit(BATCHES_BYTES / at_once as u64, LONGEST_BATCH);
    let batch_size = batch_size(run.shards() as usize, at_once, most);
    let mut merging = Merging::new(&inventory);
    let reading = batches(shards, batch_size).map(|batch| {
        let reader = Arc::clone(&reader);
        let with_names = |(shard, place)| (shard, place, inventory.names_of(shard).to_vec());
        let batch: Vec<(u32, Place, Vec<PartialName>)> =
            batch.into_iter().map(with_names).collect();
        async move {
            let mut contents = Vec::with_capacity(batch.len());
            for (shard, place, names) in batch {
                let content = reader.read(&names, &place).await?;
                contents.push((shard, place, content));
            }
            Ok(contents)
        }
    });
    let mut contents = pin!(in_tasks(reading, at_once));
    while let Some(batch) = contents.next().await {
        for (shard, place, content) in batch? {
            merging.add(shard, place.blocks, content);
        }
    }
    Ok(merging.finish(run))
}

/// How many shards one task reads at most, and how large all partials in hand may be for that.
const LONGEST_BATCH: usize = 8;
const BATCHES_BYTES: u64 = 1 << 20;

/// The tree over what has come so far, and the book-keeping of what has not.
struct Merging<T> {
    trunk: Trunk<T>,
    /// A short last block, held back: a later segment may have it whole.
    short: Option<Node<T>>,
    covered: Vec<Range<u64>>,
    missing_shards: Vec<u32>,
    salvaged_shards: u64,
    sources: Vec<PartialName>,
    skipped: usize,
    warnings: Vec<Warning>,
}

impl<T: Tally> Merging<T> {
    fn new(inventory: &Inventory) -> Self {
        let mut warnings = Vec::new();
        if let Some(first) = inventory.strays.first() {
            warnings.push(Warning::Strays {
                keys: inventory.strays.len(),
                first: first.clone(),
            });
        }
        Self {
            trunk: Trunk::new(),
            short: None,
            covered: Vec::new(),
            missing_shards: Vec::new(),
            salvaged_shards: 0,
            sources: Vec::with_capacity(inventory.len()),
            skipped: 0,
            warnings,
        }
    }

    fn add(&mut self, shard: u32, blocks: Range<u64>, content: ShardContent<T>) {
        if !holes(&content.nodes, blocks).is_empty() {
            self.missing_shards.push(shard);
            self.salvaged_shards += u64::from(!content.nodes.is_empty());
        }
        self.skipped += content.skipped;
        for (name, reason) in content.invalid {
            self.warnings.push(Warning::Invalid { name, reason });
        }
        self.sources.extend(content.sources);
        for node in content.nodes {
            if let Some(short) = self.short.take()
                && short.first_block != node.first_block
            {
                self.push(short);
            }
            if node.short {
                self.short = Some(node);
            } else {
                self.push(node);
            }
        }
    }

    fn push(&mut self, node: Node<T>) {
        let blocks = node.blocks();
        match self.covered.last_mut() {
            Some(last) if last.end == blocks.start => last.end = blocks.end,
            _ => self.covered.push(blocks),
        }
        self.trunk.push(node);
    }

    fn finish(mut self, run: &StoredRun) -> Merged<T> {
        if let Some(short) = self.short.take() {
            self.push(short);
        }
        if self.skipped > 0 {
            self.warnings
                .push(Warning::SkippedForeign { keys: self.skipped });
        }
        let node = self.trunk.finish();
        let digest = result_digest(run, &self.covered, node.as_ref());
        Merged {
            node,
            digest,
            planned_blocks: run.manifest.identity.block_length.blocks_for(run.samples()),
            blocks: self
                .covered
                .iter()
                .map(|range| range.end - range.start)
                .sum(),
            missing_shards: self.missing_shards,
            salvaged_shards: self.salvaged_shards,
            sources: self.sources,
            warnings: self.warnings,
        }
    }
}

/// The digest of a result: identity, blocks and merged tally.
fn result_digest<T: Tally>(
    run: &StoredRun,
    covered: &[Range<u64>],
    node: Option<&Node<T>>,
) -> Digest {
    let parts = (
        run.manifest.identity.digest().to_string(),
        covered,
        node.map(|node| (node.samples, &node.failures, &node.tally)),
    );
    content_digest("croupier result v1", &parts)
        .unwrap_or_else(|error| unreachable!("a tally that can't be encoded: {error}"))
}
