//! Removes a run.

use croupier_store::Store;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Error, StoredRun, layout};

const AT_ONCE: usize = 32;

/// Counts what belongs to `run` and, where it is meant, removes all of it.
///
/// The manifest goes last, so that what was interrupted is still a run and can be removed again.
///
/// # Errors
///
/// What the store reports.
pub async fn remove(run: &StoredRun, is_meant: bool) -> Result<u64, Error> {
    let store = &*run.store;
    let mut keys: Vec<String> = store
        .list("")
        .await?
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    let count = keys.len() as u64;
    if is_meant {
        keys.retain(|key| key != layout::MANIFEST);
        stream::iter(keys)
            .map(|key| async move { store.delete(&key).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        store.delete(layout::MANIFEST).await?;
    }
    Ok(count)
}
