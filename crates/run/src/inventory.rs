//! What is in a run: which partials, which blocks they cover, and where the holes are.

use std::ops::Range;
use std::sync::Arc;

use croupier_compute::{Node, Tally};
use croupier_store::Store;
use serde::Serialize;

use crate::layout::{self, PartialName};
use crate::partial::{Partial, PartialError, PartialFormat};
use crate::{Digest, Error, Identity, StoredRun, content_digest};

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
        let mut strays = Vec::new();
        let mut names = Vec::new();
        let mut largest_bytes = 0;
        for entry in run.store.list(prefix).await? {
            match PartialName::parse(&entry.key) {
                Some(name) => {
                    largest_bytes = largest_bytes.max(entry.bytes);
                    names.push(name);
                }
                None => strays.push(entry.key),
            }
        }
        names.sort_by_key(|name| (name.shard, u64::MAX - name.blocks, name.sha256));
        Ok(Self {
            names,
            strays,
            largest_bytes,
        })
    }

    /// How `shard` looks, by names alone.
    pub fn state(&self, shard: u32, blocks: u64) -> ShardState {
        match self.names_of(shard).first() {
            Some(name) if name.blocks == blocks => ShardState::Done,
            Some(name) => ShardState::Partial {
                blocks: name.blocks,
            },
            None => ShardState::Missing,
        }
    }

    /// How many partials to hold at once: `most`, or fewer where they are large.
    pub(crate) fn at_once(&self, most: usize) -> usize {
        const HELD_BYTES: u64 = 256 << 20;
        let fit = HELD_BYTES / self.largest_bytes.max(1);
        most.min(usize::try_from(fit).unwrap_or(most)).max(1)
    }

    pub(crate) fn names_of(&self, shard: u32) -> &[PartialName] {
        let start = self.names.partition_point(|name| name.shard < shard);
        let end = self.names.partition_point(|name| name.shard <= shard);
        &self.names[start..end]
    }
}

/// What the valid partials of one shard say together.
#[derive(Debug)]
pub(crate) struct ShardContent<T> {
    /// The largest valid nodes, disjoint and in block order.
    pub(crate) nodes: Vec<Node<T>>,
    pub(crate) witnesses: Vec<Node<T>>,
    /// The partials the nodes come from.
    pub(crate) sources: Vec<PartialName>,
    /// Partials that are damaged, and how.
    pub(crate) invalid: Vec<(String, String)>,
    /// Foreign ones that were skipped.
    pub(crate) skipped: Vec<String>,
}

impl<T> ShardContent<T> {
    pub(crate) fn empty() -> Self {
        Self {
            nodes: Vec::new(),
            witnesses: Vec::new(),
            sources: Vec::new(),
            invalid: Vec::new(),
            skipped: Vec::new(),
        }
    }
}

/// Reads what is known of one shard.
pub(crate) struct ShardReader<T> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity: Identity,
    pub(crate) format: PartialFormat<T>,
    pub(crate) skip_foreign: bool,
}

impl<T: Tally> ShardReader<T> {
    pub(crate) fn new(run: &StoredRun, skip_foreign: bool) -> Result<Self, Error> {
        Ok(Self {
            store: run.store.clone(),
            identity: run.manifest.identity.clone(),
            format: PartialFormat::new()?,
            skip_foreign,
        })
    }

    /// Reads the partials `names` of a shard with the blocks `blocks`: complete ones all, to compare
    /// them, and incomplete ones only where no complete one is valid.
    pub(crate) async fn read(
        &self,
        names: &[PartialName],
        blocks: Range<u64>,
    ) -> Result<ShardContent<T>, Error> {
        let mut content = ShardContent::empty();
        let count = blocks.end - blocks.start;
        let mut read: Vec<(PartialName, Partial<T>)> = Vec::new();
        for name in names {
            let has_complete = read.first().is_some_and(|(first, _)| first.blocks == count);
            if has_complete && name.blocks < count {
                break;
            }
            match self.read_one(name, &blocks).await? {
                Ok(partial) => read.push((*name, partial)),
                Err(PartialError::Foreign(_)) => content.skipped.push(name.key()),
                Err(invalid) => content.invalid.push((name.key(), invalid.to_string())),
            }
        }
        combine(read, &mut content)?;
        Ok(content)
    }

