//! What the partials of one shard say, once they are read, checked and compared.

mod agreement;

use std::ops::Range;
use std::sync::Arc;

use croupier_compute::{Grid, Node, Tally};
use croupier_store::Store;

use crate::error::catch_in_tally;
use crate::layout::PartialName;
use crate::partial::{self, Partial, PartialError, PartialFormat};
use crate::{Digest, Error, StoredRun};

pub(crate) use agreement::node_digest;

use agreement::Agreement;

/// What the valid partials of one shard say together.
#[derive(Debug)]
pub(crate) struct ShardContent<T> {
    /// The largest valid nodes, disjoint and in block order.
    pub(crate) nodes: Vec<Node<T>>,
    /// Single blocks kept for a later check, in block order.
    pub(crate) witnesses: Vec<Node<T>>,
    /// The partials that were read and agree, those with most blocks first.
    pub(crate) sources: Vec<PartialName>,
    /// Partials that are damaged, and how.
    pub(crate) invalid: Vec<(PartialName, String)>,
    /// How many foreign ones were skipped.
    pub(crate) skipped: usize,
}

impl<T> ShardContent<T> {
    pub(crate) fn empty() -> Self {
        Self {
            nodes: Vec::new(),
            witnesses: Vec::new(),
            sources: Vec::new(),
            invalid: Vec::new(),
            skipped: 0,
        }
    }
}

/// Where a shard's blocks lie.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) grid: Grid,
    pub(crate) blocks: Range<u64>,
}

impl Place {
    pub(crate) fn block_count(&self) -> u64 {
        self.blocks.end - self.blocks.start
    }

    /// Whether a node is of this shard and rests on the samples that were planned for it.
    fn has<T>(&self, node: &Node<T>) -> bool {
        let blocks = node.blocks();
        let samples = u128::from(node.samples) + u128::from(node.failures.samples);
        self.blocks.start <= blocks.start
            && blocks.end <= self.blocks.end
            && samples == u128::from(self.grid.samples_in(blocks))
    }
}

/// Reads what is known of a run's shards.
#[derive(Debug)]
pub(crate) struct ShardReader<T> {
    store: Arc<dyn Store>,
    pub(crate) format: PartialFormat<T>,
    skip_foreign: bool,
}

impl<T: Tally> ShardReader<T> {
    pub(crate) fn new(run: &StoredRun, skip_foreign: bool) -> Result<Self, Error> {
        Ok(Self {
            store: run.store.clone(),
            format: PartialFormat::new(&run.manifest.identity)?,
            skip_foreign,
        })
    }

    /// Reads the partials `names` of the shard at `place`, those with most blocks first: complete
    /// ones all, to compare them, and incomplete ones only where no complete one is valid.
    ///
    /// What lies beside a complete one is not looked at, since a shard that took an hour has left sixty;
    /// [`read_all`](Self::read_all) reads them too, before they are removed.
    pub(crate) async fn read(
        &self,
        names: &[PartialName],
        place: &Place,
    ) -> Result<ShardContent<T>, Error> {
        self.read_some(names, place, false).await
    }

    /// As [`read`](Self::read), but all of them.
    pub(crate) async fn read_all(
        &self,
        names: &[PartialName],
        place: &Place,
    ) -> Result<ShardContent<T>, Error> {
        self.read_some(names, place, true).await
    }

    async fn read_some(
        &self,
        names: &[PartialName],
        place: &Place,
        all: bool,
    ) -> Result<ShardContent<T>, Error> {
        let mut content = ShardContent::empty();
        let count = place.block_count();
        let mut read: Vec<(PartialName, Partial<T>)> = Vec::new();
        for name in names {
            let has_complete = read.first().is_some_and(|(first, _)| first.blocks == count);
            if has_complete && name.blocks < count && !all {
                break;
            }
            match self.read_one(name, place).await? {
                Ok(partial) => read.push((*name, partial)),
                Err(PartialError::Foreign(_)) => content.skipped += 1,
                Err(invalid) => content.invalid.push((*name, invalid.to_string())),
            }
        }
        content.sources = read.iter().map(|(name, _)| *name).collect();
        match <[_; 1]>::try_from(read) {
            Ok([(_, only)]) => {
                content.nodes = only.nodes;
                content.witnesses = only.witnesses;
            }
            Err(several) => {
                let mut agreement = Agreement::new(self.store.uri());
                for (name, partial) in several {
                    for node in partial.nodes {
                        catch_in_tally(node.first_block, || agreement.add(name, node))??;
                    }
                    content.witnesses.extend(partial.witnesses);
                }
                let (largest, single) = agreement.into_largest();
                content.nodes = largest;
                // As rows of their own these needed no witness beside them.
                content.witnesses.extend(single);
                // Those of one block that differ are all kept, for a check to find.
                content.witnesses.sort_by_key(|node| node.first_block);
                content
                    .witnesses
                    .dedup_by_key(|node| (node.first_block, node_digest(node)));
            }
        }
        Ok(content)
    }

    /// One partial; the inner error is about the partial, the outer one ends the reading.
    async fn read_one(
        &self,
        name: &PartialName,
        place: &Place,
    ) -> Result<Result<Partial<T>, PartialError>, Error> {
        let invalid = |what: &str| Ok(Err(PartialError::Invalid(what.to_owned())));
        let key = name.key();
        let full_key = || format!("{}/{key}", self.store.uri());
        let bytes = match self.store.get(&key).await {
            Ok(bytes) => bytes,
            Err(croupier_store::Error::NotFound { .. }) => {
                return invalid("it was listed and is not there");
            }
            Err(error) => return Err(error.into()),
        };
        if Digest::of_bytes(&bytes) != name.sha256 {
            return invalid("its bytes are not those its name says");
        }
        let partial = match self.format.decode(&bytes) {
            Ok(partial) => partial,
            Err(PartialError::Newer { format, release }) => {
                return Err(Error::Newer {
                    key: full_key(),
                    format,
                    reads: partial::FORMAT,
                    release,
                });
            }
            Err(PartialError::Foreign(differences)) if !self.skip_foreign => {
                return Err(Error::Foreign {
                    what: full_key(),
                    differences,
                    advice: "move it away, or pass --skip-foreign to leave it out",
                });
            }
            Err(error) => return Ok(Err(error)),
        };
        let covered: u64 = partial.nodes.iter().map(|node| 1 << node.level).sum();
        let are_its_own = partial.nodes.iter().all(|node| place.has(node))
            && partial
                .witnesses
                .iter()
                .all(|node| node.level == 0 && place.has(node));
        if !are_its_own || covered != name.blocks {
            return invalid("its nodes are not those that the plan gives its shard");
        }
        if let Some(misfit) = catch_in_tally(place.blocks.start, || misfit_in(&partial))? {
            return invalid(&misfit);
        }
        Ok(Ok(partial))
    }
}

/// What is wrong with the first tally that can't be merged with the others of a partial.
fn misfit_in<T: Tally>(partial: &Partial<T>) -> Option<String> {
    let mut nodes = partial.nodes.iter().chain(&partial.witnesses);
    let first = partial.nodes.first()?;
    nodes.find_map(|node| {
        let misfit = first.tally.fits(&node.tally).err()?;
        Some(format!("at block {}: {misfit}", node.first_block))
    })
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
