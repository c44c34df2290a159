//! Reads shards in block order, some at a time, and finishes the tree over what they have.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use croupier_compute::{Node, Tally, Trunk};
use futures_util::StreamExt;

use crate::error::{catch_in_tally, check_fit};
use crate::inventory::Inventory;
use crate::layout::PartialName;
use crate::report::{IN_TROUBLE, WITH_FAILED_SAMPLES, Warning};
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
    /// Blocks of these.
    pub(super) salvaged_blocks: u64,
    pub(super) sources: Vec<PartialName>,
    pub(super) warnings: Vec<Warning>,
    /// Groups of shards, each merged apart from the rest, to be compared with it.
    pub(super) sides: Vec<MergedSides<T>>,
}

/// The tallies of a group of shards and of the rest; none where there is nothing.
pub(super) struct MergedSides<T> {
    pub(super) group: &'static str,
    pub(super) shards: u64,
    pub(super) rest_shards: u64,
    pub(super) tally: Option<T>,
    pub(super) rest: Option<T>,
}

/// Merges what `inventory` lists. `trouble` names shards, sorted, that are in trouble.
pub(super) async fn merge<T: Tally>(
    run: &StoredRun,
    inventory: &Inventory,
    at_once: usize,
    skip_foreign: bool,
    trouble: &[u32],
    samples_may_fail: bool,
) -> Result<Merged<T>, Error> {
    let reader = Arc::new(ShardReader::<T>::new(run, skip_foreign)?);
    let mut segments = Vec::with_capacity(run.segments.len());
    for segment in &run.segments {
        segments.push((segment.clone(), segment.grid(&run.manifest.identity)?));
    }
    let samples = run.samples();
    let shards = segments.into_iter().flat_map(|(segment, grid)| {
        (0..segment.shards).map(move |shard| {
            let place = Place {
                grid,
                blocks: grid.shard(shard, segment.shards),
            };
            // A short last block that a later segment goes on with is a hole until that has it whole.
            let goes_on = segment.end_sample < samples;
            (segment.first_shard + shard, place, goes_on)
        })
    });
    let at_once = inventory.at_once(at_once);
    let most = inventory.fit(BATCHES_BYTES / at_once as u64, LONGEST_BATCH);
    let batch_size = batch_size(run.shards() as usize, at_once, most);
    let mut merging = Merging::new(inventory);
    if !trouble.is_empty() {
        merging.sides.push(Sides::new(IN_TROUBLE));
    }
    if samples_may_fail {
        merging.sides.push(Sides::new(WITH_FAILED_SAMPLES));
    }
    let reading = batches(shards, batch_size).map(|batch| {
        let reader = Arc::clone(&reader);
        let with_names = |(shard, place, goes_on)| {
            let names = inventory.names_of(shard).to_vec();
            (shard, place, goes_on, names)
        };
        let batch: Vec<(u32, Place, bool, Vec<PartialName>)> =
            batch.into_iter().map(with_names).collect();
        async move {
            let mut contents = Vec::with_capacity(batch.len());
            for (shard, place, goes_on, names) in batch {
                let mut content = reader.read(&names, &place).await?;
                let is_done = holes(&content.nodes, place.blocks.clone()).is_empty();
                content.nodes.retain(|node| !(goes_on && node.short));
                contents.push((shard, is_done, content));
            }
            Ok(contents)
        }
    });
    let mut contents = pin!(in_tasks(reading, at_once));
    while let Some(batch) = contents.next().await {
        for (shard, is_done, content) in batch? {
            let is_in_trouble = trouble.binary_search(&shard).is_ok();
            let first_block = content.nodes.first().map_or(0, |node| node.first_block);
            catch_in_tally(first_block, || {
                merging.add(shard, is_done, content, is_in_trouble)
            })??;
        }
    }
    catch_in_tally(0, || merging.finish(run))
}

/// How many shards one task reads at most, and how large all partials in hand may be for that.
const LONGEST_BATCH: usize = 8;
const BATCHES_BYTES: u64 = 1 << 20;

/// The tree over what has come so far, and the book-keeping of what has not.
struct Merging<T> {
    trunk: Trunk<T>,
    covered: Vec<Range<u64>>,
    missing_shards: Vec<u32>,
    salvaged_shards: u64,
    salvaged_blocks: u64,
    sources: Vec<PartialName>,
    skipped: usize,
    warnings: Vec<Warning>,
    sides: Vec<Sides<T>>,
}

/// A group of shards and the rest, each with a tree of its own. The same tree as the result's, so that they differ
/// from it in nothing but what they cover.
struct Sides<T> {
    group: &'static str,
    shards: [u64; 2],
    trunks: [Trunk<T>; 2],
}

impl<T: Tally> Sides<T> {
    fn new(group: &'static str) -> Self {
        Self {
            group,
            shards: [0, 0],
            trunks: [Trunk::new(), Trunk::new()],
        }
    }

    fn add(&mut self, is_in_group: bool, nodes: &[Node<T>]) {
        if nodes.is_empty() {
            return;
        }
        let side = usize::from(!is_in_group);
        self.shards[side] += 1;
        for node in nodes.iter().filter(|node| !node.short) {
            self.trunks[side].push(node.clone());
        }
    }

    fn finish(self) -> MergedSides<T> {
        let [tally, rest] = self
            .trunks
            .map(|trunk| trunk.finish().map(|node| node.tally));
        let [shards, rest_shards] = self.shards;
        MergedSides {
            group: self.group,
            shards,
            rest_shards,
            tally,
            rest,
        }
    }
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
            covered: Vec::new(),
            missing_shards: Vec::new(),
            salvaged_shards: 0,
            salvaged_blocks: 0,
            sources: Vec::with_capacity(inventory.len()),
            skipped: 0,
            warnings,
            sides: Vec::new(),
        }
    }

    /// # Errors
    ///
    /// Where a node's tally has another shape than what was merged before it.
    fn add(
        &mut self,
        shard: u32,
        is_done: bool,
        content: ShardContent<T>,
        is_in_trouble: bool,
    ) -> Result<(), Error> {
        for node in &content.nodes {
            if let Some(first) = self.trunk.first().or(content.nodes.first()) {
                check_fit(&first.tally, node, || {
                    content
                        .sources
                        .first()
                        .map_or_else(String::new, PartialName::key)
                })?;
            }
        }
        for sides in &mut self.sides {
            let has_failed = || content.nodes.iter().any(|node| node.failures.samples > 0);
            let is_in_group = match sides.group {
                WITH_FAILED_SAMPLES => has_failed(),
                _ => is_in_trouble,
            };
            sides.add(is_in_group, &content.nodes);
        }
        if !is_done {
            self.missing_shards.push(shard);
            self.salvaged_shards += u64::from(!content.nodes.is_empty());
            self.salvaged_blocks += content
                .nodes
                .iter()
                .map(|node| 1 << node.level)
                .sum::<u64>();
        }
        self.skipped += content.skipped;
        for (name, reason) in content.invalid {
            self.warnings.push(Warning::Invalid { name, reason });
        }
        self.sources.extend(content.sources);
        for node in content.nodes {
            self.push(node);
        }
        Ok(())
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
            salvaged_blocks: self.salvaged_blocks,
            sources: self.sources,
            warnings: self.warnings,
            sides: self.sides.into_iter().map(Sides::finish).collect(),
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
