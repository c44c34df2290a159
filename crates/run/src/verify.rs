//! Runs a part of a run again, on one thread, and compares bits.

use std::ops::Range;
use std::sync::Arc;

use croupier_compute::engine::{self, Control, Pool, Work, run_block};
use croupier_compute::{Frontier, Grid, Kernel, Node};

use crate::inventory::Inventory;
use crate::layout::PartialName;
use crate::shard::{Place, ShardReader, holes, node_digest};
use crate::{Error, StoredRun};

/// How much to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The single blocks that partials keep for it, at most two a shard.
    Witnesses,
    /// Every row of every partial: all of the work.
    Rows,
}

/// What was compared and found equal, and what could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Shards of which something was compared.
    pub shards: u64,
    /// Rows compared.
    pub rows: u64,
    /// Blocks run again.
    pub blocks: u64,
    /// Shards of which a block is in no valid partial.
    pub missing_shards: u64,
    /// Partials that are damaged.
    pub invalid_partials: u64,
}

impl Verified {
    /// Adds what was found in another run.
    pub fn add(&mut self, other: &Self) {
        self.shards += other.shards;
        self.rows += other.rows;
        self.blocks += other.blocks;
        self.missing_shards += other.missing_shards;
        self.invalid_partials += other.invalid_partials;
    }
}

const WITNESSES_PER_SHARD: usize = 2;

/// Compares what partials of `run` say with what `kernel` gives here, on one thread.
///
/// Where no row is valid, nothing is compared, and [`Verified::rows`] says so.
///
/// # Errors
///
/// [`Error::Differ`] at the first row whose bits are not the same, with the partial that has it.
pub async fn verify<K: Kernel>(
    run: &StoredRun,
    kernel: &Arc<K>,
    depth: Depth,
) -> Result<Verified, Error> {
    run.manifest.identity.check_program::<K>()?;
    let inventory = Inventory::of(run).await?;
    let reader = ShardReader::<K::Tally>::new(run, false)?;
    let pool = Pool::new(1).map_err(|error| Error::Input(error.to_string()))?;
    let mut verified = Verified::default();
    for segment in &run.segments {
        let grid = segment.grid(&run.manifest.identity)?;
        let repeat = Arc::new(Repeat {
            kernel: Arc::clone(kernel),
            pool: pool.clone(),
            seed: run.manifest.identity.seed,
            grid,
        });
        for shard in 0..segment.shards {
            let number = segment.first_shard + shard;
            let place = Place {
                grid,
                blocks: grid.shard(shard, segment.shards),
            };
            let content = reader.read(inventory.names_of(number), &place).await?;
            let has_holes = !holes(&content.nodes, place.blocks.clone()).is_empty();
            let rows: Vec<Node<K::Tally>> = match depth {
                Depth::Rows => content.nodes,
                Depth::Witnesses => content
                    .witnesses
                    .into_iter()
                    .chain(content.nodes.into_iter().filter(|node| node.level == 0))
                    .take(WITNESSES_PER_SHARD)
                    .collect(),
            };
            verified.shards += u64::from(!rows.is_empty());
            verified.rows += rows.len() as u64;
            verified.blocks += rows.iter().map(|row| 1u64 << row.level).sum::<u64>();
            verified.missing_shards += u64::from(has_holes);
            verified.invalid_partials += content.invalid.len() as u64;
            if let Some(different) = repeat.first_difference(rows).await {
                return Err(
                    blame(run, &reader, &repeat, &content.sources, &place, different).await?,
                );
            }
        }
    }
    Ok(verified)
}

/// A row whose repeat was another one: its blocks, and what gave them.
struct Different {
    blocks: Range<u64>,
    how: String,
}

/// Says which partial has what is different. A row may be merged from several partials, or stand in all
/// of them; so each is looked at alone.
async fn blame<K: Kernel>(
    run: &StoredRun,
    reader: &ShardReader<K::Tally>,
    repeat: &Arc<Repeat<K>>,
    sources: &[PartialName],
    place: &Place,
    different: Different,
) -> Result<Error, Error> {
    let is_inside = |row: &Node<K::Tally>| {
        let blocks = row.blocks();
        different.blocks.start <= blocks.start && blocks.end <= different.blocks.end
    };
    for name in sources {
        let alone = reader.read(&[*name], place).await?;
        let rows = alone.nodes.into_iter().chain(alone.witnesses);
        if let Some(different) = repeat
            .first_difference(rows.filter(is_inside).collect())
            .await
        {
            return Ok(Error::Differ {
                left: format!("{}/{}", run.uri(), name.key()),
                right: different.how,
                blocks: different.blocks,
            });
        }
    }
    // Each was the same this time: the kernel gives what it likes.
    Ok(Error::Differ {
        left: run.uri(),
        right: different.how,
        blocks: different.blocks,
    })
}

/// What rows are a function of, to run them again.
struct Repeat<K> {
    kernel: Arc<K>,
    pool: Pool,
    seed: u64,
    grid: Grid,
}

impl<K: Kernel> Repeat<K> {
    async fn first_difference(self: &Arc<Self>, rows: Vec<Node<K::Tally>>) -> Option<Different> {
        let repeat = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            rows.into_iter().find_map(|row| {
                repeat.differs(&row).map(|how| Different {
                    blocks: row.blocks(),
                    how,
                })
            })
        })
        .await
        .unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
    }

    /// Runs a row's blocks again; none where they give the same bits, else what gave others.
    fn differs(&self, row: &Node<K::Tally>) -> Option<String> {
        let again = if row.level == 0 {
            run_block(&*self.kernel, self.seed, &self.grid, row.first_block).map(|node| vec![node])
        } else {
            let frontier = Frontier::new();
            let work = Work {
                kernel: &*self.kernel,
                seed: self.seed,
                grid: self.grid,
                blocks: &[row.blocks()],
                // However many fail: that there are as many as before is what is compared.
                allowed_failures: u64::MAX,
                failed_before: &[],
            };
            engine::run(&work, &self.pool, &frontier, &Control::new())
                .map(|_| frontier.into_nodes())
        };
        match again.as_deref() {
            Ok([again]) if node_digest(again) == node_digest(row) => None,
            Ok(_) => Some("a repeat on this machine".to_owned()),
            Err(failure) => Some(format!(
                "a repeat on this machine, which failed ({failure}),"
            )),
        }
    }
}
