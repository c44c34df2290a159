//! Removes what a complete partial makes superfluous.

use croupier_compute::Kernel;
use croupier_store::Store;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::inventory::Inventory;
use crate::shard::{Place, ShardReader};
use crate::{Error, StoredRun};

const AT_ONCE: usize = 32;

/// The keys of partials that are superseded: valid, of a shard that has a valid complete one. Where it is
/// meant, they are removed. Of several complete ones the first by name stays. Where two have the same place
/// of the tree, they are compared first; a checkpoint's smaller nodes have nothing to be compared with.
///
/// # Errors
///
/// [`Error::Differ`] where two partials of a shard disagree: then nothing of it may go. Foreign ones; what
/// the store reports.
pub async fn clean<K: Kernel>(run: &StoredRun, is_meant: bool) -> Result<Vec<String>, Error> {
    run.manifest.identity.check_tally::<K>()?;
    let inventory = Inventory::of(run).await?;
    let reader = ShardReader::<K::Tally>::new(run, false)?;
    let mut superseded = Vec::new();
    for segment in &run.segments {
        let grid = segment.grid(&run.manifest.identity)?;
        for number in 0..segment.shards {
            let names = inventory.names_of(segment.first_shard + number);
            if names.len() < 2 {
                continue;
            }
            let place = Place {
                grid,
                blocks: grid.shard(number, segment.shards),
            };
            let content = reader.read_all(names, &place).await?;
            // Those with most blocks come first.
            if let Some((first, others)) = content.sources.split_first()
                && first.blocks == place.block_count()
            {
                superseded.extend(others.iter().map(|name| name.key()));
            }
        }
    }
    if is_meant {
        stream::iter(superseded.clone())
            .map(|key| async move { run.store.delete(&key).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(superseded)
}
