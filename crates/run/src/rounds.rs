//! Repeats of shards that have holes: which shards a new array's indexes mean.

use chrono::{SecondsFormat, Utc};
use croupier_store::{Placed, Store};
use serde::{Deserialize, Serialize};

use crate::manifest::{FORMAT, encode, parse, read};
use crate::{Error, StoredRun, layout};

/// One repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The format of this file.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// Its number, from 1. The first start of all shards is round 0 and needs no file.
    pub round: u32,
    /// When it was begun, UTC.
    pub created: String,
    /// The shards, by the index of the array that repeats them.
    pub shards: Vec<u32>,
}

impl Round {
    /// The shard that the array index `index` means.
    ///
    /// # Errors
    ///
    /// Where the round has fewer.
    pub fn shard(&self, index: u64) -> Result<u32, Error> {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.shards.get(index).copied())
            .ok_or_else(|| {
                Error::Input(format!(
                    "index {index}: round {} has {} shards, so its indexes are 0 to {}",
                    self.round,
                    self.shards.len(),
                    self.shards.len().saturating_sub(1)
                ))
            })
    }
}

/// The rounds in the folder of a run, in order.
pub(crate) async fn rounds_in(folder: &dyn Store) -> Result<Vec<Round>, Error> {
    let entries = folder.list(layout::ROUNDS).await?;
    let mut numbers: Vec<u32> = entries
        .iter()
        .filter_map(|entry| layout::round_number(&entry.key))
        .collect();
    numbers.sort_unstable();
    let mut rounds = Vec::with_capacity(numbers.len());
    for number in numbers {
        rounds.push(round_in(folder, number).await?);
    }
    Ok(rounds)
}

pub(crate) async fn round_in(folder: &dyn Store, number: u32) -> Result<Round, Error> {
    match read(folder, &layout::round(number)).await {
        Err(Error::Store(croupier_store::Error::NotFound { .. })) => Err(Error::Input(format!(
            "run {} has no round {number}: `retry` begins one",
            folder.uri()
        ))),
        read => read,
    }
}

/// Begins a round of shards that exist.
pub(crate) async fn begin_round_in(
    folder: &dyn Store,
    number: u32,
    shards: Vec<u32>,
) -> Result<Round, Error> {
    if shards.is_empty() || number == 0 {
        return Err(Error::Input("a round of no shards".to_owned()));
    }
    let round = Round {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        round: number,
        created: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        shards,
    };
    let key = layout::round(number);
    match folder.put_if_absent(&key, encode(&key, &round)?).await? {
        Placed::Written | Placed::Identical => Ok(round),
        Placed::Different(there) => parse(&format!("{}/{key}", folder.uri()), &there),
    }
}

impl StoredRun {
    /// The rounds so far, in order.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn rounds(&self) -> Result<Vec<Round>, Error> {
        rounds_in(&*self.store).await
    }

    /// The round `number`.
    ///
    /// # Errors
    ///
    /// Where there is none; what the store reports.
    pub async fn round(&self, number: u32) -> Result<Round, Error> {
        round_in(&*self.store, number).await
    }

    /// Begins round `number` with `shards`. Where somebody else began it, theirs is the round.
    ///
    /// # Errors
    ///
    /// Where a shard does not exist or there is none; what the store reports.
    pub async fn begin_round(&self, number: u32, shards: Vec<u32>) -> Result<Round, Error> {
        for shard in &shards {
            self.segment_of(*shard)?;
        }
        begin_round_in(&*self.store, number, shards).await
    }
}
