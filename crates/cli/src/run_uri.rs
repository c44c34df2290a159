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
    let (store, name) = split(run);
    let store = match store {
        Some(store) => croupier_store::open(store, &options(flags)).await?,
        None => open_store(flags).await?,
    };
    Ok(croupier_run::open(&store, name).await?)
}

fn split(run: &str) -> (Option<&str>, &str) {
    let run = run.trim_end_matches('/');
    match run.rsplit_once('/') {
        // The root directory has no name before its slash.
        Some(("", name)) => (Some("/"), name),
        Some((store, name)) => (Some(store), name),
        None => (None, run),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn the_last_part_is_the_name() {
        assert_eq!(split("demo"), (None, "demo"));
        assert_eq!(split("./runs/demo/"), (Some("./runs"), "demo"));
        assert_eq!(split("/demo"), (Some("/"), "demo"));
        assert_eq!(split("s3://bucket/demo"), (Some("s3://bucket"), "demo"));
        assert_eq!(
            split("s3://bucket/a/b/demo"),
            (Some("s3://bucket/a/b"), "demo")
        );
    }
}
