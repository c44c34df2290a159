//! From what `--run` says to a run in a store.

use std::sync::Arc;

use croupier_run::StoredRun;
use croupier_store::{Options, Store};

use crate::CliError;
use crate::flags::{RunFlags, StoreFlags};

/// The store that `--store` names.
pub(crate) async fn open_store(flags: &StoreFlags) -> Result<Arc<dyn Store>, CliError> {
    Ok(croupier_store::open(&flags.store, &options(flags)).await?)
}

/// How a store is talked to.
pub(crate) fn options(flags: &StoreFlags) -> Options {
    Options {
        timeout: flags.store_timeout,
        ..Options::default()
    }
}

/// The run that the flags name, or the newest.
pub(crate) async fn open_run(flags: &RunFlags) -> Result<StoredRun, CliError> {
    match &flags.run {
        Some(run) => open_named(run, &flags.store).await,
        None => Ok(croupier_run::newest(&open_store(&flags.store).await?).await?),
    }
}

/// The run called `run`: a name in the store of the flags, or a path or URI that ends with the name.
pub(crate) async fn open_named(run: &str, flags: &StoreFlags) -> Result<StoredRun, CliError> {
    let (store, name) = named(run, flags).await?;
    Ok(croupier_run::open(&store, name).await?)
}

/// The store and the name of the run called `run`, which need not be there.
pub(crate) async fn named<'a>(
    run: &'a str,
    flags: &StoreFlags,
) -> Result<(Arc<dyn Store>, &'a str), CliError> {
    let (store, name) = croupier_store::split_last(run);
    let store = match store {
        Some(store) => croupier_store::open(store, &options(flags)).await?,
        None => open_store(flags).await?,
    };
    Ok((store, name))
}
