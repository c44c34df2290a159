//! Runs a part of a run again, on one thread, and compares bits.

use std::sync::Arc;

use croupier_compute::engine::{self, Control, Pool, Work, run_block};
use croupier_compute::{Frontier, Grid, Kernel, Node};

use crate::inventory::Inventory;
use crate::shard::{Place, ShardReader, node_digest};
use crate::{Error, StoredRun};

/// How much to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The single blocks that partials keep for it, at most two a shard.
    Witnesses,
    /// Every row of every partial: all of the work.
    Rows,
}

/// What was compared and found equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Shards of which something was compared.
    pub shards: u64,
    /// Rows compared.
    pub rows: u64,
    /// Blocks run again.
    pub blocks: u64,
}

const WITNESSES_PER_SHARD: usize = 2;

/// Compares what partials of `run` say with what `kernel` gives here, on one thread.
///
/// # Errors
///
/// [`Error::Differ`] at the first row whose bits are not the same.
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
        for shard in 0..segment.shards {
            let number = segment.first_shard + shard;
            let place = Place {
                grid,
                blocks: grid.shard(shard, segment.shards),
            };
            let content = reader.read(inventory.names_of(number), &place).await?;
            let source = content.sources.first().copied();
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
            let (kernel, pool) = (Arc::clone(kernel), pool.clone());
            let seed = run.manifest.identity.seed;
            let different = tokio::task::spawn_blocking(move || {
                rows.into_iter().find_map(|row| {
                    repeat_differs(&*kernel, seed, grid, &pool, &row).map(|how| (how, row.blocks()))
                })
            })
            .await
            .unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
            if let Some((how, blocks)) = different {
                return Err(Error::Differ {
                    left: source
                        .map_or_else(String::new, |name| format!("{}/{}", run.uri(), name.key())),
                    right: how,
                    blocks,
                });
            }
        }
    }
    Ok(verified)
}

/// Runs a row's blocks again; none where they give the same bits, else what gave others.
fn repeat_differs<K: Kernel>(
    kernel: &K,
    seed: u64,
    grid: Grid,
    pool: &Pool,
    row: &Node<K::Tally>,
) -> Option<String> {
    let again = if row.level == 0 {
        run_block(kernel, seed, &grid, row.first_block).map(|node| vec![node])
    } else {
        let frontier = Frontier::new();
        let work = Work {
            kernel,
            seed,
            grid,
            blocks: &[row.blocks()],
            // However many fail: that there are as many as before is what is compared.
            allowed_failures: u64::MAX,
            failed_before: &[],
        };
        engine::run(&work, pool, &frontier, &Control::new()).map(|_| frontier.into_nodes())
    };
    match again.as_deref() {
        Ok([again]) if node_digest(again) == node_digest(row) => None,
        Ok(_) => Some("a repeat on this machine".to_owned()),
        Err(failure) => Some(format!(
            "a repeat on this machine, which failed ({failure}),"
        )),
    }
}