    /// One partial; the inner error is about the partial, the outer one ends the reading.
    async fn read_one(
        &self,
        name: &PartialName,
        blocks: &Range<u64>,
    ) -> Result<Result<Partial<T>, PartialError>, Error> {
        let key = name.key();
        let bytes = match self.store.get(&key).await {
            Ok(bytes) => bytes,
            Err(croupier_store::Error::NotFound { .. }) => {
                return Ok(Err(PartialError::Invalid(
                    "it was listed and is not there".to_owned(),
                )));
            }
            Err(error) => return Err(error.into()),
        };
        if Digest::of_bytes(&bytes) != name.sha256 {
            return Ok(Err(PartialError::Invalid(
                "its bytes are not those its name says".to_owned(),
            )));
        }
        let partial = match self.format.decode(&self.identity, &bytes) {
            Ok(partial) => partial,
            Err(PartialError::Newer { format, release }) => {
                return Err(Error::Newer {
                    key: format!("{}/{key}", self.store.uri()),
                    format,
                    reads: crate::partial::FORMAT,
                    release,
                });
            }
            Err(PartialError::Foreign(differences)) if !self.skip_foreign => {
                return Err(Error::Foreign {
                    what: format!("{}/{key}", self.store.uri()),
                    differences,
                    advice: "move it away, or pass --skip-foreign to leave it out",
                });
            }
            Err(error) => return Ok(Err(error)),
        };
        let covered: u64 = partial.nodes.iter().map(|node| 1 << node.level).sum();
        let inside =
            |node: &Node<T>| blocks.start <= node.first_block && node.blocks().end <= blocks.end;
        if covered != name.blocks || !partial.nodes.iter().all(inside) {
            return Ok(Err(PartialError::Invalid(
                "its nodes are not those of its shard".to_owned(),
            )));
        }
        Ok(Ok(partial))
    }
}

/// Takes the largest nodes of all partials. Where two cover the same blocks they must agree.
fn combine<T: Tally>(
    read: Vec<(PartialName, Partial<T>)>,
    content: &mut ShardContent<T>,
) -> Result<(), Error> {
    let is_single = read.len() == 1;
    let mut candidates: Vec<(PartialName, Node<T>)> = Vec::new();
    for (name, partial) in read {
        content.sources.push(name);
        candidates.extend(partial.nodes.into_iter().map(|node| (name, node)));
        content.witnesses.extend(partial.witnesses);
    }
    if is_single {
        content.nodes = candidates.into_iter().map(|(_, node)| node).collect();
        return Ok(());
    }
    // Nodes nest or are disjoint, so in this order a node that is not to the right of all before it
    // lies inside the last one taken.
    candidates.sort_by_key(|(_, node)| (node.first_block, u8::MAX - node.level));
    let mut taken: Vec<(PartialName, Node<T>)> = Vec::new();
    for (name, node) in candidates {
        if let Some((other, last)) = taken.last()
            && last.blocks().end > node.first_block
        {
            let is_same_node = last.level == node.level && last.first_block == node.first_block;
            if is_same_node && node_digest(last) != node_digest(&node) {
                return Err(Error::Differ {
                    left: other.key(),
                    right: name.key(),
                    blocks: node.blocks(),
                });
            }
            continue;
        }
        taken.push((name, node));
    }
    content.witnesses.sort_by_key(|node| node.first_block);
    content.witnesses.dedup_by_key(|node| node.first_block);
    content.nodes = taken.into_iter().map(|(_, node)| node).collect();
    Ok(())
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

/// The blocks of `within` that no node covers, as ranges.
pub(crate) fn holes<T>(nodes: &[Node<T>], within: Range<u64>) -> Vec<Range<u64>> {
    let mut holes = Vec::new();
    let mut next = within.start;
    for node in nodes {
        if node.first_block > next {
            holes.push(next..node.first_block);
        }
        next = node.blocks().end;
    }
    if next < within.end {
        holes.push(next..within.end);
    }
    holes
}
