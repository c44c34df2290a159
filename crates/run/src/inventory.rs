//! Which partials are in a run, by their names: before any is read, and so before any is believed.

use croupier_store::{Entry, Store};

use crate::layout::{self, PartialName};
use crate::{Error, StoredRun};

/// The partials of a run by name, before any is read.
#[derive(Debug)]
pub struct Inventory {
    /// Sorted by shard, in a shard those with most blocks first.
    names: Vec<PartialName>,
    /// Keys among the partials that are none.
    pub strays: Vec<String>,
    largest_bytes: u64,
}

/// How a shard looks by the names of its partials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// A partial that says it covers all blocks.
    Done,
    /// Partials that cover a part.
    Partial {
        /// The blocks of the largest.
        blocks: u64,
    },
    /// Nothing.
    Missing,
}

impl Inventory {
    /// Lists the run's partials.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn of(run: &StoredRun) -> Result<Self, Error> {
        Self::list(run, layout::PARTIALS).await
    }

    /// Lists one shard's partials.
    pub(crate) async fn of_shard(run: &StoredRun, shard: u32) -> Result<Self, Error> {
        Self::list(run, &layout::partials_of(shard)).await
    }

    async fn list(run: &StoredRun, prefix: &str) -> Result<Self, Error> {
        Ok(Self::from_entries(run.store.list(prefix).await?))
    }

    /// The inventory of what a list of partials says.
    pub(crate) fn from_entries(entries: Vec<Entry>) -> Self {
        let mut strays = Vec::new();
        let mut names = Vec::new();
        let mut largest_bytes = 0;
        for entry in entries {
            match PartialName::parse(&entry.key) {
                Some(name) => {
                    largest_bytes = largest_bytes.max(entry.bytes);
                    names.push(name);
                }
                None => strays.push(entry.key),
            }
        }
        names.sort_by_key(|name| (name.shard, u64::MAX - name.blocks, name.sha256));
        Self {
            names,
            strays,
            largest_bytes,
        }
    }

    /// How `shard` of `blocks` blocks looks, by names alone. One that claims more blocks than there are is passed
    /// over: it can't be a partial of this shard.
    pub fn state(&self, shard: u32, blocks: u64) -> ShardState {
        let mut names = self.names_of(shard).iter();
        match names.find(|name| name.blocks <= blocks) {
            Some(name) if name.blocks == blocks => ShardState::Done,
            Some(name) => ShardState::Partial {
                blocks: name.blocks,
            },
            None => ShardState::Missing,
        }
    }

    /// How many partials there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// How many partials to hold at once: `most`, or fewer where they are large.
    pub(crate) fn at_once(&self, most: usize) -> usize {
        const HELD_BYTES: u64 = 256 << 20;
        self.fit(HELD_BYTES, most)
    }

    /// How many partials fit into `bytes`: at least one and not more than `most`.
    pub(crate) fn fit(&self, bytes: u64, most: usize) -> usize {
        let fit = bytes / self.largest_bytes.max(1);
        most.min(usize::try_from(fit).unwrap_or(most)).max(1)
    }

    pub(crate) fn names_of(&self, shard: u32) -> &[PartialName] {
        let start = self.names.partition_point(|name| name.shard < shard);
        let end = self.names.partition_point(|name| name.shard <= shard);
        &self.names[start..end]
    }
}
