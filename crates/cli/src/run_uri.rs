//! From what `--run` says to a run in a store.

use std::sync::Arc;

use croupier_run::{Found, StoredCases, StoredRun};
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

/// What the flags name, or the newest.
pub(crate) async fn find(flags: &RunFlags) -> Result<Found, CliError> {
    match &flags.run {
        Some(run) => find_named(run, &flags.store).await,
        None => Ok(croupier_run::newest(&open_store(&flags.store).await?).await?),
    }
}

/// The run that the flags name, or the newest, for what is done to one run. A case is named as the folder that it is.
pub(crate) async fn open_run(flags: &RunFlags) -> Result<StoredRun, CliError> {
    only(find(flags).await?)
}

/// What is called `run`: a name in the store of the flags, or a path or URI that ends with the name. `<run>/cases/<i>` is
/// the run that is case i.
pub(crate) async fn find_named(run: &str, flags: &StoreFlags) -> Result<Found, CliError> {
    let (store, name) = named(run, flags).await?;
    if let Some((cases, case)) = case_of(run, flags).await? {
        let planned = cases.case_run(case).await?;
        let planned = planned.ok_or_else(|| {
            CliError::Usage(format!(
                "case {case} of run {} was not planned yet: its first worker does that",
                cases.name()
            ))
        })?;
        return Ok(Found::Run(Box::new(planned)));
    }
    Ok(croupier_run::find(&store, name).await?)
}

/// The run of cases and the case that a path or URI names; none where it names something else.
async fn case_of(run: &str, flags: &StoreFlags) -> Result<Option<(StoredCases, u32)>, CliError> {
    let (Some(folder), case) = croupier_store::split_last(run) else {
        return Ok(None);
    };
    let (Some(run), "cases") = croupier_store::split_last(folder) else {
        return Ok(None);
    };
    let Ok(case) = case.parse() else {
        return Ok(None);
    };
    let (store, name) = named(run, flags).await?;
    if croupier_run::check_name(name).is_err() {
        return Ok(None);
    }
    let cases = StoredCases::open(&store, name).await?;
    Ok(cases.map(|cases| (cases, case)))
}

fn only(found: Found) -> Result<StoredRun, CliError> {
    match found {
        Found::Run(run) => Ok(*run),
        Found::Cases(cases) => Err(CliError::Usage(format!(
            "run {} is one of {}: this is done to one of them, such as --run {}",
            cases.name(),
            cases.manifest.said(),
            cases.uri_of(cases.manifest.first())
        ))),
    }
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
