//! A task's row in a store, and which of several counts.

use croupier_store::{Placed, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::layout::{self, Content, PartialName};
use crate::manifest::{FORMAT, encode, parse, read};
use crate::{Digest, Error, Executable, Identity, Inventory, StoredRun};

/// A task has one shard of one block.
const SHARD: u32 = 0;

/// What a task returned.
#[derive(Serialize, Deserialize)]
struct RowFile {
    format: u32,
    croupier: String,
    identity: Identity,
    /// Target and SHA-256 of the executable.
    build: String,
    row: Value,
}

/// Which partial counts.
#[derive(Serialize, Deserialize)]
struct First {
    format: u32,
    croupier: String,
    partial: String,
}

/// A task's partials, read and checked.
pub(crate) struct Rows {
    /// The one that counts: its key and its row; none where no whole one is there.
    pub(crate) first: Option<(PartialName, Value)>,
    /// The other whole ones.
    pub(crate) superseded: Vec<PartialName>,
    /// Damaged ones, and how.
    pub(crate) invalid: Vec<(PartialName, String)>,
}

/// Puts a row into the store, and gives its key and, where another was there first, that one's.
pub(crate) async fn publish(
    run: &StoredRun,
    row: Value,
    executable: &Executable,
) -> Result<(String, Option<String>), Error> {
    let file = RowFile {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        identity: run.manifest.identity.clone(),
        build: executable.name(),
        row,
    };
    let bytes = encode(layout::PARTIALS, &file)?;
    let name = PartialName {
        shard: SHARD,
        blocks: 1,
        sha256: Digest::of_bytes(&bytes),
        content: Content::Row,
    };
    run.store.put(&name.key(), bytes).await?;
    let first = settle(run, name).await?;
    Ok((name.key(), (first != name.key()).then_some(first)))
}

/// The key of the partial that counts, where the task is done.
pub(crate) async fn done_before(run: &StoredRun) -> Result<Option<String>, Error> {
    let rows = Rows::read(run, false).await?;
    Ok(rows.first.map(|(name, _)| name.key()))
}

/// Says that `name` is the first, where none is said to be; gives the key of the one that is.
async fn settle(run: &StoredRun, name: PartialName) -> Result<String, Error> {
    let first = First {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        partial: name.key(),
    };
    let key = layout::first(SHARD);
    match run.store.put_if_absent(&key, encode(&key, &first)?).await? {
        Placed::Written | Placed::Identical => Ok(first.partial),
        Placed::Different(there) => {
            let there: First = parse(&format!("{}/{key}", run.uri()), &there)?;
            Ok(there.partial)
        }
    }
}

impl Rows {
    /// Reads the partials of a task's run. Where none is said to be the first, as of a worker that died at that
    /// moment, or that one is damaged, it is the first by name.
    pub(crate) async fn read(run: &StoredRun, skip_foreign: bool) -> Result<Self, Error> {
        let inventory = Inventory::of_shard(run, SHARD).await?;
        let (mut whole, mut invalid) = (Vec::new(), Vec::new());
        for name in inventory.names_of(SHARD) {
            match read_one(run, name).await? {
                Ok(file) if file.identity == run.manifest.identity => {
                    whole.push((*name, file.row));
                }
                Ok(_) if skip_foreign => {}
                Ok(file) => {
                    return Err(Error::Foreign {
                        what: format!("{}/{}", run.uri(), name.key()),
                        differences: file.identity.differences(&run.manifest.identity),
                        advice: "remove it, or leave it out with --skip-foreign",
                    });
                }
                Err(reason) => invalid.push((*name, reason)),
            }
        }
        let Some((lowest, _)) = whole.first() else {
            return Ok(Self {
                first: None,
                superseded: Vec::new(),
                invalid,
            });
        };
        let said = match read::<First>(&*run.store, &layout::first(SHARD)).await {
            Ok(first) => first.partial,
            Err(Error::Store(croupier_store::Error::NotFound { .. })) => {
                settle(run, *lowest).await?
            }
            Err(error) => return Err(error),
        };
        let at = whole.iter().position(|(name, _)| name.key() == said);
        let first = whole.remove(at.unwrap_or(0));
        Ok(Self {
            first: Some(first),
            superseded: whole.into_iter().map(|(name, _)| name).collect(),
            invalid,
        })
    }
}

async fn read_one(run: &StoredRun, name: &PartialName) -> Result<Result<RowFile, String>, Error> {
    let key = name.key();
    let bytes = match run.store.get(&key).await {
        Ok(bytes) => bytes,
        Err(croupier_store::Error::NotFound { .. }) => {
            return Ok(Err("it was listed and is gone".to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    if Digest::of_bytes(&bytes) != name.sha256 {
        return Ok(Err(
            "its bytes do not have the digest of its name".to_owned()
        ));
    }
    match parse(&key, &bytes) {
        Ok(file) => Ok(Ok(file)),
        Err(error @ Error::Newer { .. }) => Err(error),
        Err(error) => Ok(Err(error.to_string())),
    }
}
