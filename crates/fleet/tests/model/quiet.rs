//! What everything should be: each block run once, merged by the definition; each shard run once, by a worker whom
//! nothing happens to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use croupier_compute::engine::{Control, Pool, run_block};
use croupier_compute::{BlockLength, Failures, Frontier, Grid, Node, Tally};
use croupier_run::partial::{Encoded, PartialFormat};
use croupier_run::{
    Checkpoints, Executable, Identity, Plan, Policy, WorkOptions, content_digest, plan, work,
};
use croupier_store::{Memory, Store};

use crate::kernel::{BLOCK, Knot, Tying};
use crate::reference::Dealt;
use crate::store::RUN;

pub(crate) const SEED: u64 = 7;

/// A block, and whether a sample of it is missing by plan.
type Block = (u64, bool);

/// What was found out once and holds for all runs of the kernel.
pub(crate) struct Quiet {
    pub(crate) identity: Identity,
    pub(crate) format: PartialFormat<Knot>,
    pub(crate) pools: [Pool; 2],
    blocks: HashMap<Block, Node<Knot>>,
    merged: HashMap<Vec<Block>, (u64, Option<Knot>, String)>,
    partials: HashMap<(Dealt, u32, Vec<u64>), Encoded>,
    /// Blocks that a shard's worker keeps as they are.
    witnesses: HashMap<(Dealt, u32), Vec<u64>>,
}

pub(crate) fn executable() -> Executable {
    Executable {
        target: "model".to_owned(),
        sha256: "a".repeat(64),
        croupier: "0.1.0".to_owned(),
    }
}

impl Quiet {
    pub(crate) fn new() -> Self {
        let length = BlockLength::new(BLOCK).unwrap();
        let identity = Identity::of(&Tying::default(), SEED, length, BTreeMap::new()).unwrap();
        Self {
            format: PartialFormat::new(&identity).unwrap(),
            identity,
            pools: [1, 2].map(|threads| Pool::new(threads).unwrap()),
            blocks: HashMap::new(),
            merged: HashMap::new(),
            partials: HashMap::new(),
            witnesses: HashMap::new(),
        }
    }

    pub(crate) fn plan(&self, samples: u64, shards: u32) -> Plan {
        Plan {
            identity: self.identity.clone(),
            samples,
            shards,
            inputs: BTreeMap::new(),
            policy: Policy::default(),
            at_most_once: false,
            until: None,
            failed_samples: "0".parse().unwrap(),
        }
    }

    pub(crate) fn options(&self, threads: usize) -> WorkOptions {
        WorkOptions {
            pool: self.pools[threads - 1].clone(),
            threads_source: "the test".to_owned(),
            executable: executable(),
            allow_other_build: false,
            failed_samples: None,
            scheduler: None,
            attempt: None,
            checkpoints: Checkpoints {
                every: std::time::Duration::from_secs(3600),
                stop_at: None,
            },
            control: Arc::new(Control::new()),
        }
    }

    fn block(&mut self, (block, is_short): Block) -> &Node<Knot> {
        self.blocks.entry((block, is_short)).or_insert_with(|| {
            let end = (block + 1) * BLOCK - u64::from(is_short);
            let grid = Grid::new(BlockLength::new(BLOCK).unwrap(), 0, end).unwrap();
            run_block(&Tying::default(), SEED, &grid, block).unwrap()
        })
    }

    /// Samples, tally and digest of a result that rests on `blocks`.
    pub(crate) fn merged(&mut self, blocks: &[Block]) -> (u64, Option<Knot>, String) {
        if let Some(merged) = self.merged.get(blocks) {
            return merged.clone();
        }
        let leaves: Vec<Node<Knot>> = blocks.iter().map(|at| self.block(*at).clone()).collect();
        let samples: u64 = leaves.iter().map(|leaf| leaf.samples).sum();
        let tally = by_definition(&leaves, 0..1 << 16);
        let none = Failures::default();
        let parts = (
            self.identity.digest().to_string(),
            ranges(blocks.iter().map(|(block, _)| *block)),
            tally.as_ref().map(|tally| (samples, &none, tally)),
        );
        let digest = content_digest("croupier result v1", &parts).unwrap();
        let merged = (samples, tally, digest.to_string());
        self.merged.insert(blocks.to_vec(), merged.clone());
        merged
    }

    /// What a worker of `shard` publishes that has the blocks `blocks`, and only once.
    pub(crate) async fn partial(
        &mut self,
        dealt: Dealt,
        shard: u32,
        blocks: &BTreeSet<u64>,
    ) -> Encoded {
        let known = (dealt, shard, blocks.iter().copied().collect());
        if let Some(encoded) = self.partials.get(&known) {
            return encoded.clone();
        }
        let witnesses = self.witnesses(dealt, shard).await;
        let frontier = Frontier::with_witnesses(witnesses);
        for block in blocks {
            let is_short = (block + 1) * BLOCK > dealt.end_sample;
            frontier.insert(self.block((*block, is_short)).clone());
        }
        let (nodes, mut witnesses) = frontier.into_parts();
        let is_row = |block| {
            nodes
                .iter()
                .any(|node| node.level == 0 && node.first_block == block)
        };
        witnesses.retain(|witness| !is_row(witness.first_block));
        let encoded = self
            .format
            .encode(&executable().name(), nodes, witnesses)
            .unwrap();
        self.partials.insert(known, encoded.clone());
        encoded
    }

    /// The blocks that a worker left to itself keeps beside the nodes that it merged them into.
    async fn witnesses(&mut self, dealt: Dealt, shard: u32) -> Vec<u64> {
        if let Some(witnesses) = self.witnesses.get(&(dealt, shard)) {
            return witnesses.clone();
        }
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let all = self.plan(dealt.end_sample, dealt.shards);
        let mut run = plan(&store, RUN, &all).await.unwrap().run;
        // As if the segments before it had been planned.
        run.segments[0].first_block = dealt.first_block;
        run.segments[0].first_shard = dealt.first_shard;
        let kernel = Arc::new(Tying::default());
        let worked = work(&run, &kernel, shard, &self.options(1)).await.unwrap();
        let key = format!("{RUN}/{}", worked.partial);
        let partial = self.format.decode(&store.get(&key).await.unwrap()).unwrap();
        let witnesses: Vec<u64> = partial
            .witnesses
            .iter()
            .map(|node| node.first_block)
            .collect();
        self.witnesses.insert((dealt, shard), witnesses.clone());
        witnesses
    }
}

/// The canonical tree over `leaves`, word for word.
fn by_definition(leaves: &[Node<Knot>], blocks: Range<u64>) -> Option<Knot> {
    if leaves.is_empty() {
        return None;
    }
    if blocks.end - blocks.start == 1 {
        return leaves.first().map(|leaf| leaf.tally.clone());
    }
    let middle = blocks.start.midpoint(blocks.end);
    let (left, right) = leaves.split_at(leaves.partition_point(|leaf| leaf.first_block < middle));
    match (
        by_definition(left, blocks.start..middle),
        by_definition(right, middle..blocks.end),
    ) {
        (Some(mut left), Some(right)) => {
            left.merge(right);
            Some(left)
        }
        (left, right) => left.or(right),
    }
}

fn ranges(blocks: impl Iterator<Item = u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for block in blocks {
        match ranges.last_mut() {
            Some(last) if last.end == block => last.end += 1,
            _ => ranges.push(block..block + 1),
        }
    }
    ranges
}
