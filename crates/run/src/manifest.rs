//! The two objects a run is planned by: what it is, and how it is dealt. Both are written once.

use std::collections::BTreeMap;

use croupier_compute::Grid;
use croupier_store::Store;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, FailedSamplesLimit, Identity, Policy, Until, layout};

/// The format of manifests and segments that this release writes, and the latest it reads.
pub(crate) const FORMAT: u32 = 1;

/// What a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of this file.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// The run's name.
    pub run: String,
    /// A random number in hexadecimal: no two manifests are the same bytes, so whoever finds its own
    /// there wrote it.
    pub id: String,
    /// When it was planned, UTC.
    pub created: String,
    /// What its numbers are a function of.
    pub identity: Identity,
    /// Where each input was read from. Its digest is in the identity.
    pub inputs: BTreeMap<String, String>,
    /// How many holes the result may have, unless told otherwise later.
    pub policy: Policy,
    /// How many samples may fail, unless told otherwise later.
    pub failed_samples: FailedSamplesLimit,
    /// Whether no shard may be started twice.
    #[serde(default)]
    pub at_most_once: bool,
    /// When it is precise enough, where its samples are not fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

/// A planned range of blocks and how it is dealt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The format of this file.
    pub format: u32,
    /// The release of Croupier that wrote it.
    pub croupier: String,
    /// The first block.
    pub first_block: u64,
    /// One past the last sample, counted over the whole run.
    pub end_sample: u64,
    /// The number of the first shard, counted over the whole run.
    pub first_shard: u32,
    /// How many shards the blocks are dealt to.
    pub shards: u32,
}

impl Segment {
    /// Where its samples and blocks lie.
    ///
    /// # Errors
    ///
    /// Where the segment has no sample or too many blocks.
    pub fn grid(&self, identity: &Identity) -> Result<Grid, Error> {
        Ok(Grid::new(
            identity.block_length,
            self.first_block,
            self.end_sample,
        )?)
    }
}

impl Segment {
    /// Whether it can be dealt, and goes on where `before` ends: from its short last block, if it has one.
    fn check(&self, before: Option<&Self>, identity: &Identity) -> Result<(), String> {
        let grid = self.grid(identity).map_err(|error| error.to_string())?;
        if self.shards == 0 || u64::from(self.shards) > grid.block_count() {
            return Err(format!(
                "{} shards for {} blocks",
                self.shards,
                grid.block_count()
            ));
        }
        let first_block = before.map_or(0, |before| {
            before.end_sample / identity.block_length.samples()
        });
        let first_shard = before.map_or(0, |before| before.first_shard + before.shards);
        if (self.first_block, self.first_shard) != (first_block, first_shard) {
            return Err(format!(
                "it begins with block {} and shard {}, expected block {first_block} and shard {first_shard}",
                self.first_block, self.first_shard
            ));
        }
        if before.is_some_and(|before| before.end_sample >= self.end_sample)
            || self.first_shard.checked_add(self.shards).is_none()
        {
            return Err("it adds no samples, or too many shards".to_owned());
        }
        Ok(())
    }
}

/// Reads one of the run's JSON objects, whose format is looked at before anything else.
pub(crate) async fn read<T: DeserializeOwned>(store: &dyn Store, key: &str) -> Result<T, Error> {
    parse(&format!("{}/{key}", store.uri()), &store.get(key).await?)
}

pub(crate) fn parse<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
        #[serde(default)]
        croupier: String,
    }
    let malformed = |error: serde_json::Error| Error::Malformed {
        key: key.to_owned(),
        reason: error.to_string(),
    };
    let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
    if head.format > FORMAT {
        return Err(Error::Newer {
            key: key.to_owned(),
            format: head.format,
            reads: FORMAT,
            release: head.croupier,
        });
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

pub(crate) fn encode<T: Serialize>(key: &str, value: &T) -> Result<bytes::Bytes, Error> {
    serde_json::to_vec_pretty(value)
        .map(Into::into)
        .map_err(|error| Error::Malformed {
            key: key.to_owned(),
            reason: error.to_string(),
        })
}

/// The segments planned so far, in order; none where planning was interrupted.
///
/// # Errors
///
/// Where one is missing or does not go on where the one before it ends.
pub(crate) async fn read_segments(
    store: &dyn Store,
    identity: &Identity,
) -> Result<Vec<Segment>, Error> {
    let entries = store.list(layout::SEGMENTS).await?;
    let is_there = |key: &str| entries.iter().any(|entry| entry.key == key);
    let mut segments: Vec<Segment> = Vec::new();
    for number in 0.. {
        let key = layout::segment(number);
        if !is_there(&key) {
            break;
        }
        let segment: Segment = read(store, &key).await?;
        segment
            .check(segments.last(), identity)
            .map_err(|reason| Error::Malformed {
                key: format!("{}/{key}", store.uri()),
                reason,
            })?;
        segments.push(segment);
    }
    // Beyond a gap: without the segment in it nobody knows what their shards are.
    let beyond = entries
        .iter()
        .find(|entry| layout::segment_number(&entry.key) >= Some(segments.len() as u32));
    if let Some(beyond) = beyond {
        return Err(Error::Malformed {
            key: format!("{}/{}", store.uri(), layout::segment(segments.len() as u32)),
            reason: format!("it is missing, and {} is there", beyond.key),
        });
    }
    Ok(segments)
}
