//! The model: what a run is worth, given what was published, in sets of blocks and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::kernel::BLOCK;

/// Blocks of one shard that were published together.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) shard: u32,
    pub(crate) blocks: BTreeSet<u64>,
    pub(crate) is_damaged: bool,
}

/// A planned range of samples, from a block's first on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dealt {
    pub(crate) first_block: u64,
    pub(crate) end_sample: u64,
    pub(crate) first_shard: u32,
    pub(crate) shards: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) segments: Vec<Dealt>,
    pub(crate) partials: BTreeMap<String, Published>,
    pub(crate) rounds: Vec<Vec<u32>>,
    pub(crate) is_stopped: bool,
    /// Shards that nobody may start any more, where each may be started once.
    pub(crate) started: BTreeSet<u32>,
}

/// What a reducer should find: blocks, each with whether a sample of it is missing by plan, and unfinished shards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expected {
    pub(crate) blocks: BTreeMap<u64, bool>,
    pub(crate) missing: Vec<u32>,
}

impl Dealt {
    pub(crate) fn blocks_of(&self, shard: u32) -> Range<u64> {
        let blocks = self.end_sample.div_ceil(BLOCK) - self.first_block;
        let cut = |at: u32| self.first_block + u64::from(at) * blocks / u64::from(self.shards);
        cut(shard - self.first_shard)..cut(shard - self.first_shard + 1)
    }

    fn is_short(&self, block: u64) -> bool {
        (block + 1) * BLOCK > self.end_sample
    }
}

impl Model {
    pub(crate) fn shards(&self) -> u32 {
        self.segments
            .last()
            .map_or(0, |last| last.first_shard + last.shards)
    }

    pub(crate) fn samples(&self) -> u64 {
        self.segments.last().map_or(0, |last| last.end_sample)
    }

    pub(crate) fn segment_of(&self, shard: u32) -> Dealt {
        let has = |dealt: &&Dealt| shard < dealt.first_shard + dealt.shards;
        *self.segments.iter().find(has).unwrap()
    }

    pub(crate) fn blocks_of(&self, shard: u32) -> BTreeSet<u64> {
        self.segment_of(shard).blocks_of(shard).collect()
    }

    /// What is worth something of a shard, of the partials `seen`.
    fn valid<'a>(
        &'a self,
        shard: u32,
        seen: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = (&'a String, &'a Published)> {
        self.partials
            .iter()
            .filter(move |(key, it)| it.shard == shard && !it.is_damaged && seen.contains(*key))
    }

    /// The blocks of a shard that valid partials among `seen` cover.
    pub(crate) fn covered(&self, shard: u32, seen: &BTreeSet<String>) -> BTreeSet<u64> {
        self.valid(shard, seen)
            .flat_map(|(_, published)| published.blocks.clone())
            .collect()
    }

    /// The valid partial that has all of a shard.
    pub(crate) fn complete<'a>(
        &'a self,
        shard: u32,
        seen: &'a BTreeSet<String>,
    ) -> Option<&'a String> {
        let blocks = self.blocks_of(shard);
        self.valid(shard, seen)
            .find(|(_, published)| published.blocks == blocks)
            .map(|(key, _)| key)
    }

    /// Whether the names alone say that a shard is done.
    pub(crate) fn is_named_done(&self, shard: u32) -> bool {
        let blocks = self.blocks_of(shard);
        let mut partials = self.partials.values();
        partials.any(|published| published.shard == shard && published.blocks == blocks)
    }

    /// How often a shard was repeated, by the rounds that name it.
    pub(crate) fn repeats(&self, shard: u32) -> u32 {
        let rounds = self.rounds.iter();
        rounds.filter(|shards| shards.contains(&shard)).count() as u32
    }

    /// What the reducer finds, who knows of the partials `seen` and the first `segments` segments.
    pub(crate) fn expected(&self, seen: &BTreeSet<String>, segments: usize) -> Expected {
        let mut expected = Expected::default();
        let end_sample = self.segments[..segments]
            .last()
            .map_or(0, |last| last.end_sample);
        for dealt in &self.segments[..segments] {
            for shard in dealt.first_shard..dealt.first_shard + dealt.shards {
                let covered = self.covered(shard, seen);
                if covered != self.blocks_of(shard) {
                    expected.missing.push(shard);
                }
                for block in covered {
                    // A short last block that a later segment goes on with is a hole until it is whole there.
                    let is_short = dealt.is_short(block);
                    if !is_short || dealt.end_sample == end_sample {
                        expected.blocks.insert(block, is_short);
                    }
                }
            }
        }
        expected
    }

    /// What `clean` may take away.
    pub(crate) fn superseded(&self, seen: &BTreeSet<String>, segments: usize) -> BTreeSet<String> {
        let shards = self.segments[..segments]
            .last()
            .map_or(0, |last| last.first_shard + last.shards);
        (0..shards)
            .filter_map(|shard| Some((shard, self.complete(shard, seen)?)))
            .flat_map(|(shard, stays)| {
                let others = self.valid(shard, seen).map(|(key, _)| key);
                others.filter(move |key| *key != stays).cloned()
            })
            .collect()
    }

    /// Damaged partials that a reducer has to look at, and so to name.
    pub(crate) fn named_damaged(
        &self,
        seen: &BTreeSet<String>,
        segments: usize,
    ) -> BTreeSet<String> {
        let shards = self.segments[..segments]
            .last()
            .map_or(0, |last| last.first_shard + last.shards);
        self.partials
            .iter()
            .filter(|(key, it)| it.is_damaged && it.shard < shards && seen.contains(*key))
            .filter(|(_, it)| {
                it.blocks == self.blocks_of(it.shard) || self.complete(it.shard, seen).is_none()
            })
            .map(|(key, _)| key.clone())
            .collect()
    }
}
