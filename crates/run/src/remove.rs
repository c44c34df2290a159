//! Removes a run.

use std::sync::Arc;

use croupier_store::{Prefixed, Store};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Error, check_name, layout};

const AT_ONCE: usize = 32;

/// Counts what belongs to the run `name` in `store` and, where it is meant, removes all of it.
///
/// The manifest goes last, and of it no more is asked than that it is there: so what was interrupted, or
/// is damaged, can still be removed.
///
/// # Errors
///
/// Where there is no such run; what the store reports.
pub async fn remove(store: &Arc<dyn Store>, name: &str, is_meant: bool) -> Result<u64, Error> {
    check_name(name)?;
    let run = Prefixed::new(Arc::clone(store), name)?;
    let mut keys: Vec<String> = run
        .list("")
        .await?
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    let count = keys.len() as u64;
    let Some(manifest) = keys
        .iter()
        .position(|key| [layout::MANIFEST, layout::CASES].contains(&key.as_str()))
    else {
        return Err(Error::Input(format!(
            "there is no run {name:?} in {}: `ls` lists what is there",
            store.uri()
        )));
    };
    if is_meant {
        let manifest = keys.swap_remove(manifest);
        let run = &run;
        stream::iter(keys)
            .map(|key| async move { run.delete(&key).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        run.delete(&manifest).await?;
    }
    Ok(count)
}
