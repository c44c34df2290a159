//! Finds the runs of a store: by name, by age, or all of them.

use std::sync::Arc;

use croupier_store::{Prefixed, Store};

use crate::cases::{Case, StoredCases};
use crate::manifest::{Manifest, read, read_segments};
use crate::{Error, Found, StoredRun, check_name, layout};

/// Opens the run `name` in `store`.
///
/// # Errors
///
/// Where there is none, or its planning was interrupted; what can't be read of it.
pub async fn open(store: &Arc<dyn Store>, name: &str) -> Result<StoredRun, Error> {
    match find(store, name).await? {
        Found::Run(run) => Ok(*run),
        Found::Cases(cases) => Err(Error::Input(format!(
            "run {name:?} is one of cases: name one of them, such as {}",
            cases.uri_of(cases.manifest.first())
        ))),
    }
}

/// Finds the run `name` in `store`, of whichever sort it is.
///
/// # Errors
///
/// As [`open`].
pub async fn find(store: &Arc<dyn Store>, name: &str) -> Result<Found, Error> {
    check_name(name)?;
    let folder = Arc::new(Prefixed::new(Arc::clone(store), name)?);
    if let Some(run) = open_in(folder, name, None).await? {
        return Ok(Found::Run(Box::new(run)));
    }
    match StoredCases::open(store, name).await? {
        Some(cases) => Ok(Found::Cases(Box::new(cases))),
        None => Err(Error::Input(format!(
            "there is no run {name:?} in {}: `ls` lists what is there, `plan` makes one",
            store.uri()
        ))),
    }
}

/// The seed of the run `name` in `store`; none where no such run was planned.
///
/// # Errors
///
/// What can't be read of it; what the store reports.
pub async fn planned_seed(store: &Arc<dyn Store>, name: &str) -> Result<Option<u64>, Error> {
    check_name(name)?;
    let folder = Prefixed::new(Arc::clone(store), name)?;
    match read::<Manifest>(&folder, layout::MANIFEST).await {
        Err(Error::Store(croupier_store::Error::NotFound { .. })) => Ok(None),
        read => Ok(Some(read?.identity.seed)),
    }
}

/// The run in the folder `run`; none where it has no manifest.
pub(crate) async fn open_in(
    run: Arc<Prefixed<Arc<dyn Store>>>,
    name: &str,
    case: Option<Case>,
) -> Result<Option<StoredRun>, Error> {
    let manifest: Manifest = match read(&*run, layout::MANIFEST).await {
        Err(Error::Store(croupier_store::Error::NotFound { .. })) => return Ok(None),
        read => read?,
    };
    let segments = read_segments(&*run, &manifest.identity).await?;
    if segments.is_empty() {
        return Err(Error::Input(format!(
            "run {name:?} was not planned to the end: run the same `plan` again"
        )));
    }
    Ok(Some(StoredRun {
        store: run,
        case,
        manifest,
        segments,
    }))
}

/// The names of all runs in `store`, sorted.
///
/// # Errors
///
/// What the store reports.
pub async fn runs(store: &Arc<dyn Store>) -> Result<Vec<String>, Error> {
    let runs = manifests(store).await?;
    Ok(runs.into_iter().map(|(name, _)| name).collect())
}

/// The name of every run, and the key of what says that it is one. Sorted.
async fn manifests(store: &Arc<dyn Store>) -> Result<Vec<(String, String)>, Error> {
    let entries = store.list("").await?;
    let mut runs: Vec<(String, String)> = entries
        .into_iter()
        .filter_map(|entry| {
            let (name, file) = entry.key.split_once('/')?;
            let is_one = [layout::MANIFEST, layout::CASES].contains(&file);
            (is_one && check_name(name).is_ok()).then(|| (name.to_owned(), entry.key.clone()))
        })
        .collect();
    runs.sort();
    Ok(runs)
}

/// The run that was planned last, of those whose manifests say when. Of the others nothing is read but that.
///
/// # Errors
///
/// Where there is none; what can't be read of the newest.
pub async fn newest(store: &Arc<dyn Store>) -> Result<Found, Error> {
    /// In every format.
    #[derive(serde::Deserialize)]
    struct When {
        created: String,
    }
    let mut newest: Option<(String, String)> = None;
    for (name, key) in manifests(store).await? {
        let manifest = match store.get(&key).await {
            Ok(manifest) => manifest,
            // Removed since it was listed.
            Err(croupier_store::Error::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        if let Ok(When { created }) = serde_json::from_slice(&manifest) {
            newest = newest.max(Some((created, name)));
        }
    }
    let (_, name) = newest.ok_or_else(|| {
        Error::Input(format!(
            "there are no runs in {}: name one with --run, or another place with --store",
            store.uri()
        ))
    })?;
    find(store, &name).await
}
