//! What a driver leaves to the one that takes over from it.

use std::fmt;
use std::str::FromStr;

use croupier_run::{Standing, Survey};

use super::Memory;

/// What a driver has started, as far as the store does not tell: a shard whose job never came so far as to leave a
/// record looks as if nobody had started it. Without this, drivers that take over from one another would start it for
/// ever.
///
/// Written as `8,1`: the shards below 8, and the rounds up to the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Legacy {
    /// All shards below this were started.
    pub shards: u32,
    /// All rounds up to this were started; 0 for none.
    pub round: u32,
}

/// A text that is no legacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected two numbers, such as 8,1: shards that were started, and the last round that was")]
pub struct NoLegacy;

impl fmt::Display for Legacy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{},{}", self.shards, self.round)
    }
}

impl FromStr for Legacy {
    type Err = NoLegacy;

    fn from_str(text: &str) -> Result<Self, NoLegacy> {
        let (shards, round) = text.split_once(',').ok_or(NoLegacy)?;
        Ok(Self {
            shards: shards.parse().map_err(|_| NoLegacy)?,
            round: round.parse().map_err(|_| NoLegacy)?,
        })
    }
}

impl Memory {
    /// That of a driver which takes over.
    pub fn after(predecessor: Legacy) -> Self {
        Self {
            round_taken_up: (predecessor.round > 0).then_some(predecessor.round),
            predecessor,
            ..Self::default()
        }
    }

    /// Whether a shard was started for the first time, by this driver or by one before it.
    pub(super) fn has_started(&self, shard: u32) -> bool {
        shard < self.predecessor.shards || self.started.contains(&shard)
    }

    /// What a driver leaves that has seen `survey` last.
    pub(super) fn legacy(&self, survey: &Survey) -> Legacy {
        let waiting = survey.shards.iter();
        let mut waiting = waiting.filter(|shard| shard.standing == Standing::Waiting);
        let first = waiting.find(|shard| !self.has_started(shard.shard));
        let end = survey
            .shards
            .last()
            .map(|shard| shard.shard.saturating_add(1));
        Legacy {
            shards: first.map(|shard| shard.shard).or(end).unwrap_or(0),
            round: self.round_taken_up.unwrap_or(0),
        }
    }
}
